"""Command line: python -m feast_repo, where --help lists the commands."""

import argparse
import logging
import os
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from embedded.errors import INTERRUPTED, UserError
from engine.settings import API_PORT, ENVIRONMENT
from feast_repo.quiet import hide_experimental
from telemetry import start
from telemetry.settings import TelemetryConfig

if TYPE_CHECKING:
    from feast_repo.environment import Prepared

METRICS_PORT = 9466
# said before Feast is imported, which takes seconds
SAID = {
    "materialize": "writes what is known now to the online store, a view at a time",
    "push": "publishes closed bars every second and writes what changed to the online store; "
    "Ctrl-C ends it",
    "serve": "the feature API on http://{host}:{port}, once Feast is loaded; Ctrl-C ends it",
}
LEFT = {"materialize": "; views that it had written are online, the same command writes the others"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 with a message on stderr for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m feast_repo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "feast", help="run Feast's own command; what follows goes to it", add_help=False
    )
    commands.add_parser("materialize", help="write what is known now to the online store")
    commands.add_parser("push", help="publish closed bars and have them online within a second")
    serve = commands.add_parser("serve", help="the feature API over HTTP")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=API_PORT)
    serve.add_argument(
        "--metrics-port", type=int, help=f"default: METRICS_PORT, else {METRICS_PORT}"
    )
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "feast":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    hide_experimental()
    try:
        if options.command in SAID:
            said = SAID[options.command].format(**vars(options))
            print(f"{options.command}: {said}", file=sys.stderr, flush=True)
        return _run(options, rest)
    except UserError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # a server that was told to stop has done all it was to do
        is_end = options.command in ("push", "serve")
        left = "ended" if is_end else f"interrupted{LEFT.get(options.command, '')}"
        print(f"\n{options.command}: {left}", file=sys.stderr)
        return 0 if is_end else INTERRUPTED


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    # imported here, because Feast takes seconds to import and --help should not
    from feast_repo import environment

    if options.command == "feast":
        return _feast(environment.prepare(ENVIRONMENT), rest)
    from feast_repo.store import materialize, open_store

    store = open_store(ENVIRONMENT)
    if options.command == "materialize":
        print(f"online as of {materialize(store).isoformat()}")
    elif options.command == "push":
        from feast_repo import push

        config = TelemetryConfig.from_env(ENVIRONMENT, service_name="feature_push")
        with closing(start.push(config)) as pushed:
            push.main(store, pushed)
    else:
        from feast_repo.api.app import Settings, serve

        config = TelemetryConfig.from_env(
            ENVIRONMENT, service_name="feature_api", metrics_port=METRICS_PORT
        )
        if options.metrics_port is not None:
            config = replace(config, metrics_port=options.metrics_port)
        settings = Settings.from_env(ENVIRONMENT)
        with closing(start.api(config)) as answered:
            serve(store, options.host, options.port, settings, answered)
    return 0


def _feast(prepared: "Prepared", rest: list[str]) -> int:
    from feast.cli.cli import cli

    from feast_repo.environment import REPO
    from feast_repo.store import share_registry

    # Feast's command reads the profile itself, and fills it in from here: the one place that writes
    os.environ.update(prepared.variables)
    code = cli(["-c", str(REPO), "-f", str(prepared.profile), *rest], standalone_mode=False)
    if "apply" in rest:
        share_registry(prepared.database_url)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
