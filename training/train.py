"""make train: read, validate walk-forward, learn from all rows, log to MLflow, register."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import psycopg
from feast import FeatureStore
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from psycopg.types.json import Jsonb

from engine.server import connect as connect_database
from feast_repo.receipts import AT
from feast_repo.store import database_url
from training import dataset, evaluation, learners, plots, provenance, service, tracking
from training.bundle import Column
from training.dataset import TrainingSet
from training.declaration import Declaration
from training.errors import TrainingError
from training.evaluation import Validation
from training.learners import Fitted
from training.tracking import Tracking

NEWEST = "select coalesce(max(v.version), 0) from model.version as v where v.model = %s"
REGISTER = "select model.register(%s, %s, %s, %s, %s)"
PYFUNC = Path(__file__).resolve().parent / "pyfunc.py"


@dataclass(frozen=True)
class Trained:
    """What a training left: the run, the version in the registry, its digest and metrics."""

    run_id: str
    version: int
    digest: str
    rows: int
    metrics: Mapping[str, float]


def train(store: FeatureStore, where: Tracking, declaration: Declaration) -> Trained:
    """Train a declared model and leave its run, its version and the database's row of it.

    A training that is interrupted leaves a run without a version, which nobody serves.
    Errors: those of dataset.read(), learners.fit() and split.walk_forward(); TrackingError where
    MLflow goes away; TrainingError where the database refuses the version.
    """
    found = dataset.read(store, declaration)
    folds = found.folds(declaration)
    columns, matrix, labels = found.columns, found.matrix, found.labels
    checked = evaluation.validate(declaration, columns, matrix, labels, folds)
    fitted = learners.fit(declaration.learner, columns, matrix, labels)
    returns = dataset.prices(store, declaration, found.frame.iloc[checked.places])
    service.register(store, declaration.feature_service, columns)
    with (
        tracking.told(where, f"the run of {declaration.name} cannot be written"),
        where.turn(),
        mlflow.start_run(experiment_id=where.experiment(declaration.name)) as run,
    ):
        run_id: str = run.info.run_id
        card = card_of(declaration, found, checked, run_id)
        _log_facts(declaration, found, checked, card)
        _log_plots(declaration, found, checked, fitted, returns)
        version = _log_model(declaration, fitted, card)
        version = _numbered(
            where, declaration.name, version, newest(database_url(store), declaration.name)
        )
        with tempfile.TemporaryDirectory() as folder:
            bundle = fitted.write(Path(folder), card)
    register(database_url(store), declaration, version, run_id, bundle.card)
    return Trained(run_id, version, found.digest, len(found.frame), checked.metrics)


def card_of(
    declaration: Declaration, found: TrainingSet, checked: Validation, run_id: str
) -> dict[str, Any]:
    """All that is said of the model, but for its kind and its file's digest."""
    moments = found.frame[AT]
    return {
        "name": declaration.name,
        "columns": learners.described(found.columns),
        "feature_service": declaration.feature_service,
        "tenant_id": declaration.tenant_id,
        "label": {
            "name": declaration.label,
            "sql": declaration.label_sql,
            "horizon_s": declaration.horizon.total_seconds(),
        },
        "moments": {
            "from": moments.min().isoformat(),
            "to": moments.max().isoformat(),
            "rows": len(moments),
            "known_as_of": found.known_as_of.isoformat(),
        },
        "digest": found.digest,
        "receipts": dict(found.receipts),
        "definitions": dict(found.definitions),
        "run_id": run_id,
        "metrics": dict(checked.metrics),
        "thresholds": dict(declaration.thresholds),
        "reference": evaluation.reference(found.columns, found.matrix, checked.scores),
        "lock_sha256": provenance.lock_sha256(),
        "git_commit": provenance.git_commit(),
        "learner": {
            "name": declaration.learner.name,
            "parameters": dict(declaration.learner.parameters),
            "seed": declaration.learner.seed,
        },
    }


def register(
    url: str, declaration: Declaration, version: int, run_id: str, card: Mapping[str, Any]
) -> None:
    """Have the database know a version; the same again is nothing. Errors: TrainingError."""
    given = [declaration.name, version, declaration.tenant_id, run_id, Jsonb(dict(card))]
    with connect_database(url) as connection:
        try:
            connection.execute(REGISTER, given)
        except psycopg.Error as error:
            hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
            raise TrainingError(
                f"the database does not register version {version} of {declaration.name}: "
                f"{error.diag.message_primary}.{hint} MLflow has the version; make promote "
                "registers it once the database takes it"
            ) from error


def newest(url: str, model: str) -> int:
    """The newest version that the database knows of a model; 0: none."""
    with connect_database(url) as connection:
        row: Any = connection.execute(NEWEST, [model]).fetchone()
    return int(row[0])


def signature_of(columns: tuple[Column, ...]) -> ModelSignature:
    """Features by their names, or the keys to fetch them by: each may be left out."""
    given = [
        ColSpec(DataType.string if one.categories else DataType.double, one.name, required=False)
        for one in columns
    ]
    keys = [
        ColSpec(DataType.long, "tenant_id", required=False),
        ColSpec(DataType.string, "symbol", required=False),
    ]
    return ModelSignature(Schema([*given, *keys]), Schema([ColSpec(DataType.double, "score")]))


def _log_facts(
    declaration: Declaration, found: TrainingSet, checked: Validation, card: Mapping[str, Any]
) -> None:
    mlflow.log_params(
        {
            "learner": declaration.learner.name,
            "seed": declaration.learner.seed,
            **declaration.learner.parameters,
            "tenant_id": declaration.tenant_id,
            "symbols": ",".join(declaration.symbols),
            "label": declaration.label,
            "horizon_s": declaration.horizon.total_seconds(),
            "folds": declaration.split.folds,
            "embargo_s": declaration.split.embargo.total_seconds(),
        }
    )
    mlflow.log_metrics({f"validation.{name}": value for name, value in checked.metrics.items()})
    for number, metrics in enumerate(checked.of_folds):
        mlflow.log_metrics({f"fold.{name}": value for name, value in metrics.items()}, number)
    source = {
        "model": declaration.name,
        "declaration": declaration.text,
        "label_sql": declaration.label_sql,
        **card["moments"],
        "digest": found.digest,
        "receipts": dict(found.receipts),
    }
    data = mlflow.data.from_pandas(  # type: ignore[attr-defined]
        found.frame,
        source=tracking.PitSource(source),
        targets=dataset.LABEL,
        name=declaration.name,
        digest=found.digest[: tracking.DIGEST_LENGTH],
    )
    mlflow.log_input(data, context="training", tags={tracking.DIGEST: found.digest})
    mlflow.set_tags(
        {
            "model": declaration.name,
            tracking.DIGEST: found.digest,
            "known_as_of": card["moments"]["known_as_of"],
            "moments.from": card["moments"]["from"],
            "moments.to": card["moments"]["to"],
            "lock_sha256": card["lock_sha256"],
            "git_commit": card["git_commit"],
            **{f"{tracking.RECEIPT}{name}": line for name, line in found.receipts.items()},
            **{f"{tracking.DEFINITION}{name}": of for name, of in found.definitions.items()},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / tracking.DECLARATION).write_text(declaration.text)
        (path / tracking.LABEL_SQL).write_text(declaration.label_sql)
        found.frame.to_parquet(path / tracking.TRAINING_SET, index=False)
        mlflow.log_artifacts(folder, "training")


def _log_plots(
    declaration: Declaration,
    found: TrainingSet,
    checked: Validation,
    fitted: Fitted,
    returns: np.ndarray[Any, np.dtype[np.float64]],
) -> None:
    labels, moments = found.labels[checked.places], found.moments_us[checked.places]
    meaning = "gain" if fitted.kind == "lightgbm" else "sum of absolute weights"
    rule = declaration.rule
    at, after = evaluation.equity(moments, checked.scores, returns, rule.enter_above, rule.cost_bps)
    _, free = evaluation.equity(moments, checked.scores, returns, rule.enter_above, 0)
    mlflow.log_metrics({"rule.after_costs": after[-1], "rule.without_costs": free[-1]})
    tenths = evaluation.calibration(checked.scores, labels)
    for name, figure in {
        "learning_curve": plots.learning_curve(checked.curve),
        "feature_importance": plots.importance(fitted.importance, meaning),
        "calibration": plots.calibration(tenths),
        "equity": plots.equity(at, after, free),
    }.items():
        mlflow.log_figure(figure, f"plots/{name}.png")


def _numbered(where: Tracking, model: str, version: int, known: int) -> int:
    """The version, with a number that the database does not know yet.

    MLflow counts from 1 again where its store is a new one, beside a database that is not.
    """
    while version <= known:
        same = where.client.get_model_version(model, str(version))
        after = where.client.create_model_version(
            model, same.source, same.run_id, model_id=same.source.removeprefix("models:/")
        )
        where.client.delete_model_version(model, str(version))
        version = int(after.version)
    return version


def _log_model(declaration: Declaration, fitted: Fitted, card: Mapping[str, Any]) -> int:
    """Log the model with its bundle; its version in the registry."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / tracking.BUNDLE
        fitted.write(bundle, card)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(PYFUNC),
            artifacts={tracking.BUNDLE: str(bundle)},
            code_paths=[str(PYFUNC.with_name("bundle.py"))],
            signature=signature_of(declaration.columns),
            pip_requirements=provenance.requirements(fitted.kind),
            registered_model_name=declaration.name,
        )
    # the last that is written: without it a run has no model
    mlflow.set_tag("model_uri", info.model_uri)
    return int(info.registered_model_version)
