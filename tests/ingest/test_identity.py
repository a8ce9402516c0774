"""What is one event and what are two: files and messages through Kafka into the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.consume.run import open_ingester
from ingest.replay import replay
from ingest.wire.producer import TickProducer

Query = Callable[..., list[tuple[Any, ...]]]
Make = Callable[..., dict[str, Any]]
MAP = """
kind = "trade"
format = "csv"
symbol = "SYN_ES"
time_unit = "{unit}"

[columns]
ts = "t"
price = "p"
size = "q"
"""
T = 1_700_000_000_000_000


def consume(config: Config) -> Counts:
    with open_ingester(config) as ingester:
        ingester.run_until_end()
        return ingester.counts


def said(config: Config, batches: Sequence[Sequence[dict[str, Any]]], kind: str) -> list[Counts]:
    """Send the records, and consume them in these batches."""
    counts = []
    for batch in batches:
        with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as to:
            for record in batch:
                to.send(kind, record)
        counts.append(consume(config))
    return counts


def replayed(config: Config, path: Path, text: str, unit: str = "us", seq: str = "") -> Counts:
    """Write a file, replay it as a user does, and consume it."""
    mapping = path.with_suffix(".toml")
    mapping.write_text(MAP.format(unit=unit) + (f'seq = "{seq}"\n' if seq else ""))
    path.write_text(text)
    env = {
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
        "TOPIC_PARTITIONS": str(config.partitions),
    }
    assert replay.main([str(path), "--map", str(mapping)], env) == 0
    return consume(config)


def test_files_without_seq_that_overlap_are_counted_once(
    config: Config, query: Query, tmp_path: Path
) -> None:
    """The second one begins earlier and ends later; two equal trades at one instant stay two."""
    rows = [f"{T + at},{4500 + at},2" for at in (0, 1_000_000, 2_000_000, 2_000_000, 3_000_000)]
    rows[3] = rows[2]
    first = replayed(config, tmp_path / "a.csv", "\n".join(["t,p,q", *rows[1:4]]))
    second = replayed(config, tmp_path / "b.csv", "\n".join(["t,p,q", *rows]))
    third = replayed(config, tmp_path / "c.csv", "\n".join(["t,p,q", *rows[2:]]))
    assert [(c.applied, c.duplicates, c.dead_lettered) for c in (first, second, third)] == [
        (3, 0, 0),
        (2, 3, 0),
        (0, 3, 0),
    ]
    found = query(
        "select count(*), sum(size) from market.trade where source_topic = %s",
        config.topics["trade"],
    )
    assert found == [(5, 10.0)]


def test_trades_of_one_microsecond_whose_seq_restarts_each_nanosecond_are_all_kept(
    config: Config, query: Query, tmp_path: Path
) -> None:
    t = T + 60_000_000
    text = f"t,n,p,q\n{t}100,0,100,1\n{t}900,0,101,1\n{t}900,1,102,1\n"
    for wanted in (3, 0), (0, 3):
        counts = replayed(config, tmp_path / "ns.csv", text, "ns", "n")
        assert (counts.applied, counts.duplicates) == wanted
    found = query(
        "select price from market.trade where source_topic = %s order by ts, seq",
        config.topics["trade"],
    )
    assert found == [(100.0,), (101.0,), (102.0,)]


@pytest.mark.parametrize("kind", ["trade", "quote"])
def test_two_ticks_under_one_key_are_a_dead_letter_with_both(
    config: Config,
    trade: Make,
    quote: Make,
    kind: str,
    dead_letters: Callable[[str], list[Message]],
) -> None:
    if kind == "trade":
        first = trade(900, price=100.0, size=2.0, side="buy")
        second = first | {"price": 101.0, "size": 5.0, "side": "sell"}
        words = (
            "new with price=101.0, size=5.0, side='sell', but price=100.0, size=2.0, side='buy' "
            "is there in trade of 'SYN_ES', tenant 1, ts 2023-11-15T12:15:00+00:00, seq 900: "
        )
    else:
        first = quote(900, bid=100.0, bid_size=2.0, ask=None, ask_size=None)
        second = first | {"bid": 101.0}
        words = (
            "new with bid=101.0, bid_size=2.0, ask=null, ask_size=null, but bid=100.0, "
            "bid_size=2.0, ask=null, ask_size=null is there in quote of 'SYN_ES'"
        )
    for batches in ([first], [second, first]), ([second, second],):
        counts = said(config, batches, kind)
    assert (counts[-1].refused, counts[-1].applied) == ({"conflict": 2}, 0)
    letters = dead_letters(config.topics[kind])
    assert len(letters) == 3
    for letter in letters:
        message = dict(letter.headers() or [])["message"]
        assert isinstance(message, bytes)
        assert message.decode().startswith(words)
        assert b"a change of its ts a cancel and a new tick" in message


@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "many"])
@pytest.mark.parametrize("clock", [True, False], ids=["captured", "own clock"])
def test_corrections_and_cancels_said_again_are_duplicates(
    config: Config, trade: Make, query: Query, *, clock: bool, at_once: bool
) -> None:
    base = trade(950 + 2 * clock + at_once, price=100.0)

    def event(action: str, price: float, later_s: int) -> dict[str, Any]:
        known_at = base["known_at"] + later_s * 1_000_000 if clock else None
        return base | {"action": action, "price": price, "known_at": known_at}

    config = replace(config, partitions=1)
    story = [event("new", 100.0, 0), event("correction", 7.0, 1), event("correction", 8.0, 2)]
    again = [story[1], story[2], story[0], story[1]]
    gone = [event("cancel", 8.0, 3)]
    events = [*story, *again, *gone, *story, *gone]
    cut = [events] if at_once else [[event] for event in events]
    counts = said(config, cut, "trade")
    assert sum(c.applied for c in counts) == 4
    assert sum(c.duplicates for c in counts) == len(events) - 4
    prices = query(
        "select price, cause, known_at < superseded_at from market.trade_superseded"
        " where source_topic = %s order by superseded_at",
        config.topics["trade"],
    )
    assert prices == [
        (100.0, "correction", True),
        (7.0, "correction", True),
        (8.0, "cancel", True),
    ]
    assert query("select from market.trade where source_topic = %s", config.topics["trade"]) == []


def test_a_cancel_that_comes_first_waits_for_its_trade_and_shows_how_long(
    config: Config, trade: Make, query: Query
) -> None:
    tick = trade(960)
    cancel = tick | {"action": "cancel", "known_at": tick["known_at"] + 1}
    waits = said(config, [[cancel], [cancel]], "trade")
    assert [(c.waiting, c.duplicates, c.dead_lettered) for c in waits] == [(1, 0, 0), (0, 1, 0)]
    shown = "select action, waited >= interval '0' from market.waiting_event where seq = 960"
    assert query(shown) == [("cancel", True)]
    (comes,) = said(config, [[tick]], "trade")
    assert (comes.applied, comes.waiting, query(shown)) == (1, 0, [])
    assert query("select from market.trade where source_topic = %s", config.topics["trade"]) == []
