"""What the report reads, all of it from SQL. Clocks are microseconds since 1970 UTC."""

from collections.abc import Sequence

from psycopg import sql

from demo.contract import columns

# The last days of each series, by UTC, the newest of all first. An instrument that is gone has no
# calendar.
DAYS = """
    select
        s.tenant_id,
        s.symbol,
        coalesce(i.description, 'no line in market.instrument') as description,
        i.venue,
        i.currency,
        i.tick_size,
        i.calendar_id,
        coalesce(c.time_zone, 'UTC') as zone,
        d.starts,
        (extract(epoch from d.starts) * 1000000)::bigint as starts_us
    from feature.series as s
    cross join lateral (
        select max(l.bucket) as bucket
        from feature.log as l
        where l.tenant_id = s.tenant_id and l.symbol = s.symbol
    ) as last
    cross join lateral (
        select n.starts, row_number() over (order by n.starts desc) as place
        from (
            select distinct date_trunc('day', l.bucket, 'UTC') as starts
            from feature.log as l
            where
                l.tenant_id = s.tenant_id
                and l.symbol = s.symbol
                and l.bucket > last.bucket - interval '7 days'
        ) as n
    ) as d
    left join market.instrument as i on s.symbol = i.symbol
    left join market.calendar as c on i.calendar_id = c.calendar_id
    where d.place <= 3
    order by d.place, s.tenant_id, s.symbol
"""

CLOCK = """
    select
        published_at as published,
        (extract(epoch from published_at) * 1000000)::bigint as published_us
    from feature.clock
"""

REACH = "select s.minutes, s.bars from feature.published_of('market_1m') as s"

# All versions of the day's bars, and of the hour of bars before it: the day's first moments are
# answered with those.
VERSIONS = """
    select
        (extract(epoch from l.bucket) * 1000000)::bigint,
        (extract(epoch from l.known_at) * 1000000)::bigint,
        l.cause, {fields}
    from feature.log as l
    where
        l.tenant_id = %(tenant_id)s
        and l.symbol = %(symbol)s
        -- of one publish for all series, also while the next ones come
        and l.known_at <= %(published)s
        and l.bucket < %(starts)s::timestamptz + interval '1 day'
        and l.bucket >= coalesce(
            (
                select min(b.bucket)
                from (
                    select distinct e.bucket
                    from feature.log as e
                    where
                        e.tenant_id = %(tenant_id)s
                        and e.symbol = %(symbol)s
                        and e.bucket < %(starts)s
                        and e.bucket >= %(starts)s::timestamptz - interval '31 days'
                    order by e.bucket desc
                    limit 60
                ) as b
            ),
            %(starts)s
        )
    order by l.bucket, l.known_at
"""

# The bars before the day that its bars' windows read, by their starts: as far back as
# feature.explain_restatement() looks for the ticks behind a version.
EARLIER = """
    select distinct (extract(epoch from l.bucket) * 1000000)::bigint as bucket
    from feature.log as l
    where
        l.tenant_id = %(tenant_id)s
        and l.symbol = %(symbol)s
        and l.bucket < %(starts)s
        and l.bucket >= coalesce(
            (
                select min(b.bucket)
                from (
                    select distinct e.bucket
                    from feature.log as e
                    where
                        e.tenant_id = %(tenant_id)s
                        and e.symbol = %(symbol)s
                        and e.bucket <= %(starts)s::timestamptz - %(minutes)s * interval '1 minute'
                    order by e.bucket desc
                    limit %(bars)s + 1
                ) as b
            ),
            %(starts)s::timestamptz - %(minutes)s * interval '1 minute'
        )
    order by 1
"""

# The ticks that were late, corrected or cancelled, as feature.explain_restatement() names them.
# told_at: the known_at of the versions that they caused.
EVENTS = """
    with version as (
        select
            l.bucket,
            l.known_at,
            row_number() over (partition by l.bucket order by l.known_at) as number
        from feature.log as l
        where
            l.tenant_id = %(tenant_id)s
            and l.symbol = %(symbol)s
            and l.bucket >= %(reads_from)s
            and l.bucket < %(starts)s::timestamptz + interval '1 day'
    ),

    restated as (
        select distinct v.known_at from version as v where v.number > 1
    ),

    superseded as (
        select tenant_id, symbol, ts from market.trade_superseded
        union all
        select tenant_id, symbol, ts from market.quote_superseded
        union all
        select tenant_id, symbol, ts from market.bar_superseded
    ),

    changed as (
        -- a bar that came late restates others by its first version
        select v.bucket from version as v
        where v.known_at in (select r.known_at from restated as r)
        union
        select r.bucket from feature.restatement as r
        where
            r.tenant_id = %(tenant_id)s
            and r.symbol = %(symbol)s
            and r.bucket >= %(reads_from)s
            and r.bucket < %(starts)s::timestamptz + interval '1 day'
        union
        -- a minute may have lost its only trade before it closed
        select date_bin(interval '1 minute', s.ts, '2000-01-01 00:00:00+00')
        from superseded as s
        where
            s.tenant_id = %(tenant_id)s
            and s.symbol = %(symbol)s
            and s.ts >= %(reads_from)s
            and s.ts < %(starts)s::timestamptz + interval '1 day'
    ),

    event as (
        select
            e.*,
            r.known_at is not null as restates,
            coalesce(r.known_at, greatest(e.known_at, e.bucket + interval '1 minute')) as told_at
        from changed as c
        cross join lateral
            feature.events_behind(%(tenant_id)s, %(symbol)s, c.bucket, c.bucket) as e
        left join lateral (
            select min(o.known_at) as known_at
            from feature.restatement as o
            where
                o.tenant_id = %(tenant_id)s
                and o.symbol = %(symbol)s
                and o.bucket = e.bucket
                and e.known_at between o.known_from and o.known_to
        ) as r on true
    )

    select
        e.kind,
        e.action,
        (extract(epoch from e.bucket) * 1000000)::bigint as bucket,
        (extract(epoch from e.ts) * 1000000)::bigint as ts,
        e.seq,
        e.was,
        e.tick,
        (extract(epoch from e.known_at) * 1000000)::bigint as known_at,
        (extract(epoch from e.told_at) * 1000000)::bigint as told_at,
        e.topic,
        e.partition,
        e."offset"
    from event as e
    where
        e.action <> 'new'
        or (
            (e.restates or e.known_at > e.bucket + interval '1 minute')
            and e.told_at in (select r.known_at from restated as r)
        )
    order by e.ts, e.seq, e.known_at
"""

SESSIONS = """
    select
        (extract(epoch from s.opens_at) * 1000000)::bigint,
        (extract(epoch from s.closes_at) * 1000000)::bigint
    from market.trading_session(
        %(calendar_id)s, %(starts)s::timestamptz - interval '31 days',
        %(starts)s::timestamptz + interval '1 day'
    ) as s
"""
HAS_SESSIONS = """
    select exists (select from market.calendar_session where calendar_id = %(calendar_id)s)
"""

# Of the day, as the bars are; refused messages by what they name themselves.
COUNTS = """
    select
        (
            select count(*) from market.trade as t
            where t.tenant_id = %(tenant_id)s and t.symbol = %(symbol)s
                and t.ts >= %(starts)s and t.ts < %(starts)s::timestamptz + interval '1 day'
        ) as trades,
        (
            select count(*) from market.quote as q
            where q.tenant_id = %(tenant_id)s and q.symbol = %(symbol)s
                and q.ts >= %(starts)s and q.ts < %(starts)s::timestamptz + interval '1 day'
        ) as quotes
"""
REFUSED = """
    select d.reason, count(*) as messages, min(d.message) as example
    from market.dead_letter as d
    where
        d.settled_at is null
        and (d.tenant_id, d.symbol) is not distinct from (%(tenant_id)s, %(symbol)s)
    group by d.reason
    order by messages desc, d.reason
"""
# Those that name no series of the report: unreadable, or of a symbol that nobody has.
REFUSED_OTHERS = """
    select d.reason, count(*) as messages, min(d.message) as example
    from market.dead_letter as d
    where
        d.settled_at is null
        and not exists (
            select from feature.series as s
            where s.tenant_id = d.tenant_id and s.symbol = d.symbol
        )
    group by d.reason
    order by messages desc, d.reason
"""
# The newest versions of models, with what each serves as now.
MODELS = """
    select
        v.model,
        v.version,
        coalesce(string_agg(a.alias, ', ' order by a.alias), '') as aliases,
        v.card -> 'learner' ->> 'name' as learner,
        v.card -> 'label' ->> 'name' as label,
        v.card -> 'moments' ->> 'from' as starts,
        v.card -> 'moments' ->> 'to' as ends,
        (v.card -> 'moments' ->> 'rows')::bigint as "rows",
        v.card -> 'metrics' as metrics,
        v.card ->> 'digest' as digest,
        v.run_id
    from model.version as v
    left join model.alias as a on v.model = a.model and v.version = a.version
    group by v.model, v.version
    order by v.registered_at desc, v.model, v.version desc
    limit 20
"""


def versions(fields: Sequence[str]) -> sql.Composed:
    """VERSIONS, with these fields of the contract."""
    return sql.SQL(VERSIONS).format(fields=columns("l", fields))
