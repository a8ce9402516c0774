"""The report of what was published live: over a weekend, bars that go, windows that reach back."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo import contract, report
from demo.report import page as assembly
from tests.conftest import Databases
from tests.demo.browsing import Page, chromium, same_reasons
from tests.demo.test_contract import described
from tests.pit.oracle import Event, Quote, Trade
from tests.pit.world import World

SYMBOL = "SYN_AAPL"
MONDAY = datetime(2024, 3, 4, tzinfo=UTC)
FRIDAY = MONDAY - timedelta(days=3)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def world(databases: Databases, modelled_database: str) -> Iterator[World]:
    made = World(modelled_database, databases.kind)
    yield made
    made.close()


def traded(world: World, dice: random.Random) -> int:
    """Forty minutes to Friday's close and from Monday's opening, published every few minutes.

    Of these ticks some are late, some are corrected or cancelled, on Monday those of Friday, too.
    """
    tenant_id = world.tenant()
    world.set_clock(FRIDAY, FRIDAY)
    known: list[Event] = []
    for minute in range(80):
        day = FRIDAY + timedelta(hours=20, minutes=20) if minute < 40 else MONDAY
        bucket = day + (timedelta(hours=13, minutes=50) if minute >= 40 else 0 * MINUTE)
        bucket += minute * MINUTE
        for seq in range(dice.choice([0, 1, 1, 2])):
            key = tenant_id, SYMBOL, bucket + dice.randrange(60) * SECOND, 10 * minute + seq
            late = dice.choice([0, 0, 0, 0, 0, 0, 70, 400]) * SECOND
            price = 100 + dice.randrange(200) / 100
            known.append(Event("new", *key, Trade(price, 1.0, "buy"), key[2] + late))
            known.append(Event("new", *key, Quote(99.0, 1.0, 99 + price / 100, 1.0), key[2] + late))
            if dice.random() < 0.3:
                after = dice.choice([5, 90, 600, 250_000]) * SECOND
                action = dice.choice(["correction", "cancel"])
                values = Trade(price + 0.25, 2.0, "sell")
                known.append(Event(action, *key, values, key[2] + late + after))
    known.sort(key=lambda event: event.known_at)
    while known:
        stamp = known[min(len(known), dice.randrange(1, 14)) - 1].known_at + 2 * SECOND
        world.apply([event for event in known if event.known_at < stamp])
        known = [event for event in known if event.known_at >= stamp]
        world.publish(stamp)
    world.publish(MONDAY + timedelta(days=5))
    return tenant_id


def test_the_contract_is_read_as_it_stands_in_the_seeds(world: World) -> None:
    """Which fields are windows is what dbt's models were compiled to."""
    fields = contract.read(world.connection)
    assert fields == described()
    windows = [one["field"] for one in fields if one["is_window"]]
    assert windows == ["sma_20", "volatility_1h", "regime_tag"]


def test_live_versions_are_told_as_psql_tells_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(7)  # noqa: S311
    tenant_id = traded(world, dice)
    path = tmp_path / "report.html"
    report.write(path, world.connection, source="made up", served=[])
    gone = world.connection.execute("select count(*) from feature.log where close is null")
    assert gone.fetchone() != (0,)
    with chromium() as browser:
        page = Page(browser, path)
        for day in (MONDAY, FRIDAY):
            page.open(f"series={tenant_id} {SYMBOL}&day={day:%Y-%m-%d}")
            assert page.text("#title") == f"{SYMBOL} on {day.day} March 2024: what was known"
            for _ in range(25):
                as_of = dice.choice([dice.randrange(86_400), dice.randrange(52_000, 55_000)])
                known_by = min(86_400, as_of + dice.choice([-30, 0, 30, 600, 40_000]))
                moments = (day + as_of * SECOND, day + known_by * SECOND)
                (wanted,) = world.ask([SYMBOL], moments[0], moments[1], tenant_id)
                found = page.slide(as_of=as_of, known_by=known_by).moment()
                assert found[:3] == (wanted["bucket"], wanted["known_at"], wanted["is_stale"])
                assert all(then == wanted[name] for name, (then, *_) in found[3].items()), moments
            restated = int(page.run("return document.querySelectorAll('#lane button').length"))
            assert restated > 10
            for _ in range(min(restated, 30)):
                page.run("document.getElementById('after').click()")
                same_reasons(page, world.connection, SYMBOL, tenant_id)
        assert page.severe() == []

        monkeypatch.setattr(assembly, "LARGEST", 1)
        report.write(path, world.connection, source="made up", served=[])
        assert page.open().text("#day") == f"{MONDAY:%Y-%m-%d}"
        assert "1 more day of a series is in the database" in page.text("#left-out")
