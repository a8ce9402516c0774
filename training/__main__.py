"""Command line: python -m training train|reproduce|promote|mlflow, where --help lists the rest."""

import argparse
import os
import socket
import sys
from pathlib import Path

from embedded.errors import INTERRUPTED, UserError
from engine import settings
from engine.settings import ENVIRONMENT, Env
from training.errors import TrackingError, TrainingError

MLFLOW_PORT = 5000


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 with a message on stderr for any UserError, or what is not the same."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a model and register it")
    train.add_argument("model", help="of training/models/")
    train.add_argument("--models", type=Path, help="folder of declarations of your own")
    again = commands.add_parser("reproduce", help="train a run's model again and compare")
    again.add_argument("run", help="id that train printed")
    promoted = commands.add_parser("promote", help="give an alias to a version, or say why not")
    for name in ("model", "version", "alias", "reason"):
        promoted.add_argument(name)
    server = commands.add_parser("mlflow", help="MLflow's server over .state/mlflow, until Ctrl-C")
    server.add_argument("--port", type=int, help=f"default: MLFLOW_PORT, else {MLFLOW_PORT}")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except UserError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{options.command}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    if options.command == "mlflow":
        port = options.port or settings.number(ENVIRONMENT, "MLFLOW_PORT", MLFLOW_PORT, 1, 65_535)
        return serve(ENVIRONMENT, port)
    for name in ("model", "run"):
        if getattr(options, name, None) == "":
            raise TrainingError(f"{name.upper()} is not given: make {options.command} lists how")
    if options.command == "train":
        # before anything is loaded, which takes seconds
        from training import declaration

        declared = declaration.read(options.model, options.models or declaration.MODELS)
        print(f"train: {options.model}; Feast and MLflow are being loaded", flush=True)
    # imported here, because MLflow and Feast take seconds to import and --help should not
    from feast_repo.quiet import hide_experimental
    from training import service, tracking

    hide_experimental()
    where = tracking.connect(ENVIRONMENT)
    if options.command == "train":
        from training.train import train

        made = train(service.opened(ENVIRONMENT), where, declared)
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in made.metrics.items())
        print(f"walk-forward: {metrics}\ndigest: {made.digest} of {made.rows:,} rows")
        print(f"version {made.version} of {options.model}\nrun {made.run_id}")
        return 0
    if options.command == "reproduce":
        from training.reproduce import reproduce

        kept = tracking.kept(where, options.run)
        found = reproduce(service.opened(ENVIRONMENT), kept)
        print("\n".join(found.lines))
        print("reproduced" if found.is_same else "NOT reproduced: see the lines above")
        return 0 if found.is_same else 1
    from training.promote import promote

    given = (options.model, options.version, options.alias, options.reason)
    evidence = promote(service.opened(ENVIRONMENT), where, *given)
    print(f"version {options.version} of {options.model} is its {options.alias}")
    print(f"digest derived again: {evidence['digest']}")
    return 0


def serve(env: Env, port: int) -> int:
    """Become MLflow's server over the files of make train. Errors: TrackingError."""
    from training import tracking

    uri, local = tracking.address(env)
    if local is None:
        raise TrackingError(
            "MLFLOW_TRACKING_URI names a server of yours: make mlflow is one over the files of "
            ".state/mlflow; unset it"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TrackingError(
                f"port {port} is taken ({error.strerror}): set MLFLOW_PORT to a free one"
            ) from error
    tracking.connect(env)
    # runs and models need none of its jobs, which are nine processes
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    print(f"mlflow: http://127.0.0.1:{port} over {local}; Ctrl-C ends it", flush=True)
    arguments = [
        *("server", "--backend-store-uri", uri),
        *("--artifacts-destination", (local / "artifacts").as_uri()),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *arguments])


if __name__ == "__main__":
    sys.exit(main())
