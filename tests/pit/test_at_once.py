"""Everything at once, at real times: feeds, publishers, a backfill, held locks, a clock that jumps.

Whatever the order of call, lock and minute, every closed bar has its version, of all its ticks.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Databases
from tests.pit.conftest import SYMBOL
from tests.pit.world import World

MINUTE = timedelta(minutes=1)
SERIES = 5
HISTORY = datetime(2024, 2, 5, tzinfo=UTC)
# a bar of history has a trade at :10, :25 and :40
LOAD = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select s, %(symbol)s, ts, 1, 100 + s, 2, ts
    from unnest(%(tenants)s::integer[]) as s
    cross join generate_series(
        %(from)s::timestamptz + interval '10 s', %(to)s - interval '1 s', interval '15 seconds'
    ) as ts
    where extract(second from ts) < 55
"""
FED = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select
        %(tenant)s, %(symbol)s, t.now - %(ago)s * interval '1 second', %(seq)s, %(price)s,
        %(size)s, t.now
    from (select clock_timestamp() as now) as t
    returning ts
"""
LAST = """
    select distinct on (tenant_id, bucket) tenant_id, bucket, open, high, low, close, volume
    from feature.log where tenant_id = any(%s) order by tenant_id, bucket, known_at desc
"""
Tick = tuple[datetime, int, float, float]


@dataclass
class Storm:
    """What runs at once, each in a session of its own, until stop."""

    world: World
    tenants: list[int]
    stop: threading.Event = field(default_factory=threading.Event)
    ticks: dict[int, list[Tick]] = field(default_factory=lambda: defaultdict(list))
    threads: list[threading.Thread] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    refused: int = 0

    def run(self, work: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Call work again and again."""

        def repeat() -> None:
            try:
                with psycopg.connect(self.world.url, autocommit=True) as connection:
                    while not self.stop.is_set():
                        work(connection)
            except BaseException as error:
                self.failures.append(error)
                self.stop.set()

        self.threads.append(threading.Thread(target=repeat))
        self.threads[-1].start()

    def end(self) -> None:
        """Stop them all; the first failure is the test's."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]


def feed(storm: Storm, chance: random.Random) -> Callable[[psycopg.Connection[Any]], None]:
    """Trades that happen now; of the first two series also some of the last minutes that come late.

    Of the others nothing comes that would mend a bar which a publish has lost.
    """
    seq = iter(range(1, 1_000_000))

    def work(connection: psycopg.Connection[Any]) -> None:
        for place, tenant in enumerate(storm.tenants):
            number, price, size = next(seq), chance.randint(90, 110), chance.randint(1, 9)
            row = connection.execute(
                FED,
                {
                    "tenant": tenant,
                    "symbol": SYMBOL,
                    "ago": chance.choice((0, 0, 0, 0, 0.5, 45, 200)) if place < 2 else 0,
                    "seq": number,
                    "price": price,
                    "size": size,
                },
            ).fetchone()
            assert row is not None
            storm.ticks[tenant].append((row[0].astimezone(UTC), number, price, size))
        storm.stop.wait(0.2)

    return work


def publisher(storm: Storm, every_s: float) -> Callable[[psycopg.Connection[Any]], None]:
    """As `make push` does; while the last stamp is ahead of the clock it is refused."""

    def work(connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute("call feature.publish()")
        except psycopg.errors.ObjectNotInPrerequisiteState:
            storm.refused += 1
        storm.stop.wait(every_s)

    return work


def backfiller(storm: Storm, until: datetime) -> Callable[[psycopg.Connection[Any]], None]:
    """A backfill of all history: the first one appends it, the others compute it again."""

    def work(connection: psycopg.Connection[Any]) -> None:
        connection.execute("call feature.backfill(%s, %s)", [HISTORY, until])
        storm.stop.wait(3)

    return work


def hold_over_the_turn(storm: Storm, connection: psycopg.Connection[Any], turn: datetime) -> None:
    """Keep the publishes that are called before the minute's turn waiting until after it."""
    sleep_until(connection, turn - timedelta(seconds=1.5))
    with connection.transaction():
        connection.execute("select from feature.clock for update")
        sleep_until(connection, turn + timedelta(seconds=0.5))
    assert not storm.stop.is_set(), storm.failures


def jump(connection: psycopg.Connection[Any], seconds: float) -> None:
    """Set the last stamp so far ahead of the server's clock, or behind what it was."""
    base = "clock_timestamp()" if seconds > 0 else "published_at"
    connection.execute(
        f"update feature.clock set published_at = {base} + %s * interval '1 second'".encode(),
        [seconds],
    )


def now(connection: psycopg.Connection[Any]) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0].astimezone(UTC)


def sleep_until(connection: psycopg.Connection[Any], moment: datetime) -> None:
    while (left := (moment - now(connection)).total_seconds()) > 0:
        time.sleep(left)


def bars(ticks: list[Tick], before: datetime) -> dict[datetime, tuple[float, ...]]:
    """Open, high, low, close and volume of each bar that has closed by then."""
    found = defaultdict(list)
    for tick in sorted(ticks):
        found[tick[0].replace(second=0, microsecond=0)].append(tick)
    return {
        bucket: (
            of[0][2],
            max(price for _, _, price, _ in of),
            min(price for _, _, price, _ in of),
            of[-1][2],
            sum(size for *_, size in of),
        )
        for bucket, of in found.items()
        if bucket + MINUTE <= before
    }


def logged(connection: psycopg.Connection[Any], tenants: list[int]) -> dict[int, dict[Any, Any]]:
    """The last version of each bar."""
    found: dict[int, dict[Any, Any]] = defaultdict(dict)
    for tenant, bucket, *values in connection.execute(LAST, [tenants]):
        found[tenant][bucket.astimezone(UTC)] = tuple(values)
    return found


@pytest.fixture
def world(databases: Databases, modelled_database: str) -> Iterator[World]:
    """A database with the models, live from now on, whose jobs are off."""
    made = World(modelled_database, databases.kind)
    at = now(made.connection)
    made.set_clock(at - MINUTE, at)
    yield made
    made.close()


def test_every_closed_bar_has_its_version_whatever_the_order_of_call_lock_and_minute(
    world: World,
) -> None:
    small = world.kind == "embedded"
    old = [world.tenant() for _ in range(2 if small else 20)]
    until = HISTORY + timedelta(hours=4 if small else 48)
    admin = world.connection
    admin.execute(LOAD, {"tenants": old, "symbol": SYMBOL, "from": HISTORY, "to": until})
    if (left := 60 - now(admin).second) < 12:
        time.sleep(left + 0.1)
    turn = now(admin).replace(second=0, microsecond=0) + MINUTE

    storm = Storm(world, [world.tenant() for _ in range(SERIES)])
    storm.run(feed(storm, random.Random(7)))  # noqa: S311  the same each time
    for every_s in (1.0,) if small else (1.0, 1.0, 0.7):
        storm.run(publisher(storm, every_s))
    storm.run(backfiller(storm, until))
    try:
        jump(admin, 4)
        time.sleep(6)
        jump(admin, -20)
        hold_over_the_turn(storm, admin, turn)
        jump(admin, 3)
        time.sleep(5)
        jump(admin, -60)
        sleep_until(admin, turn + timedelta(seconds=12))
    finally:
        storm.end()
    assert storm.refused > 0

    admin.execute("call feature.publish()")
    stamp = world.published_at()
    got = logged(admin, [*storm.tenants, *old])
    for tenant, ticks in storm.ticks.items():
        assert bars(ticks, stamp)
        assert got[tenant] == bars(ticks, stamp)
    for tenant in old:
        price = 100.0 + tenant
        assert len(got[tenant]) == (until - HISTORY) / MINUTE
        assert set(got[tenant].values()) == {(price, price, price, price, 6.0)}
    queue = admin.execute(
        "select bucket from feature.changed_bar where bucket <= %s", [stamp - MINUTE]
    )
    assert queue.fetchall() == []
