"""Schemas from a real registry: Apicurio, by its Confluent API."""

from __future__ import annotations

import copy
import json
import logging
import os
import signal
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedded.jvm import registry
from engine.errors import ConfigError
from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.consume.run import open_ingester
from ingest.errors import (
    RegistryUnavailableError,
    SchemaRefusedError,
    UndecodableError,
    UnknownSchemaError,
)
from ingest.kinds import KINDS, TRADE, Record
from ingest.wire import columns
from ingest.wire.codec import decode, encode
from ingest.wire.producer import TickProducer
from ingest.wire.registry import COMPATIBILITY, FILES, RegistrySchemas, schemas
from ingest.wire.topics import ensure_topics
from tests.ingest.strategies import RECORDS

VENUE = {"name": "venue", "type": ["null", "string"], "default": None}


class ForeignProducer:
    """A producer of another version of trade.avsc, which registers it as its own."""

    def __init__(self, url: str, topic: str) -> None:
        self.client = SchemaRegistryClient({"url": url})
        self.subject = f"{topic}-value"
        self.schema = json.loads(TRADE.schema_text)

    def change(self, name: str, type_: object) -> ForeignProducer:
        for field in self.schema["fields"]:
            if field["name"] == name:
                field["type"] = type_
        return self

    def without(self, *names: str) -> ForeignProducer:
        self.schema["fields"] = [f for f in self.schema["fields"] if f["name"] not in names]
        return self

    def plus(self, field: dict[str, Any]) -> ForeignProducer:
        self.schema["fields"].append(field)
        return self

    def register(self) -> int:
        return self.client.register_schema(self.subject, Schema(json.dumps(self.schema), "AVRO"))

    def encode(self, record: dict[str, Any]) -> bytes:
        out = BytesIO()
        out.write(b"\0" + self.register().to_bytes(4, "big"))
        # by the types on the wire: what a producer in another language writes
        text = json.dumps(self.schema).replace('"logicalType"', '"unit"')
        fastavro.schemaless_writer(out, json.loads(text), record)
        return out.getvalue()


@pytest.fixture
def topic() -> str:
    """A topic, and so a subject, of this test's own."""
    return f"trades_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def source(apicurio: registry.Service) -> RegistrySchemas:
    """The registry as a process sees it that has just started."""
    return RegistrySchemas(apicurio.url)


@pytest.fixture
def foreign(apicurio: registry.Service, topic: str) -> ForeignProducer:
    """A producer with trade.avsc as it is, to be changed."""
    return ForeignProducer(apicurio.url, topic)


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[list[registry.Service]]:
    """A list of an empty registry of the test's own; the test may stop it and put in another."""
    reason = registry.missing()
    if reason is not None:
        pytest.skip(reason)
    running = [registry.start(tmp_path)]
    yield running
    for service in running:
        registry.stop(service)


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_is_encoded_is_decoded(
    kind: str, data: st.DataObject, source: RegistrySchemas
) -> None:
    schema_id = source.id_for(kind, f"property_{kind}")
    record = data.draw(RECORDS[kind])
    payload = encode(kind, record, schema_id)
    assert payload[:5] == b"\0" + schema_id.to_bytes(4, "big")
    assert decode(kind, payload, source) == record


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_fields_of_a_newer_producer_are_left_out(
    data: st.DataObject, source: RegistrySchemas, foreign: ForeignProducer
) -> None:
    if foreign.schema["fields"][0] != VENUE:
        foreign.schema["fields"].insert(0, VENUE)  # first, so that all that follow would shift
    record = data.draw(RECORDS["trade"])
    payload = foreign.encode(record | {"venue": data.draw(st.none() | st.text("ab"))})
    assert decode("trade", payload, source) == record


def test_fields_of_an_older_producer_are_filled_and_promoted(
    source: RegistrySchemas, foreign: ForeignProducer, trade: Callable[..., Record]
) -> None:
    old = foreign.without("side", "known_at").change("seq", "int").change("price", "float")
    # as a number of single precision it is 4800.10009765625
    payload = old.encode(trade(seq=7, price=4800.1))
    record = decode("trade", payload, source)
    assert record == trade(seq=7, price=4800.1, side=None, known_at=None)
    assert isinstance(record["ts"], int)
    assert columns.read("trade", [payload], source)[0].to_dicts() == [record]


def test_our_schema_follows_an_older_one(
    source: RegistrySchemas,
    foreign: ForeignProducer,
    topic: str,
    trade: Callable[..., Record],
) -> None:
    foreign.client.set_compatibility(foreign.subject, COMPATIBILITY)
    old = foreign.without("side").change("seq", "int").encode(trade(1))
    new = encode("trade", trade(2), source.id_for("trade", topic))
    assert old[:5] != new[:5]
    assert [decode("trade", each, source)["seq"] for each in (old, new)] == [1, 2]


def test_our_schema_goes_on_beside_a_newer_one(
    apicurio: registry.Service, source: RegistrySchemas, foreign: ForeignProducer, topic: str
) -> None:
    ours = source.id_for("trade", topic)
    newer = foreign.change("tenant_id", "long").plus(VENUE).register()
    assert newer != ours
    # ours can no longer follow the newest, and need not: it is there
    assert RegistrySchemas(apicurio.url).id_for("trade", topic) == ours


def test_a_new_subject_gets_the_compatibility_rule(
    source: RegistrySchemas, foreign: ForeignProducer, topic: str
) -> None:
    source.id_for("trade", topic)
    assert foreign.client.get_compatibility(foreign.subject) == COMPATIBILITY


def test_a_rule_that_is_there_stays(
    source: RegistrySchemas, foreign: ForeignProducer, topic: str
) -> None:
    foreign.client.set_compatibility(foreign.subject, "FULL_TRANSITIVE")
    source.id_for("trade", topic)
    assert foreign.client.get_compatibility(foreign.subject) == "FULL_TRANSITIVE"


@pytest.mark.parametrize("rule", [None, COMPATIBILITY, "FULL"])
def test_an_incompatible_schema_is_refused_at_the_producer(
    rule: str | None,
    broker: str,
    source: RegistrySchemas,
    foreign: ForeignProducer,
    topic: str,
) -> None:
    if rule is not None:
        foreign.client.set_compatibility(foreign.subject, rule)
    foreign.change("price", "string").register()
    refusal = rf"refuses ingest/schemas/trade\.avsc for {topic}-value: .*STRING.*new topic"
    with pytest.raises(SchemaRefusedError, match=refusal):
        TickProducer(broker, {"trade": topic}, 1, source)
    assert topic not in AdminClient({"bootstrap.servers": broker}).list_topics().topics


def test_what_the_producer_sends_is_framed_with_the_registrys_id(
    broker: str,
    own_registry: list[registry.Service],
    topic: str,
    trade: Callable[..., Record],
) -> None:
    url = own_registry[0].url
    for name in ("venue", "flags"):  # others take ids 1 and 2, the files'
        ForeignProducer(url, f"{name}_{topic}").plus(VENUE | {"name": name}).register()
    with TickProducer(broker, {"trade": topic}, 1, RegistrySchemas(url)) as producer:
        producer.send("trade", trade(5))
    payload = _first(broker, topic)
    assert payload[:5] == b"\0\0\0\0\3"
    assert decode("trade", payload, RegistrySchemas(url)) == trade(5)


def test_a_schema_of_another_kind_is_undecodable(source: RegistrySchemas, topic: str) -> None:
    record = {"tenant_id": 1, "symbol": "ES", "ts": 1, "seq": 2}
    payload = encode("quote", record, source.id_for("quote", topic))
    with pytest.raises(UndecodableError, match=r"is of Quote, not of a trade"):
        decode("trade", payload, source)


def test_a_schema_that_lacks_what_ours_needs_is_undecodable(
    source: RegistrySchemas, foreign: ForeignProducer, trade: Callable[..., Record]
) -> None:
    payload = foreign.without("price").encode(trade())
    with pytest.raises(UndecodableError, match="No default value for field price"):
        decode("trade", payload, source)


def test_a_schema_with_another_type_is_undecodable(
    source: RegistrySchemas, foreign: ForeignProducer, trade: Callable[..., Record]
) -> None:
    payload = foreign.change("price", "string").encode(trade(price="dear"))
    with pytest.raises(UndecodableError, match="string is not double"):
        decode("trade", payload, source)


@pytest.mark.parametrize("field", ["ts", "known_at"])
def test_times_in_another_unit_are_undecodable(
    field: str,
    source: RegistrySchemas,
    foreign: ForeignProducer,
    trade: Callable[..., Record],
) -> None:
    millis = {"type": "long", "logicalType": "timestamp-millis"}
    type_ = millis if field == "ts" else ["null", millis]
    payload = foreign.change(field, type_).encode(trade())
    with pytest.raises(UndecodableError, match=f"has {field} in timestamp-millis"):
        decode("trade", payload, source)


def test_cut_messages_are_undecodable(
    source: RegistrySchemas, topic: str, trade: Callable[..., Record]
) -> None:
    payload = encode("trade", trade(), source.id_for("trade", topic))
    for length in range(len(payload)):
        with pytest.raises(UndecodableError):
            decode("trade", payload[:length], source)


@pytest.mark.parametrize("head", [b"\1\0\0\0\1", b'{"sym', b"\0\x80\0\0\0", b"\0\0\0"])
def test_foreign_frames_are_undecodable(head: bytes, source: RegistrySchemas) -> None:
    with pytest.raises(UndecodableError, match=f"starts with {head[:5].hex()}, not with zero"):
        decode("trade", head, source)


def test_an_unknown_id_says_nothing_about_the_message(
    source: RegistrySchemas, trade: Callable[..., Record]
) -> None:
    with pytest.raises(UnknownSchemaError, match="no schema has the id 2000000000") as caught:
        decode("trade", encode("trade", trade(), 2_000_000_000), source)
    assert caught.value.schema_id == 2_000_000_000


def test_an_id_that_comes_later_is_found(
    own_registry: list[registry.Service], trade: Callable[..., Record]
) -> None:
    source = RegistrySchemas(own_registry[0].url)
    payload = encode("trade", trade(), 1)
    with pytest.raises(UnknownSchemaError):
        decode("trade", payload, source)
    assert RegistrySchemas(own_registry[0].url).id_for("trade", "late") == 1
    assert decode("trade", payload, source) == trade()


def test_a_registry_that_went_away_is_used_when_it_is_back(
    own_registry: list[registry.Service], trade: Callable[..., Record]
) -> None:
    service = own_registry.pop()
    known = RegistrySchemas(service.url)
    schema_id = known.id_for("trade", "ticks")
    payload = encode("trade", trade(), schema_id)
    assert decode("trade", payload, known) == trade()
    registry.stop(service)
    assert decode("trade", payload, known) == trade()
    fresh = RegistrySchemas(service.url)
    with pytest.raises(RegistryUnavailableError, match=f"answers at {service.url}"):
        decode("trade", payload, fresh)
    with pytest.raises(RegistryUnavailableError, match=f"answers at {service.url}"):
        fresh.id_for("trade", "ticks")
    own_registry.append(registry.start(service.directory, service.port))
    assert fresh.id_for("trade", "ticks") == schema_id
    assert decode("trade", payload, fresh) == trade()


def test_another_web_server_is_no_registry(apicurio: registry.Service) -> None:
    wrong = RegistrySchemas(apicurio.url.replace("ccompat", "nothing"))
    with pytest.raises(RegistryUnavailableError, match="HTTP 404"):
        wrong.writer(1)


def test_a_schema_is_asked_for_once(
    source: RegistrySchemas, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    schema_id = source.id_for("trade", topic)
    fresh = RegistrySchemas(source.address)
    first = copy.deepcopy(fresh.writer(schema_id))
    with caplog.at_level(logging.DEBUG):
        assert fresh.writer(schema_id) == first
    assert not caplog.records
    with caplog.at_level(logging.DEBUG):
        RegistrySchemas(source.address).writer(schema_id)
    assert caplog.records  # a question would have been seen


def test_credentials_are_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str | None] = []

    class Guard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Guard)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://user%40x:s%3Acret@127.0.0.1:{server.server_port}/api"
    try:
        with (
            caplog.at_level(logging.DEBUG),
            pytest.raises(RegistryUnavailableError, match="HTTP 401") as caught,
        ):
            RegistrySchemas(url).writer(1)
    finally:
        server.shutdown()
        server.server_close()
    assert seen == ["Basic " + b64encode(b"user@x:s:cret").decode()]
    assert f"127.0.0.1:{server.server_port}/api" in caplog.text
    for text in (str(caught.value), caplog.text):
        assert "cret" not in text
        assert "user" not in text.replace("its user and password", "")


@pytest.mark.parametrize("url", ["sr:8081", "ftp://u:secret@sr", "http://u:sec[ret@sr", "http://"])
def test_a_bad_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="SCHEMA_REGISTRY_URL") as caught:
        schemas(url)
    assert "sec" not in str(caught.value)


def test_without_a_url_the_schemas_are_the_files() -> None:
    assert schemas(None) is FILES
    assert [FILES.id_for(kind, "any") for kind in KINDS] == [1, 2, 3]
    assert [FILES.writer(number)["name"] for number in (1, 2, 3)] == ["Trade", "Quote", "Bar"]
    with pytest.raises(UnknownSchemaError):
        FILES.writer(4)


def _first(bootstrap: str, topic: str) -> bytes:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    return message.value() or b""


# the consumer: what is not there yet holds up its own partition


def test_an_unknown_schema_holds_up_its_partition_alone(
    config: Config,
    apicurio: registry.Service,
    foreign: ForeignProducer,
    query: Callable[..., list[tuple[Any, ...]]],
    trade: Callable[..., Record],
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = replace(config, schema_registry_url=apicurio.url)
    unknown = foreign.register() + 10_000
    ensure_topics(config.kafka_bootstrap, config.topics.values(), 2)
    source = schemas(apicurio.url)
    ours = source.id_for("trade", config.topics["trade"])
    waits = encode("trade", trade(1), unknown)
    messages = {
        0: [encode("trade", trade(0), ours), waits, encode("trade", trade(2), ours)],
        1: [encode("trade", trade(seq), ours) for seq in range(10, 20)],
    }
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap})
    for partition, payloads in messages.items():
        for payload in payloads:
            producer.produce(config.topics["trade"], payload, partition=partition)
    assert producer.flush(10) == 0

    def stored() -> int:
        count = "select count(*) from market.trade where source_topic = %s"
        return int(query(count, config.topics["trade"])[0][0])

    def wait(number: int) -> None:
        until = time.monotonic() + 120
        while stored() < number:
            assert time.monotonic() < until, f"{stored()} of {number}"
            time.sleep(0.1)

    with open_ingester(config) as ingester:
        thread = threading.Thread(target=ingester.run)
        thread.start()
        try:
            wait(11)
            time.sleep(1)
            assert stored() == 11, "what comes after it in its partition waits too"
            assert f"stands at offset 1: no schema has the id {unknown}" in caplog.text
        finally:
            ingester.stop()
            thread.join()
    assert ingester.counts == Counts(applied=11)


def test_a_registry_that_is_away_is_waited_for(
    config: Config,
    own_registry: list[registry.Service],
    trade: Callable[..., Record],
    caplog: pytest.LogCaptureFixture,
) -> None:
    [service] = own_registry
    config = replace(config, schema_registry_url=service.url)
    with TickProducer(config.kafka_bootstrap, config.topics, 1, schemas(service.url)) as producer:
        for seq in range(9000, 9005):
            producer.send("trade", trade(seq))
    os.kill(service.pid, signal.SIGSTOP)
    with open_ingester(config) as ingester:
        thread = threading.Thread(target=ingester.run)
        thread.start()
        try:
            until = time.monotonic() + 120
            while "no Schema Registry answers" not in caplog.text:
                assert time.monotonic() < until
                time.sleep(0.1)
            os.kill(service.pid, signal.SIGCONT)
            while ingester.counts.messages < 5:
                assert time.monotonic() < until
                time.sleep(0.1)
        finally:
            os.kill(service.pid, signal.SIGCONT)
            ingester.stop()
            thread.join()
    assert ingester.counts == Counts(applied=5)
