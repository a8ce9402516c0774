"""The consumer between a real broker and a real database."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Message

from ingest import reference
from ingest.__main__ import main
from ingest.codec import encode
from ingest.config import Config
from ingest.consumer import Ingester
from ingest.counts import Counts
from ingest.errors import DatabaseUnavailableError, FencedError
from ingest.producer import TickProducer

ROOT = Path(__file__).resolve().parents[2]
Query = Callable[..., list[tuple]]
Make = Callable[..., dict]


def produce(config: Config, *ticks: tuple[str, dict | bytes]) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as producer:
        for kind, tick in ticks:
            if isinstance(tick, bytes):
                producer.send_raw(kind, b"raw", tick)
            else:
                producer.send(kind, tick)


def consume(config: Config) -> Counts:
    with Ingester(config) as ingester:
        ingester.run_until_end()
        return ingester.counts


def stored(query: Query, config: Config, table: str = "trade") -> int:
    topic = config.topics["quote" if table.startswith("quote") else "trade"]
    return query(f"select count(*) from market.{table} where source_topic = %s", topic)[0][0]


def header(message: Message, name: str) -> str:
    return dict(message.headers() or [])[name].decode()


def test_every_message_is_applied_a_duplicate_or_dead_lettered(
    config: Config, query: Query, trade: Make, quote: Make, dead_letters: Callable
) -> None:
    ticks = [("trade", trade(seq)) for seq in range(60)]
    ticks += [("quote", quote(seq)) for seq in range(40)]
    ticks += [("trade", trade(7)), ("quote", quote(7)), ("trade", trade(8))]
    ticks += [("trade", trade(100, price=-1.0)), ("quote", quote(100, bid=float("nan")))]
    ticks += [("trade", b"noise"), ("trade", trade(200, action="cancel"))]
    produce(config, *ticks)
    counts = consume(replace(config, batch_size=16))
    assert (counts.messages, counts.applied, counts.duplicates) == (len(ticks), 100, 3)
    assert counts.refused == {
        "negative_price": 1,
        "not_a_number": 1,
        "undecodable": 1,
        "unknown_trade": 1,
    }
    assert (stored(query, config), stored(query, config, "quote")) == (60, 40)
    noted = query(
        'select topic, reason, message, partition, "offset" from market.dead_letter'
        " where topic = any (%s)",
        list(config.topics.values()),
    )
    sent = [letter for topic in config.topics.values() for letter in dead_letters(topic)]
    assert sorted(noted) == sorted(
        (
            header(letter, "topic"),
            header(letter, "reason"),
            header(letter, "message"),
            int(header(letter, "partition")),
            int(header(letter, "offset")),
        )
        for letter in sent
    )


def test_a_dead_letter_keeps_the_bytes(config: Config, trade: Make, dead_letters: Callable) -> None:
    malformed = [b"\0\1\2\xff", encode("trade", trade(300))[:-1], b"x" * 100_000]
    produce(config, *(("trade", payload) for payload in malformed))
    assert consume(config).refused == {"undecodable": 3}
    letters = dead_letters(config.trade_topic)
    assert [letter.value() for letter in letters] == malformed
    assert {letter.key() for letter in letters} == {b"raw"}


def test_a_rejected_line_goes_straight_to_the_dead_letters(
    config: Config, dead_letters: Callable
) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics) as producer:
        producer.reject("quote", b"12:00,oops", "unreadable", "line 3 of a.csv")
    (letter,) = dead_letters(config.quote_topic)
    assert (letter.value(), header(letter, "reason"), header(letter, "message")) == (
        b"12:00,oops",
        "unreadable",
        "line 3 of a.csv",
    )


def test_corrections_and_cancels(config: Config, query: Query, trade: Make, quote: Make) -> None:
    known_at = trade(400)["known_at"]
    later = {"known_at": known_at + 1_000_000}
    produce(
        config,
        ("trade", trade(400, price=10.0)),
        ("trade", trade(400, price=11.0, action="correction", **later)),
        ("trade", trade(401)),
        ("trade", trade(401, action="cancel", price=float("nan"), size=0.0, **later)),
        ("quote", quote(400)),
        ("quote", quote(400, action="cancel", bid=None, ask=None, **later)),
    )
    counts = consume(config)
    assert (counts.applied, counts.messages) == (6, 6)
    assert query("select price from market.trade where source_topic = %s", config.trade_topic) == [
        (11.0,)
    ]
    assert query(
        "select seq, price, cause from market.trade_superseded"
        " where source_topic = %s order by seq",
        config.trade_topic,
    ) == [(400, 10.0, "correction"), (401, 4500.25, "cancel")]
    assert stored(query, config, "quote") == 0


def test_knowledge_is_the_captures_else_the_clock_and_never_before_the_event(
    config: Config, query: Query, trade: Make
) -> None:
    ts = trade(500)["ts"]
    produce(
        config,
        ("trade", trade(500)),
        ("trade", trade(501, known_at=ts - 60_000_000)),
        ("trade", trade(502, known_at=None)),
    )
    consume(config)
    assert query(
        "select seq, case when known_at > now() - interval '1 minute' then 'now'"
        " else (known_at - ts)::text end from market.trade where source_topic = %s order by seq",
        config.trade_topic,
    ) == [(500, "00:00:00.003"), (501, "00:00:00"), (502, "now")]


def test_a_symbol_that_is_added_later_is_known(
    config: Config, trade: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "REREAD_S", 0.0)
    symbol = config.trade_topic
    produce(config, ("trade", trade(0, symbol=symbol)))
    with Ingester(config) as ingester:
        ingester.run_until_end()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "insert into market.instrument select %s, description, venue, asset_class,"
                " currency, calendar_id, tick_size from market.instrument where symbol = 'SYN_ES'",
                (symbol,),
            )
        produce(config, ("trade", trade(1, symbol=symbol)))
        ingester.run_until_end()
        assert (ingester.counts.refused, ingester.counts.applied) == ({"unknown_symbol": 1}, 1)


def test_a_killed_consumer_goes_on_where_the_database_says(
    config: Config, query: Query, trade: Make
) -> None:
    produce(config, *(("trade", trade(seq)) for seq in range(1000, 3000)))
    settings = {
        "DATABASE_URL": config.database_url,
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "KAFKA_GROUP": config.kafka_group,
        "TRADE_TOPIC": config.trade_topic,
        "QUOTE_TOPIC": config.quote_topic,
        "BATCH_SIZE": "50",
    }
    command = [sys.executable, "-m", "ingest", "run", "--until-end"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings)
    while stored(query, config) < 300:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = stored(query, config)
    assert before < 2000, "it finished before it was killed"
    counts = consume(config)
    assert (before + counts.applied, counts.duplicates) == (2000, 0)
    assert stored(query, config) == 2000


def test_run_consumes_what_arrives_until_it_is_asked_to_stop(
    config: Config, query: Query, trade: Make
) -> None:
    produce(config, ("trade", trade(3000)))
    with Ingester(config) as ingester:
        thread = threading.Thread(target=ingester.run)
        thread.start()
        try:
            _wait(lambda: stored(query, config) == 1)
            produce(config, ("trade", trade(3001)))
            _wait(lambda: stored(query, config) == 2)
        finally:
            ingester.stop()
            thread.join()
    assert ingester.counts == Counts(applied=2)
    assert consume(config).messages == 0


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not happen within 30 s"
        time.sleep(0.05)


def test_an_old_epoch_writes_nothing_and_stops(
    config: Config, query: Query, trade: Make, dead_letters: Callable
) -> None:
    produce(config, ("trade", trade(4000)))
    with Ingester(config) as zombie:
        zombie.run_until_end()
        assert consume(config).messages == 0
        produce(config, ("trade", trade(4001)), ("trade", trade(4002, price=-1.0)))
        with pytest.raises(FencedError, match="taken over by another consumer"):
            _steps(zombie, 20)
    assert stored(query, config) == 1
    assert dead_letters(config.trade_topic) == []
    assert (consume(config).applied, stored(query, config)) == (1, 2)


def _steps(ingester: Ingester, number: int) -> None:
    for _ in range(number):
        ingester.step()


def test_a_recreated_topic_is_read_from_its_start(
    config: Config, trade: Make, database: str
) -> None:
    produce(config, *(("trade", trade(seq)) for seq in range(5000, 5010)))
    assert consume(config).applied == 10
    # what a database remembers of a broker that kept its messages in memory
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "update market.kafka_offset set next_offset = 9 where topic = %s", (config.trade_topic,)
        )
    counts = consume(replace(config, kafka_group=f"{config.kafka_group}_new"))
    assert counts == Counts(duplicates=10)


def test_a_lost_connection_is_opened_again(
    config: Config, query: Query, trade: Make, database: str
) -> None:
    produce(config, ("trade", trade(6000)))
    with Ingester(config) as ingester:
        connection = ingester._sink._connection
        assert connection is not None
        with psycopg.connect(database, autocommit=True) as other:
            ended = other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s",
                (connection.info.backend_pid,),
            ).rowcount
        if not ended:
            connection.close()  # an engine with one backend
        ingester.run_until_end()
    assert (ingester.counts, stored(query, config)) == (Counts(applied=1), 1)


def test_a_missing_broker_ends_the_command_with_its_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, database: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert main(["run", "--until-end"]) == 1
    error = capsys.readouterr().err
    assert "no Kafka broker answers at 127.0.0.1:1" in error
    assert "KAFKA_BOOTSTRAP" in error


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://postgres:secret@127.0.0.1:1/ticks", r"127\.0\.0\.1:1/ticks.*DATABASE_URL"),
        ("postgresql://nobody@127.0.0.1:1/ticks", "check that the server runs"),
    ],
)
def test_a_missing_database_is_named_without_its_password(
    config: Config, url: str, text: str
) -> None:
    with pytest.raises(DatabaseUnavailableError, match=text) as caught:
        Ingester(replace(config, database_url=url))
    assert "secret" not in str(caught.value)


def test_missing_tables_are_named(config: Config, empty_database: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="run make migrate"):
        Ingester(replace(config, database_url=empty_database))
