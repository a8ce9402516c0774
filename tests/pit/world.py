"""The database behind the point-in-time tests: apply, publish, backfill, ask."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from ingest import kinds
from ingest.consume.ticks import create_incoming
from tests.known import TABLES, known_from_the_beginning
from tests.paused import pause_jobs
from tests.pit.oracle import KINDS, Event

SNAPSHOT = "select * from feature_pit_snapshot(%s, %s::timestamptz, %s::timestamptz, %s)"
SNAPSHOTS = "select * from feature_pit_snapshot(%s, %s::timestamptz[], %s::timestamptz[], %s)"
PUBLISH: LiteralString = "call feature.publish(%s)"
BACKFILL: LiteralString = "call feature.backfill(%s, %s)"
DIGEST = "select {}_pit_hash(%s, %s::timestamptz[], %s::timestamptz[], %s)"
# what the functions of each set begin with
PREFIXES = ("feature", "momentum_1m", "daily")

Row = dict[str, Any]
Moments = Sequence[datetime]


class World:
    """A connection to a migrated database whose clock the tests move."""

    def __init__(self, url: str, kind: str) -> None:
        """url: a migrated, seeded database of the tests' own; kind: the engine."""
        self.url = url
        self.kind = kind
        self.tenants = 1000
        self.examples = 0
        self.connection = self._connect()
        # jobs would publish at the real time, and refresh while a test does
        pause_jobs(self.connection)

    def _connect(self, zone: str = "UTC") -> psycopg.Connection[Any]:
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("select set_config('timezone', %s, false)", [zone])
        connection.execute("set client_min_messages = warning")
        return connection

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def reconnect(self, zone: str) -> None:
        """Continue in a new session, of a client in that time zone."""
        self.connection.close()
        self.connection = self._connect(zone)

    def tenant(self) -> int:
        """A tenant that nobody used so far."""
        self.tenants += 1
        self.connection.execute(
            "insert into market.tenant (tenant_id, name) values (%s, %s)",
            [self.tenants, f"tenant {self.tenants}"],
        )
        return self.tenants

    def apply(self, events: Iterable[Event]) -> None:
        """Apply events as one batch, kind by kind as ingest does."""
        with self.connection.transaction():
            _apply(self.connection, list(events))

    @contextmanager
    def uncommitted(self, events: Iterable[Event]) -> Iterator[None]:
        """Events that another session has applied and commits at the end."""
        with psycopg.connect(self.url) as other:
            _apply(other, list(events))
            yield

    def kill(self, query: LiteralString, arguments: list[Any], after_ms: int) -> None:
        """Run a statement in a session that is terminated so long after it began."""
        victim = psycopg.connect(self.url, autocommit=True)

        def run() -> None:
            with suppress(psycopg.OperationalError):
                victim.execute(query, arguments)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(after_ms / 1000)
        self.connection.execute("select pg_terminate_backend(%s, 10000)", [victim.info.backend_pid])
        thread.join()
        victim.close()

    def set_clock(self, live_from: datetime, published_at: datetime) -> None:
        """Put both hands of the clock where a test wants them."""
        self.connection.execute(
            "update feature.clock set live_from = %s, published_at = %s", [live_from, published_at]
        )
        # every set of the tests is as old as the first; an earlier release has no other
        there = self.connection.execute("select to_regclass('feature.birth') is not null")
        if there.fetchone() == (True,):
            self.connection.execute(
                "update feature.birth set born_at = %s where ended_at is null", [live_from]
            )

    def set_staleness(self, seconds: int, field: str, less: int) -> None:
        """Make every field stale after so many seconds, and one of them earlier."""
        self.connection.execute(
            "update market.contract set max_staleness_s = case field when %s then %s else %s end",
            [field, less, seconds],
        )
        known_from_the_beginning(self.connection, "contract")

    @contextmanager
    def known_from(self, moment: datetime) -> Iterator[None]:
        """Reference data that is edited meanwhile is known from then on, all in one transaction.

        The moment is after the last publish and edit of the test, which the server's clock is not.
        """
        with self.connection.transaction():
            yield
            self.connection.execute("set constraints all immediate")
            # past the trigger that refuses it to everybody
            self.connection.execute("set local session_replication_role = replica")
            for table in (*(f"{name}_version" for name in TABLES), "session_month"):
                self.connection.execute(
                    f"update market.{table} set known_at = %s where known_at >= now()".encode(),
                    [moment],
                )

    def published_at(self) -> datetime:
        """The last published stamp."""
        row = self.connection.execute("select published_at from feature.clock").fetchone()
        assert row is not None
        at = row[0]
        assert isinstance(at, datetime)
        return at

    def publish(self, stamp: datetime) -> None:
        """Publish with this stamp."""
        self.connection.execute(PUBLISH, [stamp])

    def backfill(self, since: datetime, until: datetime) -> None:
        """Rebuild the versions of the bars in [since, until)."""
        self.connection.execute(BACKFILL, [since, until])

    def ask(
        self, symbols: Sequence[str], as_of: datetime, known: datetime | None, tenant_id: int
    ) -> list[Row]:
        """One row per symbol at one moment."""
        return self._ask(SNAPSHOT, [list(symbols), as_of, known, tenant_id])

    def ask_each(
        self, symbols: Sequence[str], as_of: Moments, known: Moments | None, tenant_id: int
    ) -> list[Row]:
        """One row per element."""
        moments = None if known is None else list(known)
        return self._ask(SNAPSHOTS, [list(symbols), list(as_of), moments, tenant_id])

    def digest(
        self, prefix: str, symbols: Sequence[str], as_of: Moments, known: Moments, tenant_id: int
    ) -> str:
        """Of what a set answers, one row per element."""
        arguments = [list(symbols), list(as_of), list(known), tenant_id]
        row = self.connection.execute(DIGEST.format(prefix).encode(), arguments).fetchone()
        assert row is not None
        digest: str = row[0]
        return digest

    def _ask(self, query: LiteralString, arguments: list[Any]) -> list[Row]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, arguments).fetchall()

    def copy_rows(self, table: str, old: int, new: int) -> None:
        """Give a tenant's raw rows to another one too."""
        columns = self.connection.execute(
            "select string_agg(attname, ', ' order by attnum) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 1 and not attisdropped",
            [f"market.{table}"],
        ).fetchone()
        assert columns is not None
        self.connection.execute(
            f"insert into market.{table} (tenant_id, {columns[0]})"
            f" select {new}, {columns[0]} from market.{table} where tenant_id = {old}".encode()
        )

    def log(self, tenants: Sequence[int]) -> set[tuple[Any, ...]]:
        """The keys of the tenants' versions."""
        return set(
            self.connection.execute(
                "select tenant_id, symbol, bucket, known_at from feature.log"
                " where tenant_id = any(%s)",
                [list(tenants)],
            ).fetchall()
        )


def _apply(connection: psycopg.Connection[Any], events: list[Event]) -> None:
    for kind, values in KINDS.items():
        rows = [event for event in events if isinstance(event.values, values)]
        if not rows:
            continue
        own = kinds.KINDS[kind]
        columns = ", ".join(["ordinal", "action", *kinds.KEY, *own.values, "known_at"])
        create_incoming(connection, kind)
        statement = f"copy pg_temp.{own.incoming} ({columns}) from stdin".encode()
        with connection.cursor() as cursor, cursor.copy(statement) as to:
            for ordinal, e in enumerate(rows):
                key = ordinal, e.action, e.tenant_id, e.symbol, e.ts, e.seq
                to.write_row((*key, *astuple(e.values), e.known_at))
        connection.execute(f"select * from {own.apply}()".encode())
