"""docs/telemetry.md is true: its variables, their defaults, its metrics."""

import re
from dataclasses import fields
from pathlib import Path

from telemetry import settings
from telemetry.metrics import ALL
from telemetry.settings import TelemetryConfig

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "telemetry.md").read_text()
VARIABLES = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", TEXT, re.MULTILINE))


def test_every_variable_is_documented() -> None:
    source = Path(settings.__file__).read_text()
    assert set(re.findall(r'"([A-Z]+_[A-Z_]+)"', source)) == set(VARIABLES)
    assert len(VARIABLES) - 1 == len(fields(TelemetryConfig))  # the protocol can be one only


def test_the_documented_defaults_are_the_defaults() -> None:
    values = {str(value) for value in vars(TelemetryConfig()).values()} | {settings.PROTOCOL}
    defaults = re.findall(r"\(([^)]+)\)", " ".join(VARIABLES.values()))
    assert len(defaults) == 3
    for default in defaults:
        assert default in values or f"{default}.0" in values


def test_every_metric_is_documented_with_the_process_that_has_it() -> None:
    documented = re.findall(
        r"`((?:messaging|ingest|feature_push|feature_api|model_router)\.[a-z_.]+)`", TEXT
    )
    assert sorted(documented) == sorted(metric.name for metric in ALL)


def test_every_metric_has_name_unit_and_meaning() -> None:
    for metric in ALL:
        processes = "messaging|ingest|feature_push|feature_api|model_router"
        assert re.fullmatch(rf"({processes})(\.[a-z_]+)+", metric.name)
        assert metric.unit in {"s", "By"} or re.fullmatch(r"\{[a-z]+\}", metric.unit)
        assert metric.what.endswith(".")
        assert list(metric.bounds) == sorted(set(metric.bounds))
        assert bool(metric.bounds) == (metric.kind == "histogram")
    assert len({metric.name for metric in ALL}) == len(ALL)
