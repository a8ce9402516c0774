"""What the push and the feature API count, as Prometheus sees it."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from telemetry import otel, start
from telemetry.hooks import Hooks
from telemetry.settings import TelemetryConfig
from tests.telemetry.collector import Collector
from tests.telemetry.scrape import scrape

ON = TelemetryConfig(metrics_port=0)
Closed = Callable[[Hooks], None]


@pytest.fixture
def closed() -> Iterator[Closed]:
    """closed(telemetry): close it in the end."""
    made: list[Hooks] = []
    yield made.append
    for telemetry in made:
        telemetry.close()


def test_a_round_is_counted(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(otel, "time", SimpleNamespace(time=lambda: now[0]))
    push = start.push(ON)
    closed(push)
    got = scrape(push)
    assert got["feature_push_series_total",] == got["feature_push_failures_total",] == 0
    assert ("feature_push_lag_seconds",) not in got
    assert ("feature_push_publish_age_seconds",) not in got

    assert ("feature_push_set_aside",) not in got

    push.set_aside(2)
    push.pushed(3, 9, 0.25, 999.5)
    now[0] = 1003.0
    push.pushed(0, 0, 0.1, 999.5)  # nothing was published since
    push.failed()
    got = scrape(push)
    assert got["feature_push_series_total",] == 3
    assert got["feature_push_rows_total",] == 9
    assert got["feature_push_failures_total",] == 1
    assert got["feature_push_round_duration_seconds_count",] == 2
    assert got["feature_push_lag_seconds",] == 0.5
    assert got["feature_push_publish_age_seconds",] == 3.5
    assert got["feature_push_set_aside",] == 2

    push.pushed(3, 9, 0.25, 1003.5)  # the database's clock is ahead
    got = scrape(push)
    assert got["feature_push_lag_seconds",] == got["feature_push_publish_age_seconds",] == 0


def test_a_round_is_a_span(collector: Collector) -> None:
    push = start.push(TelemetryConfig(otlp_endpoint=collector.url))
    with push.span("push"):
        pass
    push.close()
    assert set(collector.spans) == {"push"}


def test_requests_are_counted(closed: Closed) -> None:
    api = start.api(ON)
    closed(api)
    waiting = [5]
    api.watch(lambda: waiting[0])
    api.request("/health", 200, 0.0015)
    api.request("/health", 503, 0.0025)
    api.answered(7)
    api.rejected("rate")
    got = scrape(api)
    assert got["feature_api_requests_total", "/health", "200"] == 1
    assert got["feature_api_requests_total", "/health", "503"] == 1
    assert got["feature_api_request_seconds_bucket", "0.002", "/health"] == 1
    assert got["feature_api_request_seconds_count", "/health"] == 2
    assert got["feature_api_entities_total",] == 7
    assert got["feature_api_rejected_total", "rate"] == 1
    assert got["feature_api_access_log_waiting",] == 5
    waiting[0] = 6
    assert scrape(api)["feature_api_access_log_waiting",] == 6
