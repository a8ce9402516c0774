"""The definitions are the contract's, and Feast has them as they are written."""

import math
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from feast import FeatureService, FeatureStore
from feast.repo_config import RepoConfig, load_repo_config
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import make_url

from engine import resolve
from engine.errors import ConfigError
from engine.resolve import Engine
from engine.settings import ENVIRONMENT
from feast_repo import definitions, environment
from feast_repo.api.models import example
from feast_repo.api.read import Catalog
from feast_repo.offline_store import PitOfflineStoreConfig
from tests.contracts import RSI, contract, written
from tests.feast.market import FIELDS_OF, Market

ROOT = Path(__file__).resolve().parents[2]
RATIOS = ["close_to_vwap", "close_to_sma_20", "range_bps"]


def test_every_field_of_the_contract_is_in_one_view(market: Market) -> None:
    """By the database's own copy of it, with type, unit and formula."""
    contract = market.world.connection.execute(
        "select feature_set, feature_view, field, data_type, unit, formula from market.contract"
        " order by feature_set, ordinal"
    ).fetchall()
    found = {
        (of, name, field.name): (str(field.dtype), field.tags["unit"], field.description)
        for of, views in definitions.feature_views().items()
        for name, view in views.items()
        for field in view.features
        if field.name != "bucket"
    }
    feast_types = {"double precision": "Float64", "text": "String"}
    assert found == {
        (of, view, name): (feast_types[kind], *rest) for of, view, name, kind, *rest in contract
    }
    assert len(contract) == 25


def test_the_first_view_of_each_set_has_the_bucket() -> None:
    having = [
        view.name
        for views in definitions.feature_views().values()
        for view in views.values()
        if "bucket" in {field.name for field in view.features}
    ]
    assert having == ["bar", "momentum", "session_bar"]


def registered(directory: Path, path: Path) -> FeatureStore:
    """A store in files, with what is made of another contract."""
    store = FeatureStore(
        config=RepoConfig(
            project="other",
            provider="local",
            registry=f"{directory}/registry.db",
            online_store={"type": "sqlite", "path": f"{directory}/online.db"},
            entity_key_serialization_version=3,
        )
    )
    store.apply(definitions.objects(path))
    return store


def served(store: FeatureStore, service: str) -> list[str]:
    """The columns that the API answers with for a service."""
    return list(Catalog.read(store).plan(service, (), False, False).names)


def test_all_views_of_a_set_have_one_source() -> None:
    """Where all is local, `feast apply` refuses a second one of its name."""
    for name, views in definitions.feature_views().items():
        assert {id(view.batch_source) for view in views.values()} == {id(definitions.LOGS[name])}


def test_a_field_more_in_the_contract_is_a_feature_more(tmp_path: Path) -> None:
    path = written(tmp_path, contract(more=RSI))
    before = list(definitions.contract_fields())
    assert list(definitions.contract_fields(path)) == [*before, "rsi_14"]
    views = definitions.contract_views(path)
    assert views == {**definitions.VIEWS, "strength": ("rsi_14",)}
    store = registered(tmp_path, path)
    (field,) = store.get_feature_view("strength").features
    assert (str(field.dtype), field.tags["unit"]) == ("Float64", RSI["unit"])
    assert served(store, "market_v1") == ["bucket", *before, "rsi_14"]
    assert example(views) == [
        "bar:open",
        "signal:sma_20",
        "liquidity:spread_bps",
        "strength:rsi_14",
        "momentum:sma_50",
        "pressure:order_flow_imbalance",
        "session_bar:high",
        "session_signal:previous_close",
    ]
    assert served(store, "market_1m") == served(store, "market_v1")


@pytest.mark.parametrize("gone", ["spread_bps", "vwap"])
def test_a_field_less_in_the_contract_is_a_feature_less(tmp_path: Path, gone: str) -> None:
    """Without one that the ratios are made of there are no ratios either."""
    path = written(tmp_path, contract(gone))
    store = registered(tmp_path, path)
    names = ["bucket", *(name for name in definitions.contract_fields() if name != gone)]
    assert served(store, "market_v1") == names
    others = {"spread_bps": ["market_ratios_v1"], "vwap": []}[gone]
    assert set(Catalog.read(store).services) == {*others, "market_v1", *definitions.LOGS}
    for service in others:
        assert served(store, service) == [*names, *RATIOS]


def test_a_type_that_feast_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, contract(more={**RSI, "data_type": "money"}))
    with pytest.raises(ValueError, match=r"rsi_14 is of the type 'money'; a feature can be double"):
        definitions.contract_fields(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"feature_view": "session_bar"},
            "the feature view session_bar has fields of market_1m and of daily; it belongs to one",
        ),
        ({"feature_view": "daily"}, "daily is there twice among the names of entities, feature"),
        ({"feature_view": "ratio"}, "ratio is there twice"),
        ({"feature_set": "hourly"}, "rsi_14 is of 'hourly', which is no set"),
    ],
)
def test_a_name_that_two_things_would_have_is_refused(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        definitions.objects(written(tmp_path, contract(more={**RSI, **change})))


def test_a_set_is_a_service_by_its_name(store: FeatureStore) -> None:
    assert served(store, "momentum_1m") == [*FIELDS_OF["momentum_1m"]]
    assert served(store, "daily") == [*FIELDS_OF["daily"]]


def test_the_registry_has_them(store: FeatureStore) -> None:
    assert {view.name for view in store.list_feature_views()} >= set(definitions.VIEWS)
    service = store.get_feature_service("market_v1")
    names = [field.name for view in service.feature_view_projections for field in view.features]
    assert sorted(names) == sorted(["bucket", *definitions.contract_fields()])
    ratios = store.get_on_demand_feature_view("ratio")
    assert [field.name for field in ratios.features] == RATIOS


def test_feast_apply_by_its_own_command(store: FeatureStore, market: Market) -> None:
    """What is no longer defined goes, and roles may read it."""
    gone = FeatureService(name="gone", features=[definitions.bar])
    store.apply(gone)
    finished = subprocess.run(
        [sys.executable, "-m", "feast_repo", "feast", "apply"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "", "FEAST_REGISTRY": str(store.config.registry.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "experimental" not in finished.stderr
    store.refresh_registry()  # type: ignore[no-untyped-call] # Feast gives it no types
    assert {s.name for s in store.list_feature_services()} >= {"market_v1", "market_ratios_v1"}
    assert "gone" not in {s.name for s in store.list_feature_services()}
    if store.config.registry.path.startswith("sqlite"):
        return
    readable = market.world.connection.execute(
        "select has_table_privilege(r, 'feast.feature_views', 'select'),"
        " has_table_privilege(r, 'feast.feature_views', 'update')"
        " from unnest(array['market_reader', 'market_pool', 'market_operator', 'market_tenant'])"
        " as r"
    ).fetchall()
    assert readable == [(True, False), (True, False), (True, True), (False, False)]


values = st.one_of(st.none(), st.floats(0.01, 1e6), st.just(math.nan))


@given(st.lists(st.tuples(values, values, values, values, values), min_size=1, max_size=5))
def test_ratios_of_anything_that_a_snapshot_gives(rows: list[tuple[float | None, ...]]) -> None:
    names = ("high", "low", "close", "vwap", "sma_20")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    found = definitions.ratio.feature_transformation.udf(columns)
    for place, row in enumerate(rows):
        high, low, close, vwap, sma = (
            None if value is None or math.isnan(value) else value for value in row
        )
        assert found["close_to_vwap"][place] == (
            None if close is None or vwap is None else close / vwap - 1
        )
        assert found["close_to_sma_20"][place] == (
            None if close is None or sma is None else close / sma - 1
        )
        assert found["range_bps"][place] == (
            None if high is None or low is None or close is None else (high - low) / close * 10_000
        )


@pytest.mark.parametrize(
    ("url", "setting"),
    [
        ("redis://h", r'"h:6379,db=0"'),
        ("redis://h:1/3", r'"h:1,db=3"'),
        ("rediss://u:p%40s@h:1/0", r'"h:1,db=0,username=\"u\",password=\"p@s\",ssl=true"'),
        ("redis://:123@h", r'"h:6379,db=0,password=\"123\""'),
    ],
)
def test_redis_url_as_feast_writes_it(url: str, setting: str) -> None:
    assert environment.redis_setting(url) == setting


@pytest.mark.parametrize("url", ["http://h", "redis://", "redis://:a,b@h", "h:6379"])
def test_a_redis_url_that_feast_cannot_use(url: str) -> None:
    with pytest.raises(ConfigError, match="REDIS_URL"):
        environment.redis_setting(url)


def read_by_feast(prepared: environment.Prepared, monkeypatch: pytest.MonkeyPatch) -> RepoConfig:
    """The configuration as Feast's own command makes it."""
    for name, value in prepared.variables.items():
        monkeypatch.setenv(name, value)
    return load_repo_config(environment.REPO, prepared.profile)


@pytest.mark.parametrize("handed_on", [True, False])
def test_passwords_reach_feast_whatever_is_in_them(
    handed_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a server that is not there: only how its address is written matters."""
    password = "a: b#'\"\\${}@/%"  # noqa: S105 - of nobody
    url = make_conninfo(host="h", user="u", dbname="d", password=password, sslmode="require")
    monkeypatch.setattr(environment, "STATE_DIR", tmp_path)
    monkeypatch.setattr(environment, "connect", lambda _: nullcontext())
    monkeypatch.setattr(environment, "require_migrated", lambda _: None)
    monkeypatch.setattr(environment, "has_many_backends", lambda _: True)
    prepared = environment.prepare({"DATABASE_URL": url, "FEAST_ONLINE": "postgres"})
    config = prepared.config() if handed_on else read_by_feast(prepared, monkeypatch)
    assert config.offline_store.password == password
    assert config.online_store.password == password
    assert config.online_store.sslmode == "require"
    assert make_url(config.registry.path).password == password


@pytest.mark.usefixtures("store")
def test_what_make_exports_empty_is_not_set(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "start", lambda **_: Engine("given", market.world.url))
    env = {**os.environ, "DATABASE_URL": "", "FEAST_ONLINE": ""}
    prepared = environment.prepare(env)
    assert prepared.profile == environment.PROFILES["redis"]
    assert prepared.database_url == make_conninfo(market.world.url)


@pytest.mark.usefixtures("store")
def test_preparing_leaves_the_environment_alone() -> None:
    before = dict(os.environ)
    prepared = environment.prepare(ENVIRONMENT)
    prepared.config()
    assert dict(os.environ) == before
    assert set(prepared.variables) >= {"FEAST_REGISTRY", "FEAST_REDIS", "FEAST_DATABASE_URL"}


def test_what_libpq_takes_of_the_environment_is_said_to_feast() -> None:
    env = {"PGUSER": "u", "PGPASSWORD": "p w", "PGSSLMODE": "require", "PGSSLCERT": "/c"}
    found = environment.complete("postgresql://h/d?sslmode=verify-full", env)
    config = PitOfflineStoreConfig.model_validate({"database_url": found})
    assert (config.user, config.password, config.sslcert_path) == ("u", "p w", "/c")
    assert config.sslmode == "verify-full"
    assert environment.complete("host=h user=me", {"PGUSER": "u"}) == "host=h user=me"


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigError, match="use one of redis, postgres, sqlite"):
        environment.prepare({"FEAST_ONLINE": "cassandra"})
