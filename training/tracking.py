"""MLflow: where runs and versions of models are kept, and what is written of each.

MLFLOW_TRACKING_URI, else a SQLite file below .state/mlflow, which needs no server.
"""

from __future__ import annotations

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import mlflow
import pandas as pd
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source
from mlflow.exceptions import MlflowException

from engine import settings
from engine.errors import ConfigError
from engine.resolve import STATE_DIR
from engine.settings import Env
from training.bundle import FILES, Bundle
from training.declaration import Declaration, Period, parse
from training.errors import TrackingError

DIGEST_LENGTH: Final = 36  # MLflow's limit
DIGEST: Final = "digest"
RECEIPT: Final = "receipt."
DEFINITION: Final = "definition."
DECLARATION: Final = "model.toml"
LABEL_SQL: Final = "label.sql"
TRAINING_SET: Final = "training_set.parquet"
BUNDLE: Final = "bundle"
SQLITE: Final = "sqlite:///"
SERVERS: Final = ("http://", "https://", "databricks")


class PitSource(DatasetSource):
    """Where a training set is from: a declaration, asked of this project's store.

    given: model, declaration and label_sql, from, to, known_as_of, rows, digest, receipts.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        """given: as above, texts, numbers and a mapping of receipts only."""
        self.given = given

    @staticmethod
    def _get_source_type() -> str:
        return "point_in_time"

    @staticmethod
    def _can_resolve(_raw_source: Any) -> bool:
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> PitSource:
        raise TrackingError(f"{raw_source!r} is no training set: give a PitSource")

    def load(self) -> pd.DataFrame:
        """The training set of the same moments, as the database in use gives it now."""
        from feast_repo.store import open_store
        from training import dataset

        given = self.given
        since, until = (datetime.fromisoformat(given[name]) for name in ("from", "to"))
        declared = parse(given["model"], given["declaration"], given["label_sql"])
        period = Period(given["rows"], since, until + timedelta(microseconds=1))
        return dataset.read(open_store(), replace(declared, period=period)).frame

    def to_dict(self) -> dict[str, Any]:
        """What MLflow keeps of it."""
        return self.given

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> PitSource:
        """Of what MLflow has kept."""
        return cls(source_dict)


register_dataset_source(PitSource)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Tracking:
    """MLflow as it is used. local: the folder of its files, None for a server of the user's."""

    uri: str
    local: Path | None
    client: Any

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One writer at a time in a SQLite file; a server has its own order."""
        if self.local is None:
            yield
            return
        with (self.local / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def experiment(self, name: str) -> str:
        """The experiment of a model, made where it is not there."""
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None if self.local is None else (self.local / "artifacts" / name).as_uri()
        return str(self.client.create_experiment(name, artifact_location=location))


@dataclass(frozen=True)
class Kept:
    """What a run has kept: its declaration, its training set, its bundle, where that lies."""

    run_id: str
    declaration: Declaration
    frame: pd.DataFrame
    bundle: Bundle
    folder: Path

    @property
    def content(self) -> bytes:
        """The model's file."""
        return (self.folder / FILES[self.bundle.card["kind"]]).read_bytes()


def address(env: Env, state: Path = STATE_DIR) -> tuple[str, Path | None]:
    """Where MLflow keeps things, and the folder of its files if that is SQLite on this machine.

    Errors: ConfigError for an address that is neither a server's nor a SQLite file's.
    """
    given = settings.text(env, "MLFLOW_TRACKING_URI")
    if given.startswith(SQLITE) and given != SQLITE:
        return given, Path(given.removeprefix(SQLITE)).absolute().parent
    if given.startswith(SERVERS):
        return given, None
    if given:
        # without a server, MLflow would put artifacts into whatever folder it was started in
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={_shown(given)!r}: name a server (http://host:5000), or a file "
            "(sqlite:///folder/mlflow.db)"
        )
    folder = state / "mlflow"
    return f"{SQLITE}{folder / 'mlflow.db'}", folder


def connect(env: Env, state: Path = STATE_DIR) -> Tracking:
    """MLflow, once it has answered. Errors: TrackingError for one that does not."""
    uri, local = address(env, state)
    # by themselves they try for minutes
    for name, value in (("MAX_RETRIES", "1"), ("TIMEOUT", "30")):
        os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("alembic", "mlflow.store", "mlflow.tracking", "mlflow.models", "mlflow.types"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # nobody who runs a command can help them
    for message in (
        ".*``noload`` loader strategy",
        "(?s).*Inferred schema contains integer column",
        "(?s).*An input example was not provided",
    ):
        warnings.filterwarnings("ignore", message=message)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if local is not None:
        local.mkdir(parents=True, exist_ok=True)
    found = Tracking(uri, local, mlflow.MlflowClient(uri, uri))
    try:
        with found.turn():
            found.client.search_experiments(max_results=1)
    except Exception as error:  # what each kind of store raises is its own
        raise TrackingError(
            f"MLflow at {_shown(uri)} does not answer ({_first_line(error)}): start it (make "
            "mlflow), correct MLFLOW_TRACKING_URI, or unset it for the file in .state/mlflow"
        ) from error
    return found


@contextmanager
def told(tracking: Tracking, what: str) -> Iterator[None]:
    """What MLflow raises, as a TrackingError that says what was being done."""
    try:
        yield
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"{what} at {_shown(tracking.uri)}: {_first_line(error)}. Nothing of it is used; see "
            "that MLflow and its artifact store answer, then run it again"
        ) from error


def kept(tracking: Tracking, run_id: str) -> Kept:
    """What a run has kept.

    Errors: TrackingError for no such run, or half of one; DeclarationError where the contract no
    longer has what it learned from.
    """
    # here, because Feast takes seconds to import
    from feast_repo.receipts import AT, SYMBOL, TENANT
    from training.dataset import KNOWN_AT, LABEL

    try:
        run = tracking.client.get_run(run_id)
    except MlflowException as error:
        raise TrackingError(
            f"RUN={run_id!r} is no run of MLflow at {_shown(tracking.uri)}: make train prints the "
            "run of each model"
        ) from error
    model, uri = run.data.tags.get("model"), run.data.tags.get("model_uri")
    if not model or not uri:
        raise TrackingError(
            f"run {run_id} is half-written, or not one of make train ({run.info.status}): it has "
            "no model; train it anew"
        )
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"runs:/{run_id}/training"))
        texts = [(folder / name).read_text() for name in (DECLARATION, LABEL_SQL)]
        frame = pd.read_parquet(folder / TRAINING_SET)
        declared, bundle = parse(model, *texts), bundle_of(uri)
        named = [TENANT, SYMBOL, AT, *(one.name for one in declared.columns), LABEL, KNOWN_AT]
        if list(frame) != named:
            raise ValueError(f"{TRAINING_SET} has {', '.join(frame)}, not {', '.join(named)}")
        return Kept(run_id, declared, frame, Bundle.read(bundle), bundle)
    except (MlflowException, OSError, ValueError) as error:
        raise TrackingError(
            f"the artifacts of run {run_id} are not whole ({_first_line(error)}): train it anew"
        ) from error


def bundle_of(model_uri: str) -> Path:
    """The folder of a model's bundle, fetched where it is not on this machine."""
    folder = mlflow.artifacts.download_artifacts(artifact_uri=model_uri)
    return Path(folder) / "artifacts" / BUNDLE


def version_of(tracking: Tracking, model: str, version: str) -> Any:
    """A version of a model in the registry. Errors: TrackingError that says which there are."""
    try:
        return tracking.client.get_model_version(model, version)
    except MlflowException as error:
        found = tracking.client.search_model_versions(f"name = '{model}'")
        there = sorted(int(one.version) for one in found)
        raise TrackingError(
            f"the registry has no version {version} of {model}: "
            + (f"it has {', '.join(map(str, there))}" if there else f"make train MODEL={model}")
        ) from error


def _shown(uri: str) -> str:
    """An address without its password."""
    scheme, there, rest = uri.partition("://")
    return f"{scheme}{there}{rest.rpartition('@')[2]}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
