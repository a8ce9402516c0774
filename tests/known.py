"""Reference data of a test's own, as if it had always been known."""

from typing import Any

import psycopg

TABLES = (
    "calendar",
    "calendar_session",
    "calendar_holiday",
    "instrument",
    "contract",
    "feature_set",
)


def known_from_the_beginning(connection: psycopg.Connection[Any], *tables: str) -> None:
    """Make what reference tables say now the first that was ever known of them; default all.

    Of calendars give all three tables, or none.
    """
    names = tables or TABLES
    versions = [f"market.{name}_version" for name in names]
    versions += ["market.session_month"] if "calendar" in names else []
    with connection.transaction():
        # past the trigger that refuses it to everybody
        connection.execute("set local session_replication_role = replica")
        connection.execute(f"truncate {', '.join(versions)}".encode())
        connection.execute("set local session_replication_role = origin")
        connection.execute(
            "update market.changed_reference set changes = changes + 1, touched = %s", [list(names)]
        )
        connection.execute("set constraints all immediate")
        connection.execute("set constraints all deferred")
