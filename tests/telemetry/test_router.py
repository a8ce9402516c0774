"""What the model router counts, as Prometheus sees it."""

from __future__ import annotations

from telemetry import start
from telemetry.settings import TelemetryConfig
from tests.telemetry.scrape import get, scrape


def test_the_router_counts_by_version() -> None:
    telemetry = start.router(TelemetryConfig(metrics_port=0, service_name="model_router"))
    try:
        telemetry.watch(lambda: 7, lambda: 2)
        telemetry.request("infer", 200, 0.002)
        telemetry.rejected("triton")
        telemetry.predicted("direction_5m", 1, "champion", 3)
        telemetry.predicted("direction_5m", 2, "canary", 1)
        telemetry.unscored(2)
        telemetry.failed("direction_5m", 2, "canary")
        telemetry.mirrored("direction_5m", 3, 4)
        telemetry.dropped("direction_5m", 5)
        telemetry.withdrawn("direction_5m", 2)
        telemetry.lost(6)
        status, text = get(telemetry, "/metrics")
        assert status == 200
        for line in (
            'model_router_predictions_total{model="direction_5m",route="champion",version="1"} 3.0',
            'model_router_predictions_total{model="direction_5m",route="canary",version="2"} 1.0',
            'model_router_failures_total{model="direction_5m",role="canary",version="2"} 1.0',
            'model_router_mirrored_total{model="direction_5m",version="3"} 4.0',
            'model_router_mirror_dropped_total{model="direction_5m"} 5.0',
            'model_router_withdrawn_total{model="direction_5m",version="2"} 1.0',
            'model_router_requests_total{route="infer",status="200"} 1.0',
            'model_router_rejected_total{reason="triton"} 1.0',
            "model_router_unscored_total 2.0",
            "model_router_prediction_log_lost_total 6.0",
            "model_router_prediction_log_waiting 7.0",
            "model_router_mirror_waiting 2.0",
        ):
            assert line in text, text
        assert scrape(telemetry)
    finally:
        telemetry.close()
    off = start.router(TelemetryConfig())
    assert not off.on
