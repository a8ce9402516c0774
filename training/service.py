"""A model's feature service: what Feast asks for by one name, offline and online."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from feast import FeatureService, FeatureStore
from feast.errors import FeatureServiceNotFoundException

from engine.settings import Env
from feast_repo.store import apply, open_store, share_registry
from feast_repo.store import database_url as url_of
from training.bundle import Bundle, Column
from training.dataset import references


def opened(env: Env) -> FeatureStore:
    """The feature store, with all that definitions.py names in its registry. Errors: EngineError.

    A fresh database has none of it yet.
    """
    store = open_store(env)
    apply(store)
    return store


def register(store: FeatureStore, name: str, columns: Sequence[Column]) -> FeatureService:
    """Have the registry know the service of these columns; the same again changes nothing.

    Errors: Feast's, where this login may not write its registry.
    """
    fields: dict[str, list[str]] = {}
    for view, field in references(columns).values():
        fields.setdefault(view, []).append(field)
    views = {view: store.get_feature_view(view) for view in fields}
    found = FeatureService(
        name=name,
        features=[views[view][wanted] for view, wanted in fields.items()],
        description="What the model of that name learned from.",
    )
    store.apply([found])
    share_registry(url_of(store))
    return found


def online(
    store: FeatureStore, bundle: Bundle, keys: Sequence[Mapping[str, Any]]
) -> list[list[Any]]:
    """What is online of each key by the model's service, in the order of its columns.

    Errors: ValueError for a key of which nothing is online.
    """
    name = bundle.card["feature_service"]
    try:
        service = store.get_feature_service(name)
    except FeatureServiceNotFoundException:
        # `feast apply` drops what definitions.py does not name
        service = register(store, name, bundle.columns)
    answer = store.get_online_features(
        service, [dict(key) for key in keys], full_feature_names=True
    ).to_dict()
    views = references(bundle.columns)
    read = [answer["__".join(views[column.name])] for column in bundle.columns]
    rows = [list(row) for row in zip(*read, strict=True)]
    for key, row in zip(keys, rows, strict=True):
        if all(value is None for value in row):
            raise ValueError(
                f"nothing is online of {key['symbol']} of tenant {key['tenant_id']}: its market "
                "is closed, or nobody wrote it; make push keeps it there, make materialize writes "
                "it once"
            )
    return rows
