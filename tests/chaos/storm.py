"""One storm: topics, a consumer group and ingesters of its own, and what must hold after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from select import select
from typing import Any

import psycopg
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from ingest.wire.topics import dead_letter_topic, ensure_topics
from tests.chaos.mix import DAY_US, KINDS, Event, Mix
from tests.refreshing import when_free

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 3
PATIENCE_S = 300.0
POLL_S = 0.05
FIRST_DAY_US = 1_700_006_400_000_000  # 2023-11-15 00:00 UTC
TOTAL = {"trade": "price * size", "quote": "bid * bid_size"}

# aggregate: (expressions over the ticks that give its columns, in order)
AGGREGATES = {
    "ohlc_1m": (
        "trade",
        "open, high, low, close, volume, notional, trades",
        "(array_agg(price order by ts, seq))[1], max(price), min(price),"
        " (array_agg(price order by ts desc, seq desc))[1], sum(size), sum(price * size), count(*)",
    ),
    "flow_1m": (
        "trade",
        "buy_size, sell_size, buy_trades, sell_trades",
        "sum(size) filter (where side = 'buy'), sum(size) filter (where side = 'sell'),"
        " count(*) filter (where side = 'buy'), count(*) filter (where side = 'sell')",
    ),
    # spreads are not exact: the order of summation shows in the last digits
    "quote_1m": (
        "quote",
        "spread_bps_sum::numeric(30, 6), spread_bps_count, last_bid, last_ask, quotes",
        "(sum(20000 * (ask - bid) / (ask + bid))"
        " filter (where bid > 0 and ask between bid and 2 * bid))::numeric(30, 6),"
        " count(*) filter (where bid > 0 and ask between bid and 2 * bid),"
        " (array_agg(bid order by ts desc, seq desc) filter (where bid is not null))[1],"
        " (array_agg(ask order by ts desc, seq desc) filter (where ask is not null))[1], count(*)",
    ),
}


class Member:
    """An ingester process, `python -m ingest run ...`; its output goes to a file."""

    def __init__(self, env: dict[str, str], log: Path, *arguments: str) -> None:
        """Start it. env: on top of this process's own."""
        self._log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ingest", "run", *arguments],
                cwd=ROOT,
                env=os.environ | env,
                stdout=out,
                stderr=out,
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals) -> int:
        """Send a signal that ends it, and return the exit code."""
        self.send(number)
        return self.exit_code()

    def exit_code(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until it has ended. Raises AssertionError with what it said."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout_s} s:\n{self.said()}") from None

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def said(self) -> str:
        """Its stdout and stderr so far."""
        return self._log.read_text()


class Storm:
    """Feeds a mix to topics of its own and runs ingesters on them; close() ends what still runs."""

    def __init__(
        self, url: str, bootstrap: str, directory: Path, number: int, batch_size: int = 100
    ) -> None:
        """number: of the storm in this database; each has a day of event time to itself."""
        name = f"chaos_{number}_{uuid.uuid4().hex[:8]}"
        self.url, self.bootstrap = url, bootstrap
        self.topics = {kind: f"{kind}s_{name}" for kind in KINDS}
        self.day_us = FIRST_DAY_US + number * DAY_US
        self.mix = Mix(self.day_us + DAY_US // 4, seed=number)
        self.random = self.mix.random
        self.produced: Counter[tuple[str, int]] = Counter()
        self.poison: dict[tuple[str, int, int], str] = {}
        self.members: list[Member] = []
        self._directory = directory
        self._failed: list[str] = []
        self._session: psycopg.Connection | None = None
        self.env = {
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP": bootstrap,
            "KAFKA_GROUP": name,
            "TRADE_TOPIC": self.topics["trade"],
            "QUOTE_TOPIC": self.topics["quote"],
            "TOPIC_PARTITIONS": str(PARTITIONS),
            "BATCH_SIZE": str(batch_size),
            "LINGER_S": "0.1",
            # where it is 1, the trace of each undecodable message costs more than its batch
            "RUST_BACKTRACE": "0",
        }
        ensure_topics(bootstrap, self.topics.values(), PARTITIONS)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.messages": 200_000,
            }
        )

    def member(self, *arguments: str) -> Member:
        """Start an ingester on this storm's topics, in its group."""
        log = self._directory / f"{self.env['KAFKA_GROUP']}_{len(self.members)}.log"
        started = Member(self.env, log, *arguments)
        self.members.append(started)
        return started

    def close(self) -> None:
        """End the ingesters that still run, and its own session."""
        for member in self.members:
            if member.runs:
                member.end(signal.SIGKILL)
        if self._session is not None:
            self._session.close()

    def feed(self, number: int) -> None:
        """Send the next messages of the mix; return when Kafka has them."""
        self.send(*self.mix.events(number))

    def resend(self, events: list[Event]) -> None:
        """Send messages again, in any order, that were consumed before."""
        self.mix.duplicates += sum(event.refused is None for event in events)
        self.send(*events)

    def send(self, *events: Event) -> None:
        """Send messages, and count by the delivery reports what is where."""
        for event in events:
            while True:
                try:
                    self._producer.produce(
                        self.topics[event.kind],
                        key=event.key,
                        value=event.payload,
                        on_delivery=partial(self._delivered, event),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
        left = self._producer.flush(60)
        assert not left, f"{left} messages were not delivered"
        failed, self._failed = self._failed, []
        assert not failed, failed[0]

    def _delivered(self, event: Event, error: KafkaError | None, at: Message) -> None:
        if error is not None:
            self._failed.append(error.str())
            return
        topic, partition, offset = str(at.topic()), at.partition(), at.offset()
        assert partition is not None
        assert offset is not None
        self.produced[topic, partition] += 1
        if event.refused is not None:
            self.poison[topic, partition, offset] = event.refused

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; the session is kept, as waiting asks often."""
        if self._session is not None:
            try:
                return self._session.execute(statement, values).fetchall()
            except psycopg.OperationalError:
                if not self._session.closed:
                    raise
        self._session = psycopg.connect(self.url, autocommit=True)
        return self._session.execute(statement, values).fetchall()

    def is_idle(self) -> bool:
        """Whether no ingester is inside a transaction.

        An engine of one backend is not asked for long: it answers once the transaction is over,
        and a group forgets a member that is frozen for ten seconds.
        """
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            asked = connection.pgconn
            asked.send_query(
                b"select count(*) from pg_stat_activity where application_name = 'ingest'"
                b" and datname = current_database() and xact_start is not null"
            )
            if not select([asked.socket], [], [], 0.3)[0]:
                return False
            result = asked.get_result()
            return result is not None and result.get_value(0, 0) == b"0"

    def consumed(self) -> int:
        """Messages whose offsets the database has behind it."""
        return int(self._offsets("sum(next_offset)"))

    def is_behind(self) -> bool:
        """Whether messages wait to be consumed; a database that does not answer takes none."""
        try:
            return self.consumed() < self.produced.total()
        except psycopg.OperationalError:
            return True

    def epochs(self) -> int:
        """Partitions taken over so far, all together."""
        return int(self._offsets("sum(epoch)"))

    def _offsets(self, expression: str) -> int:
        statement = f"select coalesce({expression}, 0) from market.kafka_offset"
        ((found,),) = self.query(f"{statement} where topic = any (%s)", [*self.topics.values()])
        return int(found)

    def wait(self, holds: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until something holds. Raises AssertionError with the ingesters' words."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > deadline:
                said = "\n".join(member.said() for member in self.members)
                raise AssertionError(
                    f"not within {timeout_s:.0f} s: {what}; {self.consumed()} of "
                    f"{self.produced.total()} messages are consumed; the ingesters said:\n{said}"
                )
            time.sleep(POLL_S)

    def wait_consumed(self, number: int | None = None) -> None:
        """Wait until that many messages, or all, are consumed: as long as some are."""
        wanted = self.produced.total() if number is None else number
        while (before := self.consumed()) < wanted:
            self.wait(partial(self._consumed_more, before), f"{wanted} messages consumed")

    def _consumed_more(self, than: int) -> bool:
        return self.consumed() > than

    def verify(self) -> str:
        """Compare the database and the dead letters with what was sent; return the counts.

        Raises AssertionError with the first difference.
        """
        said = []
        for kind in KINDS:
            self._verify_rows(kind)
            held = self.mix.held[kind]
            rows, replaced = len(held.current()), held.superseded().total()
            said.append(f"{rows} {kind}s, {replaced} replaced, {held.waiting()} waiting")
        self._verify_offsets()
        self._verify_dead_letters()
        bars = sum(self._verify_aggregate(name) for name in AGGREGATES)
        return (
            f"{self.produced.total()} messages: {', '.join(said)}, {self.mix.duplicates} "
            f"duplicates, {len(self.poison)} dead letters; {bars} bars equal"
        )

    def _verify_rows(self, kind: str) -> None:
        held = self.mix.held[kind]
        current = held.current()
        found = self.query(
            "select count(*), count(distinct (tenant_id, symbol, ts, seq)), coalesce(sum(seq), 0),"
            f" coalesce(sum({TOTAL[kind]}), 0) from market.{kind} where source_topic = %s",
            self.topics[kind],
        )
        total = sum(price * size for _, price, size in current)
        wanted = len(current), len(current), sum(seq for seq, _, _ in current), total
        assert found == [wanted], f"{kind}s: rows, distinct keys, sum of seq, sum of values"
        replaced = self.query(
            f"select cause, count(*) from market.{kind}_superseded where superseded_topic = %s"
            " group by cause",
            self.topics[kind],
        )
        assert dict(replaced) == dict(held.superseded()), f"replaced {kind}s"
        waiting = self.query(
            "select count(*) from market.waiting_event where source_topic = %s",
            self.topics[kind],
        )
        assert waiting == [(held.waiting(),)], f"waiting events of {kind}s"

    def _verify_offsets(self) -> None:
        found = self.query(
            "select topic, partition, next_offset from market.kafka_offset"
            " where topic = any (%s) and next_offset > 0",
            list(self.topics.values()),
        )
        assert {row[:2]: row[2] for row in found} == dict(self.produced), "offsets"

    def _verify_dead_letters(self) -> None:
        found = self.query(
            'select topic, partition, "offset", reason from market.dead_letter'
            " where topic = any (%s)",
            list(self.topics.values()),
        )
        assert {row[:3]: row[3] for row in found} == self.poison, "market.dead_letter"
        letters = [letter for topic in self.topics.values() for letter in self.letters(topic)]
        sources = {}
        for letter in letters:
            headers = letter.headers()
            assert isinstance(headers, list)
            head = {name: value.decode() for name, value in headers if isinstance(value, bytes)}
            sources[head["topic"], int(head["partition"]), int(head["offset"])] = head["reason"]
        assert sources == self.poison, "dead-letter topics"

    def letters(self, topic: str) -> list[Message]:
        """All messages of <topic>.dlq; a crash may have put a letter there twice."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
            }
        )
        consumer.assign([TopicPartition(dead_letter_topic(topic), 0, 0)])
        found: list[Message] = []
        while (message := consumer.poll(5)) is not None and message.error() is None:
            found.append(message)
        consumer.close()
        return found

    def _verify_aggregate(self, name: str) -> int:
        kind, columns, expressions = AGGREGATES[name]
        day = "to_timestamp(%(from)s), to_timestamp(%(to)s)"
        values = {"from": self.day_us // 1_000_000, "to": (self.day_us + DAY_US) // 1_000_000}
        within = "between to_timestamp(%(from)s) and to_timestamp(%(to)s - 0.000001)"
        bars = f"select tenant_id, symbol, bucket, {columns} from market.{name}"
        ticks = (
            f"select tenant_id, symbol, time_bucket('1 minute', ts), {expressions}"
            f" from market.{kind} where ts {within} group by 1, 2, 3"
        )
        bars += f" where bucket {within}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            call = f"call refresh_continuous_aggregate('market.{name}', {day})"
            when_free(connection, call, values)
            different = connection.execute(
                f"with a as ({bars}), b as ({ticks})"
                " (table a except all table b) union all (table b except all table a) limit 3",
                values,
            ).fetchall()
            assert different == [], f"market.{name} is not its GROUP BY"
            row = connection.execute(f"select count(*) from ({bars}) as b", values).fetchone()
        assert row is not None
        return int(row[0])
