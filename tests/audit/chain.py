"""What the tests of the audit chain share."""

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
Rows = list[tuple[Any, ...]]
NOTHING = bytes(32)


def record(connection: Connection, *event: object) -> int:
    row = connection.execute("select audit.record(%s, %s, %s, %s)", event).fetchone()
    assert row is not None
    return int(row[0])


def head(connection: Connection) -> tuple[int, bytes]:
    row = connection.execute("select seq, hash from audit.head").fetchone()
    assert row is not None
    return row[0], row[1]


def problems(connection: Connection, *published: object) -> Rows:
    arguments = ", ".join(["%s"] * len(published))
    return connection.execute(f"select * from audit.verify({arguments})", published).fetchall()


def since(connection: Connection, seq: int) -> Rows:
    """What was recorded after seq: (kind, action, object, detail)."""
    return connection.execute(
        "select kind, action, object, detail from audit.event where seq > %s order by seq", [seq]
    ).fetchall()


def run_as(connection: Connection, role: str, statement: str) -> None:
    """Run one statement as a role, in a transaction of its own."""
    with connection.transaction():
        connection.execute(f"set local role {role}".encode())
        connection.execute(statement.encode())


def disarm(connection: Connection) -> None:
    """As a superuser can: no trigger fires any more in this transaction."""
    connection.execute("set local session_replication_role = replica")


def rewrite(connection: Connection) -> None:
    """Hash every event anew, and the head: a chain that is whole in itself."""
    previous = NOTHING
    for (seq,) in connection.execute("select seq from audit.event order by seq").fetchall():
        connection.execute(
            "update audit.event set previous_hash = %s where seq = %s", [previous, seq]
        )
        row = connection.execute(
            "update audit.event as e set hash = audit.event_hash(e) where seq = %s returning hash",
            [seq],
        ).fetchone()
        assert row is not None
        previous = row[0]
    connection.execute(
        "update audit.head set hash = %s, seq = (select max(seq) from audit.event)", [previous]
    )
