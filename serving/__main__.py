"""Command line: python -m serving serve|replay, where --help lists the rest."""

import argparse
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from embedded.errors import INTERRUPTED, UserError
from engine.settings import ENVIRONMENT, number
from serving.errors import ServingError
from telemetry import start
from telemetry.settings import TelemetryConfig

PORT = 6567
METRICS_PORT = 9467


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 with a message on stderr for any UserError.

    replay: 1 where the prediction is not the same.
    """
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="Triton and the router in front of it")
    serve.add_argument("models", nargs="+", metavar="model")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    serve.add_argument(
        "--metrics-port", type=int, help=f"default: METRICS_PORT, else {METRICS_PORT}"
    )
    again = commands.add_parser("replay", help="make a prediction again, and compare")
    again.add_argument("prediction", help="its prediction_id")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        return _replay(options) if options.command == "replay" else _serve(options)
    except UserError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # a server that was told to stop has done all it was to do
        print(f"\n{options.command}: ended", file=sys.stderr)
        return 0 if options.command == "serve" else INTERRUPTED


def _replay(options: argparse.Namespace) -> int:
    from engine.resolve import database_url
    from serving.replay import asked, replay

    prediction = asked(options.prediction)
    found = replay(database_url(ENVIRONMENT), prediction, ENVIRONMENT)
    print("\n".join(found.lines))
    print("equal to the bit" if found.is_same else "NOT equal: see the lines above")
    return 0 if found.is_same else 1


def _serve(options: argparse.Namespace) -> int:
    if "" in options.models:
        raise ServingError("MODEL is not given: make serve-model MODEL=direction_5m")
    said = f"the router on http://{options.host}:{options.port}, once Feast and Triton are loaded"
    print(f"serve: {said}; Ctrl-C ends it", file=sys.stderr, flush=True)
    # imported here, because Feast takes seconds to import and --help should not
    from engine.resolve import STATE_DIR
    from feast_repo.quiet import hide_experimental
    from feast_repo.store import database_url, open_store
    from serving import triton
    from serving.router.app import Settings
    from serving.router.app import serve as answer

    hide_experimental()
    rate = number(
        ENVIRONMENT, "SERVING_RATE", Settings.rate, 1, 1_000_000, what="requests a second"
    )
    config = TelemetryConfig.from_env(
        ENVIRONMENT, service_name="model_router", metrics_port=METRICS_PORT
    )
    if options.metrics_port is not None:
        config = replace(config, metrics_port=options.metrics_port)
    store = open_store(ENVIRONMENT)
    with _repository(options.models, database_url(store)):
        url = triton.found(ENVIRONMENT)
        print(f"Triton: {url}", file=sys.stderr, flush=True)
        settings = Settings(STATE_DIR / "serving", rate)
        with closing(start.router(config)) as told:
            answer(store, url, options.models, options.host, options.port, settings, told)
    return 0


@contextmanager
def _repository(models: Sequence[str], url: str) -> Iterator[None]:
    """The process that writes the model repository beside this one."""
    from serving.layout import ROOT
    from serving.replay import TRAINING

    if not TRAINING.exists():
        raise ServingError(f"{TRAINING} is missing: run `make .venv-training/.installed`")
    command = [str(TRAINING), "-m", "serving.repository", "follow", *models]
    # uvicorn ends as by the signal that it got: past what is to be done in the end
    signal.signal(signal.SIGTERM, _interrupted)
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url})
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
