"""A process ends, whether or not anybody takes what is left to push."""

import signal
import subprocess
import sys
import threading

import pytest

from telemetry.hooks import Telemetry
from telemetry.otel import OtelTelemetry
from tests.telemetry.collector import Collector
from tests.telemetry.conftest import Start
from tests.telemetry.hooked import call_every_hook
from tests.telemetry.scrape import HANGS_S

TERMINATED = """
import signal, sys, threading
from telemetry import outputs, start
from telemetry.settings import TelemetryConfig
outputs.FLUSH_S = float(sys.argv[2])
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
telemetry = start.ingest(TelemetryConfig(metrics_port=0, otlp_endpoint=sys.argv[1]))
if sys.argv[3:]:
    telemetry._out._closers.append(threading.Event().wait)
with telemetry.span("batch"):
    telemetry.batch({"trade": 5}, 0, {}, 10, 0.1, [0.5])
print("up", flush=True)
while not stopped.wait(0.05):
    pass
telemetry.close()
"""


def never_ends(telemetry: Telemetry) -> None:
    """Add a push that is never done, as the SDK's may be for half a minute and longer."""
    assert isinstance(telemetry, OtelTelemetry)
    telemetry._out._closers.append(threading.Event().wait)


@pytest.mark.parametrize("away", ["refused", "silent"])
def test_close_comes_back_when_the_collector_is_away(start: Start, silent: str, away: str) -> None:
    url = silent if away == "silent" else "http://127.0.0.1:1"
    telemetry = start(otlp_endpoint=url, metrics_port=0)
    call_every_hook(telemetry)
    never_ends(telemetry)
    for _ in range(2):
        closing = threading.Thread(target=telemetry.close, daemon=True)
        closing.start()
        closing.join(HANGS_S)
        assert not closing.is_alive()


def _terminate(url: str, flush_s: float, *options: str) -> int:
    """Exit code of a process that pushes to url, ended by SIGTERM.

    flush_s: how long it may take to push what is left. options: "hang" for a push that never ends.
    """
    command = [sys.executable, "-X", "faulthandler", "-c", TERMINATED, url, str(flush_s), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=HANGS_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # says where its threads stand
            raise AssertionError(process.communicate()[1].decode()) from None


def test_a_process_that_is_terminated_pushes_what_is_left(collector: Collector) -> None:
    assert _terminate(collector.url, HANGS_S) == 0
    assert set(collector.spans) == {"batch"}
    points = collector.metrics["ingest.rows"].sum.data_points
    assert sum(point.as_int for point in points) == 5


def test_a_process_that_is_terminated_ends_though_the_collector_is_away(silent: str) -> None:
    """Whoever waited for the answer would wait for ever: that it ends at all is the point."""
    assert _terminate(silent, 1.5, "hang") == 0
