"""Run the benchmark: python -m bench.serving [--rates 100 500 1000] [--rows 1 100]. See --help."""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psycopg

from bench import report
from bench.feast.__main__ import START_S, key_and_pool, served
from bench.feast.live import listening_ports
from bench.pit import data
from bench.report import Figure
from bench.server import database, say, server
from bench.serving import load
from bench.timing import percentile
from embedded.errors import UserError
from engine.errors import EngineError
from engine.settings import Env
from feast_repo import sets
from serving import layout, triton
from serving.replay import TRAINING

ROOT = Path(__file__).resolve().parents[2]
MODEL = "direction_5m"
FIELDS = [
    line["field"]
    for one in sets.read()
    for line in one.lines
    if one.name == sets.FIRST and line["data_type"] == "double precision"
][-6:]
COLUMNS = [{"feature_set": sets.FIRST, "field": field} for field in FIELDS]
PEERS = ("uvicorn", "redis", "psycopg")
KINDS = ("triton", "router", "mlflow")
LOG_ROWS = 40_000
REQUESTS = 200
WARM_S = 3
MLFLOW_S = 180.0
Samples = dict[str, list[float]]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; returns 1 with a message for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 500, 1000])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20, help="of load of each kind")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=KINDS)
    options = parser.parse_args(arguments)
    try:
        run(options, server())
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, server_url: str) -> None:
    """The peers beside each other, on a log, Redis, Triton and roles that are gone afterwards."""
    facts = report.machine(server_url, {name: version(name) for name in PEERS})
    facts["tritonserver"] = "2.51.0 (nvidia-pytriton 0.7.0), one instance a version, shadow on"
    samples: Samples = {}
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as directory, ExitStack() as stack:
        place = Path(directory)
        bundles = [booster(place / str(number), number) for number in (1, 2)]
        peers: dict[str, tuple[int, bytes]] = {}
        running = stack.enter_context(running_triton(place, bundles))
        peers["triton"] = running.port, b'"outputs"'
        key = ""
        if "router" in options.only:
            name = f"bench_serving_{uuid.uuid4().hex[:8]}"
            url, _ = stack.enter_context(database(server_url, name))
            env, key = stack.enter_context(online(options, url, place, bundles))
            port = stack.enter_context(router(env, running.url, place))
            peers["router"] = port, b'"refused","datatype":"BYTES","shape":[%d],"data":[null'
        if "mlflow" in options.only:
            port = stack.enter_context(mlflow(place, bundles[0]))
            peers["mlflow"] = port, b'"predictions"'
        for rows in options.rows:
            for rate in options.rates:
                group = f"{rows} rows, {rate} requests/s"
                figures += compared(options, group, rows, rate, peers, key, samples)
    print(report.text(figures, facts))
    print(f"plot: {report.write('serving/all', figures, facts, samples)}")


def compared(
    options: argparse.Namespace,
    group: str,
    rows: int,
    rate: int,
    peers: dict[str, tuple[int, bytes]],
    key: str,
    samples: Samples,
) -> list[Figure]:
    """One rate and size, by each peer, one after another."""
    figures = []
    p50: dict[str, float] = {}
    for kind in options.only:
        port, scored = peers[kind]
        requests = requests_of(kind, rows, options.symbols, key)
        good = scored % rows if b"%d" in scored else scored
        say(f"{group}: {kind}")
        load.run(port, requests, rate, WARM_S, good)
        found = load.run(port, requests, rate, options.seconds, good)
        samples[f"{group}: {kind}"] = found.seconds
        name = {"triton": "Triton alone", "router": "ours: features, Triton, shadow, log"}.get(
            kind, "mlflow models serve, features given"
        )
        p50[kind] = percentile(found.seconds, 50)
        note = f"max {max(found.seconds) * 1e3:.1f} ms; {found.failed} of {found.sent} failed"
        figures += [
            Figure(group, f"{name}, p50", p50[kind]),
            Figure(group, f"{name}, p99", percentile(found.seconds, 99), note=note),
        ]
    if {"triton", "router"} <= p50.keys():
        added = p50["router"] - p50["triton"]
        figures.append(Figure(group, "ours, added to Triton at p50", added))
    return figures


def requests_of(kind: str, rows: int, symbols: int, key: str) -> list[bytes]:
    """Requests of a peer, each of other rows."""
    draw = random.Random(1)  # noqa: S311
    numbers = np.random.default_rng(1)
    found = []
    for _ in range(REQUESTS):
        if kind == "router":
            names = draw.choices(data.names(symbols), k=rows)
            asked = {"name": "symbol", "shape": [rows], "datatype": "BYTES", "data": names}
            body = json.dumps({"inputs": [asked]}).encode()
            path = f"/v2/models/{MODEL}/infer"
            found.append(load.post(path, body, [f"Authorization: Bearer {key}"]))
            continue
        matrix = numbers.normal(size=(rows, len(FIELDS)))
        if kind == "triton":
            raw = matrix.astype("<f8").tobytes()
            head = json.dumps(
                {
                    "inputs": [
                        {
                            "name": "features",
                            "shape": [*matrix.shape],
                            "datatype": "FP64",
                            "parameters": {"binary_data_size": len(raw)},
                        }
                    ],
                    "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
                }
            ).encode()
            path = f"/v2/models/{layout.triton_name(MODEL, 1)}/versions/1/infer"
            headers = [f"Inference-Header-Content-Length: {len(head)}"]
            found.append(load.post(path, head + raw, headers))
        else:
            names = [f"{sets.FIRST}.{field}" for field in FIELDS]
            split = {"columns": names, "data": matrix.tolist()}
            found.append(load.post("/invocations", json.dumps({"dataframe_split": split}).encode()))
    return found


def booster(folder: Path, seed: int) -> Path:
    """A bundle of a small booster."""
    card = {
        "name": MODEL,
        "columns": COLUMNS,
        "feature_service": MODEL,
        "tenant_id": 1,
        "label": {"sql": "select 1", "horizon_s": 300, "name": "rises_5m"},
        "thresholds": {},
        "reference": [],
    }
    program = Path(__file__).with_name("booster.py")
    command = [str(triton.python()), str(program), str(folder), str(seed), json.dumps(card)]
    subprocess.run(command, check=True)
    return folder


@contextmanager
def running_triton(place: Path, bundles: Sequence[Path]) -> Iterator[triton.EmbeddedTriton]:
    """Triton with both versions loaded."""
    repository = place / "models"
    for number, bundle in enumerate(bundles, 1):
        layout.write(repository, MODEL, number, bundle)
    # where serving.triton's command looks
    os.environ["SERVING_REPOSITORY"] = str(repository)
    running = triton.start(place / "triton")
    try:
        for number in range(1, len(bundles) + 1):
            name = layout.triton_name(MODEL, number)
            path = f"http://127.0.0.1:{running.port}/v2/repository/models/{name}/load"
            with urllib.request.urlopen(path, b"{}", timeout=60):
                pass
        yield running
    finally:
        triton.stop(place / "triton")


@contextmanager
def online(
    options: argparse.Namespace, url: str, place: Path, bundles: Sequence[Path]
) -> Iterator[tuple[Env, str]]:
    """A market of the database online in Redis, two registered versions, and a tenant's key."""
    say("a log of the market, online in Redis")
    data.prepare(url, options.symbols)
    data.fill(url, data.start(LOG_ROWS, options.symbols))
    with served(url, place / "online") as (store, env), key_and_pool(url) as (key, pool):
        store.materialize(data.END - timedelta(days=1), data.END)
        with psycopg.connect(url, autocommit=True) as connection:
            for number, bundle in enumerate(bundles, 1):
                card = (bundle / "model.json").read_text()
                connection.execute(
                    "select model.register(%s, %s, 1, 'a run', %s::jsonb)", [MODEL, number, card]
                )
            for alias, number in (("champion", 1), ("shadow", 2)):
                connection.execute(
                    "select model.promote(%s, %s, %s, 'a benchmark')", [MODEL, alias, number]
                )
        yield {**env, "DATABASE_URL": pool}, key


@contextmanager
def router(env: Env, triton_url: str, place: Path) -> Iterator[int]:
    """The router, ready; its port."""
    command = [sys.executable, "-W", "ignore", "-m", "bench.serving.routing", triton_url, MODEL]
    command += [str(place / "spool"), str(data.END.timestamp() + 1)]
    with ended(subprocess.Popen(command, cwd=ROOT, env=dict(env))) as process:
        yield _listening(process, "/v2/health/ready", START_S)


@contextmanager
def mlflow(place: Path, bundle: Path) -> Iterator[int]:
    """`mlflow models serve` of the same booster, ready; its port. Errors: EngineError."""
    say("mlflow models serve")
    saved = place / "pyfunc"
    program = (
        "import sys, mlflow\n"
        "mlflow.pyfunc.save_model(sys.argv[2], python_model='training/pyfunc.py', "
        "artifacts={'bundle': sys.argv[1]}, pip_requirements=[])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    arguments = [str(TRAINING), "-c", program, str(bundle), str(saved)]
    subprocess.run(arguments, cwd=ROOT, env=env, check=True, capture_output=True)
    command = [str(TRAINING), "-m", "mlflow", "models", "serve", "--model-uri", str(saved)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(_free())]
    env["PATH"] = f"{TRAINING.parent}:{os.environ['PATH']}"
    port = int(command[-1])
    with ended(subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)) as process:
        _wait(process, port, "/health", MLFLOW_S)
        yield port


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The process, ended by SIGTERM."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _listening(process: subprocess.Popen[bytes], path: str, limit_s: float) -> int:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for port in listening_ports(process.pid):
            if _is_ready(port, path):
                return port
        time.sleep(0.2)
    raise EngineError(f"the router does not serve within {limit_s:.0f} s: see its messages")


def _wait(process: subprocess.Popen[bytes], port: int, path: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not _is_ready(port, path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EngineError("mlflow models serve does not answer: see its messages")
        time.sleep(0.5)


def _is_ready(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
