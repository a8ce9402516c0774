"""The model repository that Triton reads: what the aliases of the database name, out of MLflow.

    python -m serving.repository follow MODEL...      writes what is missing, every second
    python -m serving.repository once MODEL...        writes what is missing now
    python -m serving.repository fetch MODEL VERSION  writes one version, whatever has an alias

It is run by the python of .venv-training, which has MLflow. A version is there
whole or not at all. While MLflow is away, what is there stays and serves.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import psycopg

from embedded.errors import UserError
from engine.resolve import database_url
from engine.settings import ENVIRONMENT
from serving import layout
from serving.errors import ServingError

LOOK_S: Final = 1.0
# MLflow is asked again for what it did not give.
AGAIN_S: Final = 10.0
# Of each model, beside those that have an alias: a rollback finds them.
KEPT: Final = 20
WANTED: Final = """
    select distinct a.model, a.version, v.run_id, v.card
    from model.alias as a
    inner join model.version as v on a.model = v.model and a.version = v.version
    where a.model = any(%s)
    order by a.model, a.version
"""
log = logging.getLogger("serving.repository")

# Gives the folder of a version's bundle. Errors: any, where it has none.
Fetch = Callable[[str, int], Path]


@dataclass(frozen=True)
class Wanted:
    """A version that has an alias, and what was registered of it."""

    model: str
    version: int
    run_id: str
    card: Mapping[str, Any]


def wanted(url: str, models: Sequence[str]) -> list[Wanted]:
    """The versions that aliases name. Errors: psycopg's."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [Wanted(*row) for row in connection.execute(WANTED, [list(models)]).fetchall()]


def bring(repository: Path, one: Wanted, fetch: Fetch) -> bool:
    """Write a version where it is not there; whether it was written.

    Errors: ServingError for one that MLflow does not give, or gives other than registered.
    """
    there = layout.bundle_folder(repository, one.model, one.version)
    if layout.wrong(there, one.card) is None:
        return False
    name = f"version {one.version} of {one.model}"
    try:
        bundle = fetch(one.model, one.version)
    except Exception as error:  # what each kind of store raises is its own
        raise ServingError(
            f"MLflow does not give {name} ({str(error).splitlines()[0][:300]}): what is loaded "
            "goes on answering; see that MLflow and its artifact store answer"
        ) from error
    if (problem := layout.wrong(bundle, one.card)) is not None:
        raise ServingError(
            f"{name} is not served, its artifacts are not what was registered: {problem}. Train "
            f"it anew, or restore the artifacts of run {one.run_id}"
        )
    if there.exists():
        shutil.rmtree(there)
    layout.write(repository, one.model, one.version, bundle)
    return True


def prune(repository: Path, model: str, keep: set[int]) -> None:
    """Remove the oldest versions that nobody names, beyond KEPT."""
    found = {}
    for place in repository.glob(f"{model}.*"):
        version = place.name.removeprefix(f"{model}.")
        if version.isdecimal() and int(version) not in keep:
            found[int(version)] = place
    for number in sorted(found)[: max(0, len(found) - KEPT)]:
        shutil.rmtree(found[number])


def once(url: str, models: Sequence[str], repository: Path, fetch: Fetch) -> list[str]:
    """Write what is missing; what could not be, in words. Errors: psycopg's."""
    problems = []
    found = wanted(url, models)
    for one in found:
        try:
            if bring(repository, one, fetch):
                log.info("%s has version %d of %s", repository, one.version, one.model)
        except (ServingError, ValueError, OSError) as error:
            problems.append(str(error))
    for model in models:
        named = {one.version for one in found if one.model == model}
        if not named:
            problems.append(
                f"no version of {model} has an alias: make train MODEL={model}, then make promote"
            )
        prune(repository, model, named)
    return problems


def follow(
    url: str, models: Sequence[str], repository: Path, fetch: Fetch, stop: threading.Event
) -> None:
    """Write what is missing every second, until stop is set; what fails is said once.

    It ends with the process that started it, too.
    """
    parent = os.getppid()
    told: list[str] = []
    wait = 0.0
    while not stop.wait(wait) and os.getppid() == parent:
        wait = LOOK_S
        try:
            problems = once(url, models, repository, fetch)
        except psycopg.Error as error:
            problems = [f"the aliases cannot be read: {error}"]
        if problems:
            wait = AGAIN_S
        for problem in problems:
            if problem not in told:
                log.error("%s", problem)
        told = problems


def from_mlflow(model: str, version: int) -> Path:
    """The bundle of a version in the registry, fetched. Errors: MLflow's."""
    # here, because it takes seconds, and .venv has no such thing
    tracking = import_module("training.tracking")
    where = tracking.connect(ENVIRONMENT)
    tracking.version_of(where, model, str(version))
    folder: Path = tracking.bundle_of(f"models:/{model}/{version}")
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 with a message on stderr for what is missing."""
    parser = argparse.ArgumentParser(prog="python -m serving.repository", description=__doc__)
    parser.add_argument("command", choices=("follow", "once", "fetch"))
    parser.add_argument("models", nargs="+")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    place = layout.repository(ENVIRONMENT)
    place.mkdir(parents=True, exist_ok=True)
    try:
        if options.command == "fetch":
            model, version = options.models
            layout.write(place, model, int(version), from_mlflow(model, int(version)))
            return 0
        url = database_url(ENVIRONMENT)
        if options.command == "once":
            problems = once(url, options.models, place, from_mlflow)
            for problem in problems:
                print(problem, file=sys.stderr)
            return 1 if problems else 0
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        follow(url, options.models, place, from_mlflow, stop)
    except (UserError, ValueError, psycopg.Error) as error:
        print(f"serving.repository: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
