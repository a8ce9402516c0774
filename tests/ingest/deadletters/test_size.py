"""However large a message, its letter arrives, and what stands behind it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, Producer
from hypothesis import given
from hypothesis import strategies as st

from ingest import texts
from ingest.config import Config
from ingest.errors import DeliveryError
from ingest.replay import replay
from ingest.wire import producer
from ingest.wire.producer import BEGINNING, Sender
from tests.ingest.deadletters.letterbox import consume, refuse, sent_back

Make = Callable[..., dict[str, Any]]
Query = Callable[..., list[tuple[Any, ...]]]
Dlq = Callable[..., tuple[int, str, str]]
LIMIT = 1_048_588  # Apache Kafka's message.max.bytes


def size_of(key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]]) -> int:
    """What a broker counts of a message, the overhead of a batch of one aside."""
    texts_of = sum(len(name) + len(str(text).encode()) + 4 for name, text in headers)
    return len(key or b"") + len(value or b"") + texts_of + 70


class Limited:
    """A producer whose broker takes no message above a limit, as Apache Kafka's and not ours."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._real = Producer(settings)
        self._refused: list[tuple[Callable[..., None], Any]] = []

    def produce(self, topic: str, **of: Any) -> None:
        if size_of(of["key"], of["value"], of["headers"]) <= LIMIT:
            self._real.produce(topic, **of)
        else:
            self._refused.append((of["on_delivery"], None))

    def poll(self, seconds: float) -> int:
        return self._real.poll(seconds)

    def flush(self, seconds: float) -> int:
        refused, self._refused = self._refused, []
        for on_delivery, message in refused:
            on_delivery(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), message)
        return self._real.flush(seconds)


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "Producer", Limited)


def headers_of(letter: Message) -> dict[str, bytes]:
    found: Any = letter.headers()
    return dict(found)


def large(trade: Make, size: int) -> dict[str, Any]:
    """A trade whose message has about so many bytes."""
    return trade(0, symbol="X" * size)


@pytest.mark.usefixtures("limited")
def test_a_letter_is_hardly_larger_than_its_message(
    config: Config, query: Query, trade: Make, dead_letters: Callable[[str], list[Message]]
) -> None:
    config = Config(**{**vars(config), "partitions": 1})
    counts = refuse(config, *(("trade", x) for x in (trade(1), large(trade, 500_000), trade(2))))
    assert (counts.applied, counts.refused) == (2, {"unknown_symbol": 1})
    (letter,) = dead_letters(config.topics["trade"])
    headers = headers_of(letter)
    assert len(letter.value() or b"") > 500_000
    assert sum(len(name) + len(text) for name, text in headers.items()) < 4000
    assert b"XXX'... (500,000 characters)" in headers["message"]
    (row,) = query(
        "select symbol, message from market.dead_letter where topic = %s", config.topics["trade"]
    )
    assert row[0] == "X" * 200 + "... (500,000 characters)"
    assert len(row[1]) < 1500


@pytest.mark.usefixtures("limited")
def test_a_message_at_the_brokers_limit_leaves_its_beginning(
    config: Config, dlq: Dlq, trade: Make, dead_letters: Callable[[str], list[Message]]
) -> None:
    config = Config(**{**vars(config), "partitions": 1})
    at_limit = b"\xab" * (LIMIT - 73)
    counts = refuse(config, ("trade", trade(3)), ("trade", at_limit), ("trade", trade(4)))
    assert (counts.applied, counts.refused) == (2, {"undecodable": 1})
    (letter,) = dead_letters(config.topics["trade"])
    headers = headers_of(letter)
    assert letter.value() == at_limit[:BEGINNING]
    assert headers["size"] == b"%d" % len(at_limit)
    assert (headers["partition"], headers["offset"]) == (b"0", b"1")
    out = dlq("show", 0)[1]
    assert f"the beginning of a message of {len(at_limit):,} bytes, which is" in out
    assert "1 hold only the beginning of a message" in dlq("replay", "--yes")[1]
    code, _, error = dlq("replay", "--yes", "--offset", 0)
    assert (code, "while its topic keeps it" in error) == (1, True)
    assert sent_back(config, config.topics["trade"]) == []
    assert consume(config).messages == 0, "its offset counts as consumed"


@pytest.mark.usefixtures("limited")
def test_a_large_key_leaves_its_beginning_too(config: Config, dead_letters: Any) -> None:
    refuse(config)
    sender = Sender(config.kafka_bootstrap)
    sender.produce(config.topics["trade"], b"k" * (LIMIT - 100), b"noise")
    sender.flush()
    assert consume(config).refused == {"undecodable": 1}
    (letter,) = dead_letters(config.topics["trade"])
    assert (letter.key(), letter.value()) == (b"k" * 200, b"noise")


@pytest.mark.usefixtures("limited")
def test_what_is_no_letter_is_never_cut(config: Config) -> None:
    sender = Sender(config.kafka_bootstrap)
    sender.produce(config.topics["trade"], b"k", b"x" * LIMIT)
    with pytest.raises(DeliveryError, match="1 messages did not reach Kafka"):
        sender.flush()


@pytest.mark.usefixtures("limited")
def test_a_row_of_a_file_is_cut_too(
    config: Config, dlq: Dlq, tmp_path: Any, dead_letters: Callable[[str], list[Message]]
) -> None:
    (tmp_path / "map.toml").write_text(
        'kind = "trade"\nformat = "csv"\nsymbol = "SYN_ES"\ntime_unit = "us"\n'
        '[columns]\nts = "t"\nprice = "p"\nsize = "q"\n'
    )
    many = ",".join(f"c{number}" for number in range(10))
    cells = ",".join(["x" * 120_000] * 10)
    (tmp_path / "a.csv").write_text(
        f"t,p,q,{many}\n1700000000000000,dear,1,{cells}\n1700000000000000,1,1,{cells}\n"
    )
    assert dlq("list")[0] == 0
    assert replay.main([str(tmp_path / "a.csv"), "--map", str(tmp_path / "map.toml")]) == 0
    (letter,) = dead_letters(config.topics["trade"])
    assert len(letter.value() or b"") == BEGINNING
    assert consume(config).applied == 1


@given(st.text(max_size=1000))
def test_texts_are_short_and_printable(text: str) -> None:
    for made in (texts.plain(text), texts.quoted(text)):
        assert made.isprintable()
        assert len(made) < 3000
    if text.isprintable() and len(text) <= texts.MOST:
        assert texts.plain(text) == text
