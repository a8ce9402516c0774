"""Telemetry is off unless asked for; a value that cannot be used is refused."""

import re

import pytest

from engine.errors import ConfigError
from telemetry.settings import TelemetryConfig


def test_it_is_off_unless_asked_for() -> None:
    assert not TelemetryConfig.from_env({}, service_name="ingest").on


def test_the_environment_is_read() -> None:
    config = TelemetryConfig.from_env(
        {
            "METRICS_PORT": "0",
            "METRICS_HOST": "0.0.0.0",  # noqa: S104 - only read
            "HEALTH_STALL_S": "1.5",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/base/",
            "OTEL_SERVICE_NAME": "mine",
        },
        service_name="ingest",
    )
    assert config == TelemetryConfig(0, "0.0.0.0", 1.5, "https://collector:4318/base", "mine")  # noqa: S104


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("METRICS_PORT", "http", "set it to a port"),
        ("METRICS_PORT", "-1", "set it to a port"),
        ("METRICS_PORT", "65536", "set it to a port"),
        ("HEALTH_STALL_S", "soon", "set it to a number of at least 1"),
        ("HEALTH_STALL_S", "0.5", "set it to a number of at least 1"),
        ("HEALTH_STALL_S", "inf", "set it to a number of at least 1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "for example http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://:4318", "for example http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:70000", "for example http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/protobuf is spoken"),
    ],
)
def test_a_bad_value_names_the_variable_and_the_remedy(name: str, value: str, remedy: str) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"} | {name: value}
    with pytest.raises(ConfigError, match=re.escape(f"{name}={value!r}: ") + f".*{remedy}"):
        TelemetryConfig.from_env(env, service_name="ingest")


@pytest.mark.parametrize(("env", "port"), [({}, 9466), ({"METRICS_PORT": "0"}, 0)])
def test_a_process_has_a_name_and_a_port_of_its_own(env: dict[str, str], port: int) -> None:
    config = TelemetryConfig.from_env(env, service_name="feature_api", metrics_port=9466)
    assert (config.service_name, config.metrics_port) == ("feature_api", port)
