"""feature_pit_hash(), feature.leakage() and feature.explain_restatement()."""

import hashlib
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.pit.conftest import DAY, SYMBOL, Scene
from tests.pit.oracle import Event, Trade
from tests.pit.world import Row

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
FIELDS = (
    *("open", "high", "low", "close", "volume", "vwap", "sma_20", "volatility_1h", "regime_tag"),
    *("spread_bps", "order_imbalance"),
)


def digest(rows: list[Row]) -> str:
    """The digest worked out here, from the rows alone."""
    parts = []
    for row in rows:
        symbol = row["symbol"].encode()
        microseconds = (row["as_of"] - EPOCH) // timedelta(microseconds=1)
        parts.append(struct.pack(">i", len(symbol)) + symbol + struct.pack(">q", microseconds))
        for field in FIELDS:
            value = row[field]
            if field == "regime_tag":
                text = b"" if value is None else value.encode()
                parts.append(struct.pack(">i", -1 if value is None else len(text)) + text)
            else:
                parts.append(b"\0" if value is None else b"\1" + struct.pack(">d", value + 0.0))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def pit_hash(scene: Scene, moments: list[datetime], known: datetime | None = None) -> str:
    row = scene.world.connection.execute(
        "select feature_pit_hash(%s, %s::timestamptz[], %s::timestamptz[], %s)",
        [
            [SYMBOL] * len(moments),
            moments,
            known and [known] * len(moments),
            scene.tenant,
        ],
    ).fetchone()
    assert row is not None
    found = row[0]
    assert isinstance(found, str)
    return found


def test_the_digest_is_of_the_values_and_nothing_else(scene: Scene) -> None:
    """Computed here it is the same, on whatever engine the test runs."""
    scene.bars(60)
    scene.trade(scene.at(3, 40), 101, side="sell")
    scene.quote(scene.at(4, 5), 100, 101)
    scene.world.publish(scene.at(60))
    moments = [scene.at(minute) for minute in (4, 5, 45, 60, 0)]
    rows = scene.world.ask_each([SYMBOL] * 5, moments, [scene.at(60)] * 5, scene.tenant)
    assert {row["regime_tag"] for row in rows} > {None}
    assert pit_hash(scene, moments, scene.at(60)) == digest(rows)


def test_the_digest_tells_order_and_knowledge_apart(scene: Scene) -> None:
    first = scene.bars(5)[0]
    scene.world.publish(scene.at(5))
    moments = [scene.at(1), scene.at(4)]
    was = pit_hash(scene, moments, scene.at(5))
    assert pit_hash(scene, moments[::-1], scene.at(5)) != was
    scene.amend(first, "correction", scene.at(5), price=50)
    scene.world.publish(scene.at(6))
    assert pit_hash(scene, moments, scene.at(6)) != was
    assert pit_hash(scene, moments, scene.at(5)) == was


def test_a_rebuilt_log_has_the_digest_of_the_live_one(scene: Scene) -> None:
    """At the stamps of the publishes."""
    bars = scene.bars(90)
    scene.world.publish(scene.at(90))
    scene.amend(bars[30], "correction", scene.at(90), price=90)
    scene.amend(bars[40], "cancel", scene.at(90))
    scene.trade(scene.at(20, 50), 70, scene.at(90))
    scene.world.publish(scene.at(91))
    rebuilt = Scene(scene.world)
    for table in ("trade", "trade_superseded"):
        scene.world.copy_rows(table, scene.tenant, rebuilt.tenant)
    scene.world.set_clock(scene.at(91), scene.at(91))
    scene.world.backfill(scene.at(0), scene.at(91))
    moments = [scene.at(minute) for minute in range(1, 91)]
    assert len(rebuilt.log()) > 100
    assert pit_hash(rebuilt, moments, scene.at(91)) == pit_hash(scene, moments, scene.at(91))
    # the copy's bars are in the queue, and have not changed
    before = rebuilt.log()
    scene.world.publish(scene.at(92))
    assert rebuilt.log() == before


def test_the_forms_of_the_digest_agree(scene: Scene) -> None:
    scene.bars(2)
    scene.world.publish(scene.at(2))
    found = scene.world.connection.execute(
        f"""
        select
            feature_pit_hash(array['{SYMBOL}'], '2024-03-04 10:02+00', null, {scene.tenant}),
            feature_pit_hash(
                array['{SYMBOL}'], timestamptz '2024-03-04 10:02+00', null, {scene.tenant}
            ),
            feature_pit_hash(
                array['{SYMBOL}'], array['2024-03-04 10:02+00']::timestamptz[], null,
                {scene.tenant}
            )
        """.encode()
    ).fetchone()
    assert found is not None
    assert found[0] == found[1] == found[2] == pit_hash(scene, [scene.at(2)])


def test_leakage_counts_what_was_not_known(scene: Scene) -> None:
    first, second = scene.bars(2)
    scene.world.publish(scene.at(2))
    scene.amend(second, "correction", scene.at(3), price=second.values.price + 2)  # type: ignore[union-attr]
    scene.world.publish(scene.at(4))
    moments = [scene.at(1, 59), scene.at(2), scene.at(3), scene.at(4)]
    found = {
        field: numbers
        for field, *numbers in scene.world.connection.execute(
            "select * from feature.leakage(%s, %s, %s)",
            [[SYMBOL] * 4, moments, scene.tenant],
        )
    }
    assert list(found) == ["any", *FIELDS]
    # at 1:59 nothing had been published: the join by event time has the bar all the same
    assert found["any"] == [4, 3, 0.75, None, None]
    assert found["close"] == [4, 3, 0.75, 2.0, 2.0]
    assert found["spread_bps"] == [4, 0, 0.0, None, None]
    assert first.values.price == 100  # type: ignore[union-attr]


def explain(scene: Scene, minute: int, prefix: str = "") -> list[dict[str, Any]]:
    return explained(scene, scene.at(minute), prefix)


def explained(scene: Scene, bucket: datetime, prefix: str) -> list[dict[str, Any]]:
    cursor = scene.world.connection.execute(
        f"select to_jsonb(e) from feature.{prefix}explain_restatement(%s, %s, %s) as e".encode(),
        [SYMBOL, bucket, scene.tenant],
    )
    return [row for (row,) in cursor.fetchall()]


@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_restatement_names_its_events(scene: Scene, rebuilt: bool) -> None:
    bars = scene.bars(25)
    if not rebuilt:
        scene.world.publish(scene.at(25))
    scene.trade(scene.at(20, 50), 70, scene.at(26), side="sell")
    if not rebuilt:
        scene.world.publish(scene.at(26))
    scene.amend(bars[20], "correction", scene.at(27), price=60)
    scene.amend(bars[10], "cancel", scene.at(28))
    if rebuilt:
        scene.world.set_clock(scene.at(30), scene.at(30))
        scene.world.backfill(scene.at(0), scene.at(30))
    else:
        scene.world.publish(scene.at(27))
        scene.world.publish(scene.at(28))
    first, late, correction, cancel = explain(scene, 20)
    assert (first["cause"], first["changes"], first["events"]) == ("close", None, None)
    assert late["cause"] == "late"
    assert late["changes"]["close"] == {"was": 105, "is": 70}
    (event,) = late["events"]
    assert (event["kind"], event["action"], event["was"]) == ("trade", "new", None)
    assert event["tick"] == {"price": 70, "size": 1, "side": "sell"}
    assert correction["cause"] == "correction"
    assert "close" not in correction["changes"]
    (event,) = correction["events"]
    assert (event["was"]["price"], event["tick"]["price"]) == (105, 60)
    # the bar of 10 is one of the 19 before it
    assert cancel["cause"] == "cancel"
    assert set(cancel["changes"]) == {"sma_20"}
    (event,) = cancel["events"]
    assert (event["action"], event["tick"], event["was"]["price"]) == ("cancel", None, 102.5)


@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_restatement_names_no_event_twice_nor_one_that_was_not(
    scene: Scene, rebuilt: bool
) -> None:
    """Corrections that come twice, late and in the wrong order, and a cancel that comes first."""
    early = Event(
        "new", scene.tenant, SYMBOL, scene.at(0, 40), 900, Trade(90, 1.0, None), scene.at(0, 40)
    )
    (bar,) = scene.bars(1)
    made = [bar, replace(early, action="cancel", known_at=scene.at(5))]
    for price, known in ((101.0, 3), (102.0, 4), (101.0, 3), (102.0, 4), (101.5, 2), (101.5, 2)):
        values = Trade(price, 1.0, None)
        made.append(replace(bar, action="correction", values=values, known_at=scene.at(known)))
    scene.world.apply(made[1:2])
    scene.world.apply([bar])
    if not rebuilt:
        scene.world.publish(scene.at(1))
    for event in (*made[2:], early):
        scene.world.apply([event])
    if rebuilt:
        scene.world.set_clock(scene.at(9), scene.at(9))
        scene.world.backfill(scene.at(0), scene.at(9))
    else:
        scene.world.publish(scene.at(6))
    told = [
        [
            (
                event["action"],
                event["seq"],
                *(v and v["price"] for v in (event["was"], event["tick"])),
            )
            for event in version["events"] or []
        ]
        for version in explain(scene, 0)
    ]
    cancel = "cancel", 900, 90, None
    corrections = [
        ("correction", bar.seq, 100, 101.5),
        ("correction", bar.seq, 101.5, 101),
        ("correction", bar.seq, 101, 102),
    ]
    if rebuilt:
        assert told == [[], *([one] for one in corrections), [cancel]]
    else:
        assert told == [[], [*corrections, cancel]]


def test_a_bar_without_versions_has_nothing_to_explain(scene: Scene) -> None:
    assert explain(scene, 5) == []
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not the start of a bar"):
        scene.world.connection.execute(
            "select * from feature.explain_restatement(%s, %s)", [SYMBOL, scene.at(0, 1)]
        )


@pytest.mark.parametrize("rebuilt", [False, True])
def test_of_a_set_that_reads_another_the_ticks_of_what_it_reads_are_named(
    scene: Scene, rebuilt: bool
) -> None:
    bars = scene.bars(60)
    if not rebuilt:
        # no stamp of another test
        scene.world.publish(scene.at(60, 7))
    # beyond the windows of market_1m
    scene.amend(bars[12], "cancel", scene.at(61))
    if not rebuilt:
        scene.world.publish(scene.at(61, 7))
    scene.quote(scene.at(59, 10), 99, 101, scene.at(62))
    # with the same publish
    scene.amend(bars[5], "cancel", scene.at(63 if rebuilt else 62))
    if rebuilt:
        scene.world.set_clock(scene.at(70), scene.at(70))
        scene.world.backfill(scene.at(0), scene.at(70))
    else:
        scene.world.publish(scene.at(62, 7))
    first, cancel, late, *more = explain(scene, 59, "momentum_1m_")
    assert (first["cause"], first["changes"], first["events"], more) == ("close", None, None, [])
    assert (cancel["cause"], set(cancel["changes"])) == ("cancel", {"sma_50"})
    (event,) = cancel["events"]
    assert (event["kind"], event["action"], event["was"]["price"]) == ("trade", "cancel", 103)
    assert (late["cause"], set(late["changes"])) == ("late", {"microprice"})
    assert late["changes"]["microprice"] == {"was": None, "is": 100}
    # bar 5 is none that it reads
    (event,) = late["events"]
    assert (event["kind"], event["action"], event["tick"]["bid"]) == ("quote", "new", 99)


@pytest.mark.parametrize("rebuilt", [False, True])
def test_of_a_session_the_ticks_of_its_minutes_are_named(scene: Scene, rebuilt: bool) -> None:
    day, second = timedelta(days=1), timedelta(seconds=1)
    end = DAY + 2 * day
    bars = scene.bars(2)
    scene.trade(scene.at(0) + day, 110)
    if not rebuilt:
        scene.world.publish(DAY + day + second)
        scene.world.publish(end + second)
    scene.amend(bars[1], "correction", end + timedelta(minutes=3), price=105)
    if rebuilt:
        scene.world.set_clock(end + day, end + day)
        scene.world.backfill(DAY, end)
    else:
        scene.world.publish(end + timedelta(minutes=3, seconds=1))
    for bucket, changed in ((DAY, {"high", "close"}), (DAY + day, {"previous_close", "gap"})):
        first, correction = explained(scene, bucket, "daily_")
        assert (first["cause"], first["events"]) == ("close", None)
        assert (correction["cause"], set(correction["changes"])) == ("correction", changed)
        (event,) = correction["events"]
        assert event["bucket"] == scene.at(1).isoformat()
        assert (event["was"]["price"], event["tick"]["price"]) == (100.25, 105)


def test_each_set_says_where_its_bars_begin(scene: Scene) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not the start of a bar"):
        explained(scene, scene.at(0, 1), "momentum_1m_")
    assert explained(scene, scene.at(0, 1), "daily_") == []
