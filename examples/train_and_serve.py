"""A model from its training set to a prediction that is made again: each step a command of make.

    make example          after make demo, or on your own data

It trains direction_5m, makes it again from what the database knows, lets it answer for the series
that are online, and makes one of these predictions again from psql. The demo's days are random:
expect an AUC near 0.5. What it shows is that the numbers are the same each time.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embedded.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
MODEL = "direction_5m"
SYMBOLS = ["SYN_ES", "SYN_NQ", "SYN_BTCUSD", "SYN_ETHUSD", "SYN_EURUSD", "SYN_AAPL"]
TENANT = 1
START_S = 180.0
STOP_S = 60.0


def make(*arguments: str) -> str:
    """What a target prints, shown as it comes. Errors: UserError where it fails."""
    print(f"\n$ make {' '.join(arguments)}", flush=True)
    command = ["make", "-s", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None  # noqa: S101 - it is piped
        lines = []
        for line in running.stdout:
            print(f"  {line}", end="", flush=True)
            lines.append(line)
    if running.returncode:
        raise UserError(f"make {arguments[0]} failed: its lines above say why")
    return "".join(lines)


def said(pattern: str, text: str) -> str:
    """The part of a target's output that a pattern names. Errors: UserError where it is not."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise UserError(f"nothing there is like {pattern}")
    return found[1]


@contextmanager
def served() -> Iterator[str]:
    """The address of `make serve-model` on a free port, once the model answers.

    Errors: UserError where it does not.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [f"MODEL={MODEL}", f"ARGS=--port {port} --metrics-port 0"]
    print(f"\n$ make serve-model {' '.join(arguments)}", flush=True)
    running = subprocess.Popen(
        ["make", "-s", "serve-model", *arguments], cwd=ROOT, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_S
        while not _is_ready(url):
            if running.poll() is not None or time.monotonic() > deadline:
                raise UserError("make serve-model does not answer: its lines above say why")
            time.sleep(0.5)
        yield url
    finally:
        _end(running)


def _end(running: subprocess.Popen[bytes]) -> None:
    """End make and what it runs, which has logged all predictions by then."""
    os.killpg(running.pid, signal.SIGTERM)
    running.wait()
    deadline = time.monotonic() + STOP_S
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(running.pid, 0)
            time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def predictions(url: str, key: str) -> list[dict[str, Any]]:
    """What the model says of each series now: a row of its answer's outputs for each."""
    symbol = {"name": "symbol", "shape": [len(SYMBOLS)], "datatype": "BYTES", "data": SYMBOLS}
    request = urllib.request.Request(  # noqa: S310
        f"{url}/v2/models/{MODEL}/infer",
        json.dumps({"inputs": [symbol]}).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        outputs = {one["name"]: one["data"] for one in json.load(answer)["outputs"]}
    rows = zip(*outputs.values(), strict=True)
    return [
        {"symbol": symbol, **dict(zip(outputs, row, strict=True))}
        for symbol, row in zip(SYMBOLS, rows, strict=True)
    ]


def main() -> int:
    """Run the steps. Errors: UserError for one that fails, or where nothing is online."""
    trained = make("train", f"MODEL={MODEL}")
    make("reproduce", f"RUN={said(r'^run (.+)$', trained)}")
    version = said(r"^version (\d+) ", trained)
    make(
        *("promote", f"MODEL={MODEL}", f"VERSION={version}", "AS=champion"),
        "REASON=the example of README",
    )
    key = make("tenant", f"ARGS=key {TENANT}").strip()
    with served() as url:
        answered = predictions(url, key)
        for one in answered:
            what = one["refused"] or f"{one['score']:.6f} by version {one['version']}, as of "
            print(f"  {one['symbol']:12} {what}{one['as_of'] or ''}")
        scored = [one for one in answered if one["refused"] is None]
        if not scored:
            raise UserError("nothing is online: make demo ends with a live feed that fills it")
    # what it answered is in the log by the time it has ended
    make("replay", f"PREDICTION={scored[0]['prediction_id']}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        raise SystemExit(130) from None
