"""Replay and the synthetic day through a real broker: what is in the topics afterwards."""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient

from embedded.jvm import registry
from ingest.errors import IngestError, UndecodableError
from ingest.replay import replay, synthetic
from ingest.wire import codec

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
real_ticks = pytest.mark.skipif(not DATA.exists(), reason="the real ticks are not here")
PARTITIONS = 2
MAP = """
kind = "trade"
format = "csv"
symbol = "SYN_ES"
time_unit = "us"

[columns]
ts = "t"
price = "p"
size = "q"
known_at = "k"
"""
T = 1_700_000_000_000_000

Topics = dict[str, str]
Read = Callable[[str, int], list[dict[str, Any]]]


@pytest.fixture
def topics(broker: str, monkeypatch: pytest.MonkeyPatch) -> Topics:
    """Topics of this test's own, named in the environment as a user would."""
    name = uuid.uuid4().hex[:12]
    named = {"trade": f"trades_{name}", "quote": f"quotes_{name}"}
    monkeypatch.setenv("KAFKA_BOOTSTRAP", broker)
    monkeypatch.setenv("TRADE_TOPIC", named["trade"])
    monkeypatch.setenv("QUOTE_TOPIC", named["quote"])
    monkeypatch.setenv("TOPIC_PARTITIONS", str(PARTITIONS))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost:1/none")
    return named


def messages(broker: str, topic: str, number: int, partitions: int = PARTITIONS) -> list[Message]:
    """The topic's messages, partition by partition; fails unless there are `number` of them."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "reader",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found = consumer.consume(number, 20) + consumer.consume(1, 0.5)
    consumer.close()
    assert len(found) == number
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


@pytest.fixture
def read(broker: str, topics: Topics) -> Read:
    """read(kind, number): all records of that kind; fails unless there are `number` of them."""

    def records(kind: str, number: int) -> list[dict[str, Any]]:
        return [codec.decode(kind, m.value()) for m in messages(broker, topics[kind], number)]

    return records


def written(tmp_path: Path, rows: str, name: str = "t.csv") -> list[str]:
    (tmp_path / "map.toml").write_text(MAP)
    (tmp_path / name).write_text("t,p,q,k\n" + rows)
    return [str(tmp_path / name), "--map", str(tmp_path / "map.toml")]


@real_ticks
def test_every_real_trade_of_the_future_survives(read: Read) -> None:
    assert replay.main([str(DATA / "esh4-20231225.mbo.dbn.zst")]) == 0
    records = read("trade", 2_973)
    assert len({(record["ts"], record["seq"]) for record in records}) == 2_973
    assert {record["symbol"] for record in records} == {"ESH4"}
    assert Counter(record["side"] for record in records) == {"buy": 1542, "sell": 1430, None: 1}
    first = min(records, key=lambda record: (record["ts"], record["seq"]))
    assert first == {
        **{"tenant_id": 1, "symbol": "ESH4", "ts": 1_703_545_200_000_000, "seq": 6_000_000_000},
        **{"price": 4800.25, "size": 44.0, "side": None, "action": "new"},
        **{"known_at": 1_703_545_200_105_900},
    }
    assert all(record["known_at"] > record["ts"] for record in records)


@real_ticks
def test_the_files_of_one_market_are_sent_in_the_order_of_time(read: Read) -> None:
    files = [str(DATA / f"btcusdt-{kind}.parquet") for kind in ("quotes", "trades")]
    assert replay.main([*files, "--tenant", "2"]) == 0
    trades, quotes = read("trade", 2_001), read("quote", 451)
    source = pq.read_table(DATA / "btcusdt-trades.parquet").to_pylist()
    expected = [
        {
            "ts": int(row["timestamp"].timestamp() * 1000 + 0.5) * 1000,
            "seq": row["trade_id"],
            "price": row["price"],
            "size": row["quantity"],
            "side": "sell" if row["buyer_maker"] == "True" else "buy",
        }
        for row in source
    ]
    assert [{name: record[name] for name in expected[0]} for record in trades] == expected
    assert all(record["known_at"] == record["ts"] for record in trades)
    assert len({(record["ts"], record["seq"]) for record in quotes}) == 451
    assert {record["symbol"] for record in trades + quotes} == {"BTCUSDT"}
    assert {record["tenant_id"] for record in trades + quotes} == {2}


@real_ticks
def test_real_quotes_in_csv(read: Read, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main([str(DATA / "usdjpy-quotes.csv"), "--symbol", "USDJPY"]) == 0
    records = read("quote", 1_000)
    assert (records[0]["bid"], records[0]["ask"], records[0]["bid_size"]) == (86.655, 86.728, None)
    moment = datetime(2013, 1, 1, 22, 0, 0, 295_000, tzinfo=UTC)
    assert records[0]["ts"] == int(moment.timestamp() * 1000) * 1000
    assert "replayed 1,000 rows in" in capsys.readouterr().out


def test_rows_that_cannot_be_read_are_dead_lettered_and_the_others_go_on(
    tmp_path: Path, broker: str, topics: Topics, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = f"{T},1.5,2,{T}\n{T},abc,2,{T}\nnan,1,1,{T}\n{T + 1},nan,-1,{T}\n1,2\n{T + 2},3,4,{T}\n"
    assert replay.main(written(tmp_path, rows)) == 0
    assert [record["ts"] for record in read("trade", 2)] == [T, T + 2]
    dead = messages(broker, topics["trade"] + ".dlq", 4, partitions=1)
    assert [json.loads(letter.value() or b"") for letter in dead] == [
        {"t": str(T), "p": "abc", "q": "2", "k": str(T)},
        {"t": "nan", "p": "1", "q": "1", "k": str(T)},
        {"t": str(T + 1), "p": "nan", "q": "-1", "k": str(T)},
        {"t": "1", "p": "2"},
    ]
    headers = [dict(letter.headers() or []) for letter in dead]
    assert {header["reason"] for header in headers} == {b"unmappable"}
    assert headers[0]["message"] == b"t.csv, row 2: price is 'abc', not a number"
    assert {(h["symbol"], h["tenant_id"], h["file"]) for h in headers} == {
        (b"SYN_ES", b"1", b"t.csv")
    }
    told = capsys.readouterr().out
    assert "2 trades of t.csv sent; 4 unmappable rows dead-lettered, first: t.csv, row 2" in told


def test_a_half_written_file_sends_its_good_rows_and_those_of_the_others(
    tmp_path: Path, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    half = written(tmp_path, f"{T},1,1,{T}\n{T + 9},2,1,{T + 9}\n{T + 10},", "half.csv")
    whole = written(tmp_path, f"{T + 20},3,1,{T + 20}\n", "whole.csv")
    with pytest.raises(IngestError) as stopped:
        replay.main([half[0], *whole])
    assert "half.csv is damaged or half-written: row 3, line 4" in str(stopped.value)
    assert [record["price"] for record in read("trade", 3)] == [1.0, 2.0, 3.0]
    assert "replayed 3 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("header", "words"),
    [("t,p,volume,k", "has no column q. It has t, p, volume, k; the mapping map wants")],
)
def test_a_file_without_the_wanted_columns_stops_all_before_anything_is_sent(
    tmp_path: Path, broker: str, topics: Topics, header: str, words: str
) -> None:
    good = written(tmp_path, f"{T},1,1,{T}\n", "good.csv")
    bad = tmp_path / "bad.csv"
    bad.write_text(header + f"\n{T},1,1,{T}\n")
    with pytest.raises(IngestError) as refused:
        replay.main([str(bad), *good])
    assert words in str(refused.value)
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "reader"})
    assert topics["trade"] not in consumer.list_topics(timeout=10).topics
    consumer.close()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.csv", None, "gone.csv does not exist"),
        ("usdjpy-quotes-2.csv", b"", "usdjpy-quotes-2.csv is empty"),
        ("ticks.csv", b"t,p\n", "no mapping fits the name ticks.csv: `python -m ingest inspect"),
    ],
)
def test_files_that_cannot_be_replayed_are_named(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError) as refused:
        replay.main([str(tmp_path / name)])
    assert words in str(refused.value)


class Clock:
    """Stands where replay looks for the time: sleeping is all that makes it pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(("speed", "expected"), [(1.0, [2.0, 8.0]), (10.0, [0.2, 0.8])])
def test_a_paced_replay_keeps_the_distances_of_knowledge_times(
    monkeypatch: pytest.MonkeyPatch, speed: float, expected: list[float]
) -> None:
    clock = Clock()
    monkeypatch.setattr(replay, "time", clock)
    items: list[Any] = [(T + after * 1_000_000, None, {}) for after in (0, 2, 1, 10)]
    assert list(replay.paced(iter(items), speed)) == items
    assert clock.slept == pytest.approx(expected)


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast"])
def test_a_senseless_speed_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        replay.main(["x.csv", "--speed", speed])
    assert "--speed" in capsys.readouterr().err


def test_the_synthetic_day_arrives_whole_and_in_order(
    broker: str, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthetic.main(["--rows", "20000", "--day", "2026-11-20"]) == 0
    told = capsys.readouterr().out
    day = synthetic.events(datetime(2026, 11, 20, tzinfo=UTC).date(), 20_000, 7)
    for kind, columns in (("trade", day.trades), ("quote", day.quotes)):
        known: dict[tuple[int, str], int] = {}
        raw = sum(one == kind for _, one, _ in day.raw)
        undecodable = 0
        for message in messages(broker, topics[kind], len(columns["ts"]) + raw):
            try:
                record = codec.decode(kind, message.value())
            except UndecodableError:
                undecodable += 1
                continue
            stream = (record["tenant_id"], record["symbol"])
            assert record["known_at"] >= known.get(stream, 0)
            known[stream] = record["known_at"]
        assert undecodable == raw
    for name, number in day.counts.items():
        assert f"{number:,} {name}" in told


@pytest.mark.parametrize("command", ["replay", "synthetic"])
def test_the_commands_tell_the_registry_what_they_send(
    command: str,
    apicurio: registry.Service,
    topics: Topics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", apicurio.url)
    if command == "replay":
        assert replay.main(written(tmp_path, f"{T},1,2,{T}\n")) == 0
    else:
        assert synthetic.main(["--rows", "10000"]) == 0
    subjects = SchemaRegistryClient({"url": apicurio.url}).get_subjects()
    assert {f"{topic}-value" for topic in topics.values()} <= set(subjects)
