"""`python -m bench.telemetry`: what a call of each hook costs; needs no server."""

from __future__ import annotations

import timeit

import numpy as np

from telemetry import start
from telemetry.settings import TelemetryConfig

TICKS = 10_000
REPEATS = 5
HOOKS = {
    "batch": "telemetry.batch(rows, 0, refused, 1_000_000, 0.2, ages)",
    "lag": "telemetry.lag('trades', 0, 1)",
    "retry": "telemetry.retry('kafka')",
    "paused": "telemetry.paused('trades', 0, 'registry')",
    "resumed": "telemetry.resumed('trades', 0)",
    "span": "telemetry.span('write', rows=10_000)",
    "with span": "with telemetry.span('write', rows=10_000): pass",
    "health.beat": "telemetry.health.beat()",
}


def _print(title: str, config: TelemetryConfig, calls: int) -> None:
    telemetry = start.ingest(config)
    names = {
        "telemetry": telemetry,
        "rows": {"trade": TICKS},
        "refused": {"undecodable": 1},
        "ages": np.random.default_rng(1).exponential(0.1, TICKS),
    }
    print(f"{title}; nanoseconds a call, best of {REPEATS} x {calls} calls")
    for name, call in HOOKS.items():
        best_s = min(timeit.repeat(call, globals=names, number=calls, repeat=REPEATS))
        print(f"  {name:12} {best_s / calls * 1e9:10.0f}")
    telemetry.close()


def main() -> None:
    """Print a table with everything off and one with Prometheus on."""
    _print("off", TelemetryConfig(), 200_000)
    _print(f"on, batches of {TICKS:,} ticks", TelemetryConfig(metrics_port=0), 500)


if __name__ == "__main__":
    main()
