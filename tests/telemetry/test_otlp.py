"""What reaches a collector."""

import re
import time

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from telemetry.metrics import INGEST, INGEST_PUBLISHING, LATENCY_BOUNDS_S
from tests.telemetry.collector import Collector
from tests.telemetry.conftest import GROUP, Start
from tests.telemetry.hooked import call_every_hook
from tests.telemetry.scrape import scrape

LATENCY = "ingest_event_to_commit_duration_seconds"


def test_spans_reach_the_collector(start: Start, collector: Collector) -> None:
    telemetry = start(otlp_endpoint=collector.url)
    since_ns = time.time_ns() - 5_000_000_000
    attributes: dict[str, str | float] = {"topic": "trades", "partition": 3, "messages": 10}
    with telemetry.span("batch", since_ns=since_ns, **attributes):  # noqa: SIM117 - nested
        with pytest.raises(ZeroDivisionError), telemetry.span("write", rows=9):
            1 / 0  # noqa: B018
    telemetry.close()
    spans = collector.spans
    assert set(spans) == {"batch", "write"}
    parent, write = spans["batch"], spans["write"]
    values = {x.key: x.value.string_value or x.value.int_value for x in parent.attributes}
    assert values == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "batch",
        "messaging.consumer.group.name": GROUP,
        "messaging.destination.name": "trades",
        "messaging.destination.partition.id": "3",
        "messaging.batch.message_count": 10,
    }
    assert parent.kind == Span.SPAN_KIND_CONSUMER
    assert parent.start_time_unix_nano == since_ns
    assert parent.status.code != Status.STATUS_CODE_ERROR
    assert write.parent_span_id == parent.span_id
    assert write.status.code == Status.STATUS_CODE_ERROR
    assert {x.key for x in write.attributes} == {"db.system.name", "ingest.rows"}


def test_metrics_reach_the_collector(start: Start, collector: Collector) -> None:
    telemetry = start(otlp_endpoint=collector.url, metrics_port=0)
    call_every_hook(telemetry)
    scraped = scrape(telemetry)
    telemetry.close()
    metrics = collector.metrics
    (point,) = metrics["ingest.event_to_commit.duration"].histogram.data_points
    assert list(point.explicit_bounds) == list(LATENCY_BOUNDS_S)
    assert (point.count, point.sum) == (2, pytest.approx(3.02))
    rows = metrics["ingest.rows"].sum
    assert rows.is_monotonic
    values = {x.attributes[0].value.string_value: x.as_int for x in rows.data_points}
    assert values == {"trade": 2, "quote": 0}
    assert scraped[f"{LATENCY}_count",] == 2


def test_every_metric_has_name_unit_and_description(start: Start, collector: Collector) -> None:
    telemetry = start(otlp_endpoint=collector.url)
    call_every_hook(telemetry)
    telemetry.close()
    # those two have no value before a database has answered
    told = set(INGEST) - set(INGEST_PUBLISHING)
    assert set(collector.metrics) == {metric.name for metric in told}
    for name, metric in collector.metrics.items():
        assert re.fullmatch(r"(messaging|ingest)(\.[a-z_]+)+", name)
        assert metric.unit in {"s", "By"} or re.fullmatch(r"\{[a-z]+\}", metric.unit)
        assert metric.description.endswith(".")


def test_two_ingesters_push_under_ids_of_their_own(start: Start, collector: Collector) -> None:
    ids = []
    for _ in range(2):
        telemetry = start(otlp_endpoint=collector.url, service_name="mine")
        telemetry.close()
        (resource,) = collector.metrics_request.resource_metrics
        values = {x.key: x.value.string_value for x in resource.resource.attributes}
        assert values["service.name"] == "mine"
        ids.append(values["service.instance.id"])
    assert ids[0] != ids[1]
