"""What is off takes every call and costs nothing."""

import subprocess
import sys

OFF = """
import sys
from telemetry import start
from telemetry.settings import TelemetryConfig
config = TelemetryConfig.from_env({}, service_name="none")
telemetry = start.ingest(config)
with telemetry.span("batch", messages=1):
    pass
telemetry.batch({"trade": 1}, 0, {}, 10, 0.1, [0.5])
telemetry.lag("trades", 0, 1)
telemetry.retry("kafka")
telemetry.paused("trades", 0, "registry")
telemetry.resumed("trades", 0)
telemetry.revoked("trades", 0)
telemetry.health.beat()
telemetry.health.ready(True)
push = start.push(config)
push.pushed(3, 9, 0.1, 1.7e9)
push.failed()
push.set_aside(1)
api = start.api(config)
api.watch(lambda: 1)
api.request("/health", 200, 0.001)
api.answered(3)
api.rejected("rate")
for off in (telemetry, push, api):
    off.close()
    print(off.on, off.port)
roots = ("opentelemetry", "prometheus_client", "numpy", "http")
print([x for x in sys.modules if x.partition(".")[0] in roots])
"""


def test_off_takes_every_call_and_imports_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False None\n" * 3 + "[]\n"
