"""The broker that tests rely on is what they think: durable, on the loopback, roomy enough."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from embedded.jvm import kafka

MIB = 1024 * 1024


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[list[kafka.Service]]:
    """A list of a broker of the test's own; who restarts it puts the new one into the list."""
    reason = kafka.missing()
    if reason is not None:
        pytest.skip(reason)
    running = [kafka.start(tmp_path / "kafka")]
    yield running
    kafka.stop(running[0])


def test_messages_survive_a_kill(own_kafka: list[kafka.Service]) -> None:
    before = own_kafka[0]
    _create(before.bootstrap, "ticks")
    sent = [f"tick {number}".encode() for number in range(1000)]
    _send(before.bootstrap, "ticks", sent)
    kafka.kill(before)
    assert before.process.returncode == -signal.SIGKILL
    own_kafka[0] = after = kafka.start(before.directory)
    assert after.bootstrap == before.bootstrap
    assert after.pid != before.pid
    assert _read(after.bootstrap, "ticks", len(sent)) == sent


def test_a_message_of_five_mib_passes(apache_kafka: kafka.Service) -> None:
    _create(apache_kafka.bootstrap, "large")
    message = os.urandom(5 * MIB)
    _send(apache_kafka.bootstrap, "large", [message])
    assert _read(apache_kafka.bootstrap, "large", 1) == [message]


def test_it_listens_on_the_loopback_only(apache_kafka: kafka.Service) -> None:
    listening = [*_listeners(apache_kafka.pid)]
    assert int(apache_kafka.bootstrap.split(":")[1]) in {port for _, port in listening}
    assert {address for address, _ in listening} == {"127.0.0.1"}


def _create(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(10)


def _send(bootstrap: str, topic: str, messages: list[bytes]) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 6 * MIB}
    )
    errors: list[KafkaError] = []
    for message in messages:
        producer.produce(topic, message, on_delivery=lambda e, _: errors.append(e) if e else None)
    assert producer.flush(20) == 0
    assert errors == []


def _read(bootstrap: str, topic: str, number: int) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = consumer.consume(number, 20)
    consumer.close()
    return [message.value() or b"" for message in found]


def _listeners(pid: int) -> Iterator[tuple[str, int]]:
    """(address, port) of every TCP socket that the process listens on, from /proc."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # closed since the directory was read
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            values = line.split()
            if values[3] == "0A" and values[9] in inodes:
                address, port = values[1].split(":")
                last = bytes.fromhex(address[-8:])[::-1]  # the IPv4 part of a mapped address
                yield socket.inet_ntoa(last), int(port, 16)
