"""Push: publish closed bars and have them online within a second.

Each second it calls feature.publish() and writes what changed to the online store. Every row is
written again from time to time, so that keys in use do not expire and a store that lost its data
is whole again. `materialize` repairs the same way, once. What it writes is what the registry has of
the contract, which it reads again from time to time: a running push follows `feast apply`.
"""

import logging
import signal
import threading
import time
from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd
import psycopg
from feast import FeatureStore, FeatureView
from feast.types import Float64, String, UnixTimestamp
from psycopg import sql
from psycopg.rows import dict_row

from engine.errors import EngineError
from feast_repo import internals
from feast_repo.definitions import OF_SET
from feast_repo.quiet import warning_of
from feast_repo.store import database_url
from telemetry.hooks import PushTelemetry

# After the whole second, because the last ticks of a bar take that long to be committed: ingest's
# p99 is 0.2 s (README).
PHASE_S = 0.3
TELL_S = 60.0
# Far below key_ttl_seconds of feature_store.yaml, and any maximum staleness.
RENEW_S = 10.0
# What the server warns of in each round is said anew after so long.
WARN_AGAIN_S = 600.0
# As the API does.
REREAD_S = 60.0
# A database whose machine has gone says nothing: the wait for it ends within a minute.
TIMEOUTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
PANDAS: dict[Any, str] = {
    Float64: "float64",
    String: "object",
    UnixTimestamp: "datetime64[us, UTC]",
}
KEY = ["tenant_id", "symbol"]
log = logging.getLogger("feast_repo.push")

Row = dict[str, Any]
Key = tuple[Hashable, ...]
# The feature views of each set by the function that answers for it, say feature_pit_snapshot.
Views = dict[str, list[FeatureView]]


def registered(store: FeatureStore) -> Views:
    """What the registry has of the contract, read anew.

    Errors: EngineError where that is nothing; those of the registry's database.
    """
    store.refresh_registry()  # type: ignore[no-untyped-call]
    found: Views = {}
    for view in store.list_feature_views(allow_cache=True):
        if OF_SET in view.tags and view.batch_source is not None:
            found.setdefault(view.batch_source.name, []).append(view)
    if not found:
        raise EngineError(
            "Feast's registry has no feature view of the contract: run `make feast` first"
        )
    return found


class Push:
    """What is online, as far as this process wrote it."""

    def __init__(
        self, store: FeatureStore, url: str, telemetry: PushTelemetry | None = None
    ) -> None:
        """url: the database, as a login that may call feature.publish(). Errors: registered()'s."""
        self.telemetry = telemetry or PushTelemetry()
        self._store = store
        self._url = url
        self._views = registered(store)
        self._read_at = time.monotonic()
        self._connection: psycopg.Connection[Row] | None = None
        self._written: dict[Key, tuple[Any, ...]] = {}
        self._renewed_at = float("-inf")
        self._warned: dict[str, float] = {}

    def close(self) -> None:
        """Close the connection to the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def once(self) -> int:
        """Publish, and write what is not online yet; return the number of series written.

        Errors: those of psycopg, Redis and Feast. The next call then writes everything.
        """
        try:
            return self._once()
        except Exception:
            self.close()
            self._written.clear()
            self._renewed_at = float("-inf")
            raise

    def _once(self) -> int:
        began = time.monotonic()
        if began - self._read_at >= REREAD_S:
            self._read_at = began
            with self.telemetry.health.waiting("registry"):
                self._reread()
        # a publish after an outage takes minutes: who restarted this meanwhile would begin it again
        with self.telemetry.health.waiting("database"):
            rows = self._published()
        now = time.monotonic()
        due = now - self._renewed_at >= RENEW_S
        found = {key: self._values(of_sets) for key, of_sets in rows.items()}
        wanted = [
            rows[key] for key, values in found.items() if due or self._written.get(key) != values
        ]
        if wanted:
            with self.telemetry.health.waiting("online store"):
                self._write(wanted)
        self._written = found
        if due:
            self._renewed_at = now
        times = (row["as_of"].timestamp() for of_sets in rows.values() for row in of_sets.values())
        at = max(times, default=None)
        took_s = time.monotonic() - began
        views = sum(map(len, self._views.values()))
        self.telemetry.pushed(len(wanted), len(wanted) * views, took_s, at)
        return len(wanted)

    def _reread(self) -> None:
        try:
            self._views = registered(self._store)
        except Exception as error:
            log.error("the registry cannot be read, the last one stays: %s", error)

    def _published(self) -> dict[Key, dict[str, Row]]:
        """Publish, and read what is known then: of each series a row of each set."""
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url, autocommit=True, row_factory=dict_row, **TIMEOUTS
            )
            self._connection.add_notice_handler(self._warn)
        self._connection.execute("call feature.publish()")
        (aside,) = self._connection.execute(
            "select count(distinct (tenant_id, symbol)) as series from feature.set_aside"
        ).fetchall()
        self.telemetry.set_aside(aside["series"])
        # of one moment for all sets, also where another push publishes meanwhile
        (clock,) = self._connection.execute("select published_at from feature.clock").fetchall()
        found: dict[Key, dict[str, Row]] = {}
        for of in self._views:
            statement = sql.SQL("select * from {}(%s)").format(sql.Identifier(f"{of}_all"))
            for row in self._connection.execute(statement, [clock["published_at"]]).fetchall():
                found.setdefault(tuple(row[name] for name in KEY), {})[of] = row
        # a series that came or went between two of these reads: the next round has it
        return {key: of_sets for key, of_sets in found.items() if len(of_sets) == len(self._views)}

    def _warn(self, said: psycopg.errors.Diagnostic) -> None:
        now = time.monotonic()
        warned = warning_of(said)
        if warned and now - self._warned.get(warned, float("-inf")) >= WARN_AGAIN_S:
            # those that are no longer said go, so that the rest stays small
            kept = {old: at for old, at in self._warned.items() if now - at < WARN_AGAIN_S}
            self._warned = {**kept, warned: now}
            log.warning("%s", warned)

    def _write(self, wanted: list[dict[str, Row]]) -> None:
        # All views of a series, whichever changed: the API takes one whose views are of several
        # moments for one that is being written.
        # not write_to_online_store(), which leaves out what is NULL throughout: what is stale must
        # overwrite the last value
        prepared = []
        for of, views in self._views.items():
            frame = pd.DataFrame([of_sets[of] for of_sets in wanted])
            for view in views:
                columns = {field.name: PANDAS[field.dtype] for field in view.features}
                # its event time is as_of: a later one always overwrites an earlier one
                part = frame[[*KEY, *columns, "as_of"]].rename(columns={"as_of": "known_at"})
                # a column of NULLs alone has no type of its own
                part = part.astype(columns)
                prepared.append((view, internals.rows_to_write(view, part)))
        # all at once, so that a reader in between is rare; the API reads such a row again
        for view, rows in prepared:
            internals.online_write(self._store, view, rows)

    def _values(self, of_sets: dict[str, Row]) -> tuple[Any, ...]:
        return tuple(
            of_sets[of][field.name]
            for of, views in self._views.items()
            for view in views
            for field in view.features
        )


def ticks(stop: threading.Event) -> Iterator[None]:
    """Yield PHASE_S after every whole second until stop is set; seconds that were missed are."""
    while not stop.wait((PHASE_S - time.time()) % 1.0):
        yield


def main(store: FeatureStore, telemetry: PushTelemetry) -> None:
    """Push until SIGINT or SIGTERM."""
    log.info("pushing every second")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    run(Push(store, database_url(store), telemetry), stop)


def run(push: Push, stop: threading.Event) -> None:
    """Push until stop is set. A failure is logged, and tried again with the next second."""
    failing = False
    rounds = series = 0
    tell_at = time.monotonic()
    health = push.telemetry.health
    for _ in ticks(stop):
        health.beat()
        try:
            with push.telemetry.span("push"):
                written = push.once()
        except Exception as error:
            # whatever is down comes back, or the operator reads this; the values online expire
            log.error("not online: %s", error)
            push.telemetry.failed()
            health.ready(False, "the last round failed and is tried again")
            failing = True
            continue
        health.ready(True)
        if failing:
            log.info("online again")
            failing = False
        log.debug("%d series written", written)
        rounds, series = rounds + 1, series + written
        if time.monotonic() >= tell_at:
            tell_at = time.monotonic() + TELL_S
            log.info("online as of the last publish; %d series written so far", series)
    push.close()
    log.info("ended after %d rounds, %d series written", rounds, series)
