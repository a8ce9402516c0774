"""Command line: python -m feast_repo, where --help lists the commands."""

import argparse
import logging
import sys

from engine.errors import EngineError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 with a message on stderr for any EngineError."""
    parser = argparse.ArgumentParser(prog="python -m feast_repo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "feast", help="run Feast's own command; what follows goes to it", add_help=False
    )
    commands.add_parser("materialize", help="write what is known now to the online store")
    commands.add_parser("push", help="publish closed bars and have them online within a second")
    serve = commands.add_parser("serve", help="the feature API over HTTP")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=6566)
    serve.add_argument("--metrics-port", type=int, default=9466)
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "feast":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        return _run(options, rest)
    except EngineError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    # imported here, because Feast takes seconds to import and --help should not
    from feast_repo import environment

    if options.command == "feast":
        return _feast(environment.prepare(), rest)
    from feast_repo.store import materialize, open_store

    store = open_store()
    if options.command == "materialize":
        print(f"online as of {materialize(store).isoformat()}")
    elif options.command == "push":
        from feast_repo import push

        push.main(store)
    else:
        from feast_repo.api.app import serve

        serve(store, options.host, options.port, options.metrics_port)
    return 0


def _feast(profile: object, rest: list[str]) -> int:
    from feast.cli.cli import cli

    from feast_repo.environment import REPO
    from feast_repo.store import share_registry

    code = cli(["-c", str(REPO), "-f", str(profile), *rest], standalone_mode=False)
    if "apply" in rest:
        share_registry()
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
