"""The consumer between a real broker and a real database."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from embedded import broker
from ingest import reference
from ingest.__main__ import main
from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.consume.ingester import Ingester
from ingest.consume.run import open_ingester
from ingest.database import Database
from ingest.deadletters.publish import DeadLetter, DeadLetters
from ingest.errors import (
    DatabaseUnavailableError,
    DeliveryError,
    FencedError,
    PoisonedStreamError,
)
from ingest.wire import producer
from ingest.wire.codec import encode
from ingest.wire.producer import TickProducer
from telemetry import start as starting
from telemetry.settings import TelemetryConfig
from tests.conftest import Databases

ROOT = Path(__file__).resolve().parents[3]
Query = Callable[..., list[tuple[Any, ...]]]
Make = Callable[..., dict[str, Any]]


def produce(config: Config, *ticks: tuple[str, dict[str, Any] | bytes]) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as ticks_to:
        for kind, tick in ticks:
            if isinstance(tick, bytes):
                ticks_to.send_raw(kind, b"raw", tick)
            else:
                ticks_to.send(kind, tick)


def consume(config: Config) -> Counts:
    with open_ingester(config) as ingester:
        ingester.run_until_end()
        return ingester.counts


def stored(query: Query, config: Config, table: str = "trade") -> int:
    topic = config.topics["quote" if table.startswith("quote") else "trade"]
    found = query(f"select count(*) from market.{table} where source_topic = %s", topic)
    return int(found[0][0])


def started(config: Config, *options: str) -> subprocess.Popen[bytes]:
    settings = {
        "DATABASE_URL": config.database_url,
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "KAFKA_GROUP": config.kafka_group,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
        "BATCH_SIZE": str(config.batch_size),
    }
    command = [sys.executable, "-m", "ingest", "run", *options]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | settings)


def header(message: Message, name: str) -> str:
    value = dict(message.headers() or [])[name]
    assert isinstance(value, bytes)
    return value.decode()


def test_every_message_is_applied_a_duplicate_waits_or_is_dead_lettered(
    config: Config, query: Query, trade: Make, quote: Make, dead_letters: Callable[..., Any]
) -> None:
    ticks: list[tuple[str, dict[str, Any] | bytes]]
    ticks = [("trade", trade(seq)) for seq in range(60)]
    ticks += [("quote", quote(seq)) for seq in range(40)]
    ticks += [("trade", trade(7)), ("quote", quote(7)), ("trade", trade(8))]
    ticks += [("trade", trade(100, price=-1.0)), ("quote", quote(100, bid=float("nan")))]
    ticks += [("trade", b"noise"), ("trade", trade(200, action="cancel"))]
    ticks += [("trade", trade(9, price=1.0)), ("quote", quote(9, bid=1.0))]
    produce(config, *ticks)
    counts = consume(replace(config, batch_size=16))
    assert (counts.messages, counts.applied, counts.duplicates) == (len(ticks), 100, 3)
    assert (counts.waiting, str(counts).split("\n")[0].endswith(", 1 waiting for their tick")) == (
        1,
        True,
    )
    assert counts.refused == {
        "negative_price": 1,
        "not_a_number": 1,
        "undecodable": 1,
        "conflict": 2,
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


def test_a_dead_letter_keeps_the_bytes(
    config: Config, trade: Make, dead_letters: Callable[..., Any]
) -> None:
    malformed = [b"\0\1\2\xff", encode("trade", trade(300))[:-1], b"x" * 100_000]
    produce(config, *(("trade", payload) for payload in malformed))
    assert consume(config).refused == {"undecodable": 3}
    letters = dead_letters(config.topics["trade"])
    assert [letter.value() for letter in letters] == malformed
    assert {letter.key() for letter in letters} == {b"raw"}
    written_with = [dict(letter.headers() or []).get("schema_id") for letter in letters]
    assert written_with == [None, b"1", None]


def test_a_rejected_line_goes_straight_to_the_dead_letters(
    config: Config, dead_letters: Callable[..., Any]
) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics) as producer:
        producer.reject("quote", b"12:00,oops", "unreadable", "line 3 of a.csv")
    (letter,) = dead_letters(config.topics["quote"])
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
    assert query(
        "select price from market.trade where source_topic = %s", config.topics["trade"]
    ) == [(11.0,)]
    assert query(
        "select seq, price, cause from market.trade_superseded"
        " where source_topic = %s order by seq",
        config.topics["trade"],
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
        config.topics["trade"],
    ) == [(500, "00:00:00.003"), (501, "00:00:00"), (502, "now")]


def test_a_symbol_that_is_added_later_is_known(
    config: Config, trade: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "REREAD_S", 0.0)
    symbol = config.topics["trade"]
    produce(config, ("trade", trade(0, symbol=symbol)))
    with open_ingester(config) as ingester:
        ingester.run_until_end()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "insert into market.instrument select %s, description, venue, asset_class,"
                " currency, calendar_id, tick_size, allows_negative_price from market.instrument"
                " where symbol = 'SYN_ES'",
                (symbol,),
            )
        produce(config, ("trade", trade(1, symbol=symbol)))
        ingester.run_until_end()
        assert (ingester.counts.refused, ingester.counts.applied) == ({"unknown_symbol": 1}, 1)


def test_a_killed_consumer_goes_on_where_the_database_says(
    config: Config, query: Query, trade: Make
) -> None:
    produce(config, *(("trade", trade(seq)) for seq in range(1000, 3000)))
    process = started(replace(config, batch_size=50), "--until-end")
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
    with open_ingester(config) as ingester:
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
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "it did not happen within 120 s"
        time.sleep(0.05)


def test_an_old_epoch_writes_nothing_and_stops(
    config: Config, query: Query, trade: Make, dead_letters: Callable[..., Any]
) -> None:
    produce(config, ("trade", trade(4000)))
    with open_ingester(config) as zombie:
        zombie.run_until_end()
        assert consume(config).messages == 0
        produce(config, ("trade", trade(4001)), ("trade", trade(4002, price=-1.0)))
        with pytest.raises(FencedError, match="taken over by another consumer"):
            _steps(zombie, 20)
    assert stored(query, config) == 1
    assert dead_letters(config.topics["trade"]) == []
    assert (consume(config).applied, stored(query, config)) == (1, 2)


def _steps(ingester: Ingester, number: int) -> None:
    for _ in range(number):
        ingester.step()


def test_a_recreated_topic_is_read_from_its_start(config: Config, trade: Make) -> None:
    ticks = [("trade", trade(seq)) for seq in range(5000, 5010)]
    produce(config, *ticks)
    assert consume(config).applied == 10
    admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap})
    admin.delete_topics([config.topics["trade"]])[config.topics["trade"]].result(10)
    produce(config, *ticks[:5], ("trade", trade(5010)))
    assert consume(config) == Counts(applied=1, duplicates=5)


def test_another_group_goes_on_where_the_database_is(config: Config, trade: Make) -> None:
    produce(config, *(("trade", trade(seq)) for seq in range(5100, 5110)))
    assert consume(config).applied == 10
    produce(config, ("trade", trade(5110)))
    assert consume(replace(config, kafka_group=f"{config.kafka_group}_new")) == Counts(applied=1)


def test_a_slow_database_pauses_reading_and_nothing_is_lost(
    config: Config,
    query: Query,
    trade: Make,
    database: str,
    databases: Databases,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    caplog.set_level(logging.INFO, "ingest.consumer")
    produce(config, *(("trade", trade(seq)) for seq in range(5200, 5300)))
    with (
        psycopg.connect(database) as other,
        open_ingester(replace(config, batch_size=10)) as ingester,
    ):
        other.execute("lock table market.trade")
        thread = threading.Thread(target=ingester.run)
        thread.start()
        try:
            _wait(lambda: "reading pauses" in caplog.text)
            assert ingester.counts.messages == 0
            other.rollback()
            _wait(lambda: ingester.counts.messages == 100)
        finally:
            ingester.stop()
            thread.join()
    assert (ingester.counts, stored(query, config)) == (Counts(applied=100), 100)


def test_a_stop_during_a_locked_table_rolls_back_within_ten_seconds(
    config: Config, query: Query, trade: Make, database: str, databases: Databases
) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    produce(config, *(("trade", trade(seq)) for seq in range(5400, 5410)))
    with psycopg.connect(database) as other:
        other.execute("lock table market.trade")
        process = started(config)
        _wait(
            lambda: bool(
                query(
                    "select from pg_locks join pg_stat_activity using (pid)"
                    " where not granted and relation = 'market.trade'::regclass"
                    " and application_name = 'ingest' and datname = current_database()"
                )
            )
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert stored(query, config) == 0
    assert consume(config).applied == 10


def test_a_stream_of_poison_stops_before_it_drains(
    config: Config, query: Query, trade: Make, dead_letters: Callable[..., Any]
) -> None:
    config = replace(config, poison_ratio=0.5, poison_run=40, batch_size=20, partitions=1)
    good = [("trade", trade(seq)) for seq in range(5500, 5530)]
    noise = [("trade", b"noise %d" % number) for number in range(80)]
    produce(config, *good, *noise[:20])
    assert consume(config).dead_lettered == 20, "two of five are not nearly all"
    produce(config, *noise)
    with pytest.raises(PoisonedStreamError, match=r"/0 cannot be read: starts with .*key b'raw'"):
        consume(config)
    drained = len(dead_letters(config.topics["trade"]))
    assert drained < 20 + 40, "at most one run goes to the dead letters"
    assert consume(replace(config, poison_ratio=2.0)).dead_lettered == 100 - drained
    assert stored(query, config) == 30


def test_a_lost_connection_is_opened_again(
    config: Config, query: Query, trade: Make, database: str
) -> None:
    produce(config, ("trade", trade(6000)))
    writing = Database(config.database_url, config.retry_s)
    with open_ingester(config, database=writing) as ingester:
        connection = writing.connection
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
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: str
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
    with (
        pytest.raises(DatabaseUnavailableError, match=text) as caught,
        open_ingester(replace(config, database_url=url)),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_missing_tables_are_named(config: Config, empty_database: str) -> None:
    changed = replace(config, database_url=empty_database)
    with pytest.raises(DatabaseUnavailableError, match="run make migrate"), open_ingester(changed):
        pass


def test_what_was_consumed_is_on_the_metrics_endpoint(config: Config, trade: Make) -> None:
    produce(config, *(("trade", trade(seq)) for seq in range(7000, 7020)))
    produce(config, ("trade", trade(7000)), ("trade", trade(7100, price=-1.0)))
    telemetry = starting.ingest(TelemetryConfig(metrics_port=0))
    address = f"http://127.0.0.1:{telemetry.port}"
    with closing(telemetry), open_ingester(config, telemetry) as ingester:
        with pytest.raises(HTTPError, match="503"):
            fetched(f"{address}/readyz")
        thread = threading.Thread(target=ingester.run)
        thread.start()
        try:
            _wait(lambda: ingester.counts.messages == 22)
            for path in ("readyz", "healthz"):
                fetched(f"{address}/{path}")
            found: dict[str, float] = {}
            for family in text_string_to_metric_families(fetched(f"{address}/metrics")):
                for sample in family.samples:
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        finally:
            ingester.stop()
            thread.join()
    assert 20.0 in [value for name, value in found.items() if "rows" in name], found
    assert 1.0 in [value for name, value in found.items() if "dead_letter" in name], found
    assert [value for name, value in found.items() if "lag" in name] == [0.0], found


def fetched(url: str) -> str:
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())


def test_a_broker_that_is_away_with_dead_letters_pending_is_waited_for(
    tmp_path: Path, config: Config, trade: Make, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = broker.start(tmp_path / "kafka")
    config = replace(config, kafka_bootstrap=running.bootstrap, retry_s=60)
    publish = DeadLetters.publish

    def hang_and_publish(letters: DeadLetters, refused: Sequence[DeadLetter]) -> None:
        """The broker stops answering at the worst moment, and comes back three seconds later."""
        monkeypatch.setattr(DeadLetters, "publish", publish)
        os.kill(running.pid, signal.SIGSTOP)
        threading.Timer(3, os.kill, [running.pid, signal.SIGCONT]).start()
        publish(letters, refused)

    monkeypatch.setattr(DeadLetters, "publish", hang_and_publish)
    monkeypatch.setattr(producer, "FLUSH_S", 1.0)
    try:
        produce(config, ("trade", trade(9100)), ("trade", trade(9101, price=-1.0)))
        counts = consume(config)
    finally:
        os.kill(running.pid, signal.SIGKILL)
    assert (counts.applied, counts.refused) == (1, {"negative_price": 1})
    assert stored(query, config) == 1


def test_dead_letters_that_nobody_takes_do_not_hold_up_the_end() -> None:
    stopping = threading.Event()
    letters = DeadLetters("127.0.0.1:1", stopping)
    threading.Timer(0.5, stopping.set).start()
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="1 messages did not reach Kafka"):
        letters.publish([DeadLetter("trades", 0, 0, None, b"x", "undecodable", "no Avro")])
    assert time.monotonic() - began < producer.FLUSH_S / 2
