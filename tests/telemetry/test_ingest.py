"""What ingest's hooks count, as Prometheus sees it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import Metric, generate_latest

from telemetry.endpoint import Registry
from tests.telemetry.conftest import GROUP, Start
from tests.telemetry.scrape import scrape

LATENCY = "ingest_event_to_commit_duration_seconds"


def test_a_batch_is_counted(start: Start) -> None:
    telemetry = start(metrics_port=0)
    for _ in range(2):
        telemetry.batch({"trade": 2, "quote": 3}, 1, {"undecodable": 4}, 500, 0.25, [0.02, 3.0], 6)
    got = scrape(telemetry)
    assert got["ingest_rows_total", "trade"] == 4
    assert got["ingest_rows_total", "quote"] == 6
    assert got["ingest_duplicates_total",] == 2
    assert got["ingest_waiting_total",] == 12
    assert got["ingest_dead_letters_total", "undecodable"] == 8
    assert got["ingest_consumed_bytes_total",] == 1000
    assert got["ingest_batches_total",] == 2
    kafka = (GROUP, "batch", "kafka")
    assert got["messaging_client_consumed_messages_total", *kafka] == 32
    assert got["messaging_process_duration_seconds_sum", *kafka] == 0.5
    assert got[f"{LATENCY}_bucket", "0.01"] == 0
    assert got[f"{LATENCY}_bucket", "0.02"] == 2
    assert got[f"{LATENCY}_bucket", "5.0"] == 4
    assert got[f"{LATENCY}_bucket", "+Inf"] == got[f"{LATENCY}_count",] == 4
    assert got[f"{LATENCY}_sum",] == pytest.approx(6.04)


def test_counters_are_there_before_their_first_event(start: Start) -> None:
    got = scrape(start(metrics_port=0))
    for at in (
        ("ingest_rows_total", "quote"),
        ("ingest_dead_letters_total", "conflict"),
        ("ingest_retries_total", "registry"),
        (f"{LATENCY}_count",),
    ):
        assert got[at] == 0


def test_retries_are_counted_by_what_failed(start: Start) -> None:
    telemetry = start(metrics_port=0)
    for what in ("database", "kafka", "database"):
        telemetry.retry(what)
    got = scrape(telemetry)
    assert got["ingest_retries_total", "database"] == 2
    assert got["ingest_retries_total", "kafka"] == 1


def test_lag_is_the_last_one_told_until_the_partition_is_revoked(start: Start) -> None:
    telemetry = start(metrics_port=0)
    telemetry.lag("trades", 0, 9)
    telemetry.lag("trades", 0, 7)
    telemetry.lag("trades", 1, 1)
    got = scrape(telemetry)
    assert got["ingest_lag", "trades", "0"] == 7
    assert got["ingest_lag", "trades", "1"] == 1
    telemetry.revoked("trades", 0)
    got = scrape(telemetry)
    assert ("ingest_lag", "trades", "0") not in got
    assert got["ingest_lag", "trades", "1"] == 1


@pytest.mark.parametrize("end", ["resumed", "revoked"])
def test_a_pause_shows_with_its_reason_until_it_ends(start: Start, end: str) -> None:
    telemetry = start(metrics_port=0)
    telemetry.paused("trades", 1, "registry")
    telemetry.paused("quotes", 1, "registry")
    assert scrape(telemetry)["ingest_paused", "registry", "trades", "1"] == 1
    getattr(telemetry, end)("trades", 1)
    got = scrape(telemetry)
    assert ("ingest_paused", "registry", "trades", "1") not in got
    assert got["ingest_paused", "registry", "quotes", "1"] == 1


class Busy:
    """A collector that takes a while and notes how many are in it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0

    def collect(self) -> list[Metric]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.02)
        self.inside -= 1
        return []


def test_scrapes_take_turns() -> None:
    busy, registry = Busy(), Registry()
    registry.register(busy)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: generate_latest(registry), range(8)))
    assert busy.most == 1
