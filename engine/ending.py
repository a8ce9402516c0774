"""Calendars that come to their end: what is after the last day that one knows, nobody has said."""

from typing import Any

import psycopg

# so that there is time to renew it; tests/dbt/calendars_last_90_days_more.sql has the same number
AHEAD_DAYS = 90
ENDING = """
    select
        e.calendar_id,
        e.ends_on,
        e.ends_on - (now() at time zone e.time_zone)::date
    from (
        select
            c.calendar_id,
            c.time_zone,
            -- the column may be pending
            (to_jsonb(c) ->> 'ends_on')::date as ends_on
        from market.calendar as c
        where c.calendar_id in (select i.calendar_id from market.instrument as i)
    ) as e
    where e.ends_on - (now() at time zone e.time_zone)::date < %s
    order by e.ends_on, e.calendar_id
"""


def warnings(connection: psycopg.Connection[Any]) -> list[str]:
    """A line for each calendar of an instrument that ends within AHEAD_DAYS, or has ended."""
    return [
        f"calendar {calendar_id} {'ends' if left >= 0 else 'ended'} on {ends_on}"
        f"{f', in {left} days' if left > 0 else ''}: what comes later is no session. Renew it: "
        "make calendars, then make migrate"
        for calendar_id, ends_on, left in connection.execute(ENDING, [AHEAD_DAYS]).fetchall()
    ]
