"""make promote: an alias for a version whose training set still holds, or why it gets none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg
from feast import FeatureStore
from mlflow.exceptions import MlflowException
from psycopg.types.json import Jsonb

from engine.server import connect as connect_database
from feast_repo.receipts import AT, SYMBOL, TENANT
from feast_repo.store import database_url
from training import dataset, evaluation, leaks, tracking
from training.dataset import TrainingSet
from training.declaration import Declaration
from training.errors import PromotionRefused, TrainingError
from training.reproduce import read_again
from training.split import Fold
from training.tracking import Kept, Tracking
from training.train import register

ALIASES: Final = ("champion", "canary", "shadow")
PROMOTE: Final = "select model.promote(%s, %s, %s, %s, %s)"


def promote(
    store: FeatureStore, where: Tracking, model: str, version: str, alias: str, reason: str
) -> dict[str, Any]:
    """Give an alias of a model to a version, in MLflow and in the database; return the evidence.

    Errors: PromotionRefused where its digest is not derived again, the leak check fails, or its
    validation is worse than the champion's by more than the declared margin; TrackingError,
    TrainingError. Nothing is changed by any of them.
    """
    if alias not in ALIASES:
        raise TrainingError(f"AS={alias!r}: use one of {', '.join(ALIASES)}")
    if not reason.strip():
        raise TrainingError('REASON is empty: say why, for whoever reads it later (REASON="...")')
    if not version.isdecimal():
        raise TrainingError(f"VERSION={version!r}: give the number that make train printed")
    found = tracking.version_of(where, model, version)
    kept = tracking.kept(where, found.run_id)
    evidence = examined(store, where, kept, int(version))
    url = database_url(store)
    register(url, kept.declaration, int(version), kept.run_id, kept.bundle.card)
    with where.turn():
        _set(url, where, kept.declaration.name, alias, int(version), reason, evidence)
    return evidence


def examined(store: FeatureStore, where: Tracking, kept: Kept, version: int) -> dict[str, Any]:
    """What a promotion is decided on. Errors: PromotionRefused."""
    name = f"version {version} of {kept.declaration.name}"
    now, differing = read_again(store, kept)
    found = leaks.check(store, kept.declaration, kept.frame, now)
    if found.found:
        raise PromotionRefused(
            f"{name} is not promoted, the leak check fails: {_list(found.found)}"
        )
    if differing:
        raise PromotionRefused(
            f"{name} is not promoted, its digest {kept.bundle.card['digest']} cannot be derived "
            f"again, the database gives {now.digest}: {_list(differing)}"
        )
    metric, margin = kept.declaration.metric, kept.declaration.margin
    folds = now.folds(kept.declaration)
    own = metrics_of(kept.declaration, now, folds)
    evidence: dict[str, Any] = {
        "digest": now.digest,
        "known_as_of": now.known_as_of.isoformat(),
        "leakage_avoided": found.avoided,
        "metric": metric,
        "margin": margin,
        "validation": own,
    }
    champion = _champion(where, kept.declaration.name)
    if champion is None or int(champion.version) == version:
        return evidence
    other = tracking.kept(where, champion.run_id).declaration
    theirs = metrics_of(other, _same_rows(store, other, now), folds)
    evidence["champion"] = {"version": int(champion.version), "validation": theirs}
    if metric not in own or metric not in theirs:
        raise PromotionRefused(f"{name} is not promoted: the tests have rows of one label only")
    if evaluation.is_worse(metric, own[metric], theirs[metric], margin):
        raise PromotionRefused(
            f"{name} is not promoted: over the same {len(now.frame):,} rows its {metric} is "
            f"{own[metric]:.6f} walk-forward, that of the champion, version {champion.version}, "
            f"{theirs[metric]:.6f}; at most {margin:g} worse is allowed"
        )
    return evidence


def metrics_of(
    declaration: Declaration, rows: TrainingSet, folds: Sequence[Fold]
) -> dict[str, float]:
    """What a declaration's learner reaches in tests over rows."""
    return dict(
        evaluation.validate(
            declaration, rows.columns, rows.matrix, rows.labels, folds, curve=False
        ).metrics
    )


def _same_rows(store: FeatureStore, declaration: Declaration, rows: TrainingSet) -> TrainingSet:
    """The rows of a training set with another declaration's columns, and with their own labels."""
    keys = rows.frame[[TENANT, SYMBOL, AT]]
    features, _ = dataset.features(store, declaration.columns, keys, receipts=False)
    return replace(
        rows,
        columns=declaration.columns,
        matrix=dataset.encoded(declaration.columns, features),
    )


def _champion(where: Tracking, model: str) -> Any:
    """The version that is the champion, None where there is none."""
    try:
        return where.client.get_model_version_by_alias(model, "champion")
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise TrainingError(f"MLflow does not tell the champion of {model}: {error}") from error


def _set(
    url: str,
    where: Tracking,
    model: str,
    alias: str,
    version: int,
    reason: str,
    evidence: dict[str, Any],
) -> None:
    """The alias in both places, or in none."""
    before = where.client.get_registered_model(model).aliases.get(alias)
    with tracking.told(where, f"the alias {alias} of {model} cannot be set"):
        where.client.set_registered_model_alias(model, alias, str(version))
    with connect_database(url) as connection:
        try:
            connection.execute(PROMOTE, [model, alias, version, reason, Jsonb(evidence)])
        except psycopg.Error as error:
            if before is None:
                where.client.delete_registered_model_alias(model, alias)
            else:
                where.client.set_registered_model_alias(model, alias, before)
            raise TrainingError(
                f"the database does not promote version {version} of {model}: "
                f"{error.diag.message_primary or error}. The alias is as it was"
            ) from error


def _list(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
