"""The way of a model, really: trained, trained again, reproduced elsewhere, promoted or refused."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import psycopg
import pytest

from tests.documents import block
from tests.training import day
from tests.training.conftest import ROOT, Said, Trainer
from training.bundle import CARD

MODEL = "direction_5m"
LINEAR = "direction_5m_linear"
UNTIL = day.FIRST + timedelta(minutes=day.MINUTES)
PLOTS = ("learning_curve", "feature_importance", "calibration", "equity")
SNAPSHOT = "select * from {}_pit_snapshot(array[%s], %s::timestamptz, p_tenant_id => %s)"


class Trained:
    """A version that was trained, and where the parts of its run lie."""

    def __init__(self, trainer: Trainer, model: str, said: Said) -> None:
        assert said.code == 0, said.err
        self.said = said
        self.run = said.after("run")
        self.version = said.after("version").partition(" ")[0]
        self.client = mlflow.MlflowClient(trainer.env["MLFLOW_TRACKING_URI"])
        self.kept = self.client.get_run(self.run)
        self.tags = self.kept.data.tags
        self.artifacts = Path(self.kept.info.artifact_uri.removeprefix("file://"))
        name = self.tags["model_uri"].removeprefix("models:/")
        self.bundle = next(self.artifacts.parents[1].rglob(f"{name}/artifacts/artifacts/bundle"))
        self.card: dict[str, Any] = json.loads((self.bundle / CARD).read_text())
        self.model = model

    @property
    def digest(self) -> str:
        found: str = self.card["digest"]
        return found


@pytest.fixture(scope="module")
def trained(trainer: Trainer, models: Path) -> dict[str, Trained]:
    """Both shipped models."""
    return {
        name: Trained(trainer, model, trainer.run("train", model, "--models", str(models)))
        for name, model in (("first", MODEL), ("linear", LINEAR))
    }


@pytest.fixture
def first(trained: dict[str, Trained]) -> Trained:
    return trained["first"]


@pytest.fixture
def mended(first: Trained) -> Iterator[Trained]:
    """The first one, whose files are put back as they were."""
    folders = (first.artifacts, first.bundle)
    saved = [folder.with_name(f"{folder.name}.saved") for folder in folders]
    for folder, copy in zip(folders, saved, strict=True):
        shutil.copytree(folder, copy)
    yield first
    for folder, copy in zip(folders, saved, strict=True):
        shutil.rmtree(folder)
        copy.rename(folder)


def rows(url: str, query: str, *given: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode(), given).fetchall()


def make(trainer: Trainer, *words: str, **env: str) -> Said:
    """A target of the Makefile, in the trainer's settings."""
    done = subprocess.run(
        ["make", "-s", f"VENV={sys.prefix}", *words],
        cwd=ROOT,
        env={**trainer.env, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def aliases(one: Trained) -> dict[str, str]:
    """The versions of a model's aliases in MLflow, which has them as numbers or as texts."""
    found = one.client.get_registered_model(one.model).aliases
    return {alias: str(version) for alias, version in found.items()}


def test_a_run_holds_all_that_made_the_model(first: Trained, day_database: str) -> None:
    card, tags = first.card, first.tags
    assert tags["digest"] == card["digest"] == first.said.after("digest:").partition(" ")[0]
    assert set(card["receipts"]) == {"market_1m.1", "momentum_1m.1"}
    for name, line in card["receipts"].items():
        assert tags[f"receipt.{name}"] == line
        assert line.startswith("pit1.")
    known = dict(rows(day_database, "select feature_set, hash from feature.definition"))
    assert card["definitions"] == {name: known[name] for name in ("market_1m", "momentum_1m")}
    assert tags["definition.market_1m"] == known["market_1m"]
    ((published_at,),) = rows(day_database, "select published_at from feature.clock")
    assert card["moments"]["known_as_of"] == tags["known_as_of"]
    assert UNTIL < pd.Timestamp(tags["known_as_of"]) <= published_at
    lock = Path(__file__).resolve().parents[2] / "training" / "requirements.lock"
    assert tags["lock_sha256"] == hashlib.sha256(lock.read_bytes()).hexdigest()
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", tags["git_commit"])
    metrics = first.kept.data.metrics
    assert metrics["validation.log_loss"] == card["metrics"]["log_loss"]
    assert metrics["validation.auc"] > 0.6
    assert {"rule.after_costs", "rule.without_costs", "fold.log_loss"} <= set(metrics)
    assert first.kept.data.params["num_leaves"] == "7"
    plots = {path.name for path in (first.artifacts / "plots").iterdir()}
    assert plots == {
        "learning_curve.png",
        "feature_importance.png",
        "calibration.png",
        "equity.png",
    }
    kept = pd.read_parquet(first.artifacts / "training" / "training_set.parquet")
    assert len(kept) == card["moments"]["rows"] > 900


def test_the_dataset_of_a_run_is_found_by_its_digest_and_loads_again(
    trainer: Trainer, first: Trained
) -> None:
    found = trainer.ask("source", first.run)["value"]
    assert found["digest"] == first.digest[:36]
    assert found["tags"]["digest"] == first.digest
    assert found["rows"] == first.card["moments"]["rows"]
    assert "market_1m.regime_tag" in found["columns"]
    runs = first.client.search_runs(
        [first.kept.info.experiment_id], f"dataset.digest = '{first.digest[:36]}'"
    )
    assert first.run in {run.info.run_id for run in runs}


def test_the_database_knows_the_version_by_its_card(first: Trained, day_database: str) -> None:
    query = "select tenant_id, run_id, card from model.version where model = %s and version = %s"
    ((tenant, run, card),) = rows(day_database, query, MODEL, int(first.version))
    assert (tenant, run, card) == (day.TENANT, first.run, first.card)


def test_two_trainings_at_once_are_two_versions_of_the_same_bytes(
    trainer: Trainer, training_python: Path, first: Trained, models: Path, day_database: str
) -> None:
    log = {"TRAINER_LOG": f"{trainer.env['TRAINER_LOG']}.beside"}
    beside = Trainer(training_python, {**trainer.env, **log})
    # once it has imported what takes seconds
    assert beside.run("reproduce", "0" * 32).code == 1
    with ThreadPoolExecutor(2) as both:
        found = both.map(
            lambda one: one.run("train", MODEL, "--models", str(models)), (trainer, beside)
        )
        again = [Trained(trainer, MODEL, said) for said in found]
    beside.close()
    versions = {one.version for one in (first, *again)}
    assert len(versions) == 3
    content = (first.bundle / "model.txt").read_bytes()
    for made in again:
        assert (made.digest, made.card["metrics"]) == (first.digest, first.card["metrics"])
        assert (made.bundle / "model.txt").read_bytes() == content
    query = "select version::text, run_id from model.version where model = %s"
    there = dict(rows(day_database, query, MODEL))
    assert versions <= set(there)
    assert {made.version: made.run for made in again}.items() <= there.items()


@pytest.mark.parametrize("name", ["first", "linear"])
def test_it_is_reproduced_on_a_rebuilt_database(
    trainer: Trainer, trained: dict[str, Trained], rebuilt_database: str, name: str
) -> None:
    said = trainer.run("reproduce", trained[name].run, DATABASE_URL=rebuilt_database)
    assert said.code == 0, said.out + said.err
    assert "the same bytes" in said.out
    count = trained[name].card["moments"]["rows"]
    assert f"scores: {count:,} of {count:,} are the same to the bit" in said.out
    assert said.out.endswith("reproduced\n")


def test_what_differs_is_named_by_row_and_field(
    trainer: Trainer, first: Trained, rebuilt_database: str
) -> None:
    at = day.FIRST + timedelta(minutes=200)
    change = """
        update feature.log set spread_bps = spread_bps {} 1
        where symbol = 'SYN_BTCUSD' and bucket = %s
    """
    with psycopg.connect(rebuilt_database, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        assert connection.execute(change.format("+").encode(), [at]).rowcount == 1
        try:
            said = trainer.run("reproduce", first.run, DATABASE_URL=rebuilt_database)
            refused = trainer.run(
                *("promote", MODEL, first.version, "champion", "a test"),
                DATABASE_URL=rebuilt_database,
            )
        finally:
            connection.execute(change.format("-").encode(), [at])
    assert said.code == 1
    named = r"row \d+ \(SYN_BTCUSD of tenant 1, as of 2025-03-04T11:21:00\+00:00\): "
    assert re.search(named + r"market_1m.spread_bps was [\d.]+ and is [\d.]+", said.out), said.out
    assert "NOT reproduced" in said.out
    assert refused.code == 1
    assert re.search(r"cannot be derived again, .*\n  " + named, refused.err), refused.err
    assert rows(rebuilt_database, "select * from model.alias") == []
    assert aliases(first) == {}


def test_keys_alone_and_rows_of_features_give_the_same_bits(
    trainer: Trainer, trained: dict[str, Trained], day_database: str
) -> None:
    assert "error" not in trainer.ask("online", UNTIL.isoformat())
    keys = [{"tenant_id": day.TENANT, "symbol": symbol} for symbol in day.SYMBOLS]
    for one in (trained["first"], trained["linear"]):
        given = []
        for key in keys:
            row: dict[str, Any] = {}
            for feature_set, prefix in (("market_1m", "feature"), ("momentum_1m", "momentum_1m")):
                with psycopg.connect(day_database) as connection:
                    query = SNAPSHOT.format(prefix).encode()
                    cursor = connection.execute(query, [key["symbol"], UNTIL, day.TENANT])
                    names = [column.name for column in cursor.description or []]
                    values = dict(zip(names, cursor.fetchone() or (), strict=True))
                row |= {
                    f"{feature_set}.{column['field']}": values[column["field"]]
                    for column in one.card["columns"]
                    if column["feature_set"] == feature_set
                }
            given.append(row)
        fetched = trainer.ask("predict", one.tags["model_uri"], keys)
        assert "error" not in fetched, fetched["trace"]
        assert fetched["value"] == trainer.ask("predict", one.tags["model_uri"], given)["value"]
        assert len(set(fetched["value"])) == len(keys)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"market_1m.spread_bps": 1.0}, "the rows lack market_1m.volatility_1h, market_1m.regime"),
        ({"symbol": "SYN_BTCUSD"}, "the model takes market_1m.volatility_1h.* or tenant_id and s"),
        ({"tenant_id": 1, "symbol": "SYN_GC"}, "nothing is online of SYN_GC of tenant 1"),
        ({"tenant_id": 2, "symbol": "SYN_BTCUSD"}, "nothing is online of SYN_BTCUSD of tenant 2"),
    ],
)
def test_a_question_that_cannot_be_scored_is_refused(
    trainer: Trainer, first: Trained, given: dict[str, Any], said: str
) -> None:
    found = trainer.ask("predict", first.tags["model_uri"], [given])
    assert re.search(said, found["error"]), found


def test_a_promotion_is_an_alias_in_both_places_and_an_audit_event(
    trainer: Trainer, first: Trained, day_database: str
) -> None:
    said = trainer.run("promote", MODEL, first.version, "champion", "the first one")
    assert said.code == 0, said.err
    assert f"version {first.version} of {MODEL} is its champion" in said.out
    assert aliases(first) == {"champion": first.version}
    query = "select alias, version, reason from model.alias where model = %s"
    expected = [("champion", int(first.version), "the first one")]
    assert rows(day_database, query, MODEL) == expected
    query = "select evidence from model.promotion where alias = 'champion'"
    ((evidence,),) = rows(day_database, query)
    assert evidence["digest"] == first.digest
    # late trades: what a join by event time would have put in, and this set does not hold
    assert evidence["leakage_avoided"]["market_1m"]["any"] > 0
    assert evidence["validation"]["log_loss"] == first.card["metrics"]["log_loss"]
    events = "select count(*) from audit.event where object = 'model.promotion'"
    assert rows(day_database, events) == [(1,)]


def test_a_version_that_is_worse_than_the_champion_is_refused_and_a_better_one_is_not(
    trainer: Trainer, first: Trained, models: Path, tmp_path: Path, day_database: str
) -> None:
    assert trainer.run("promote", MODEL, first.version, "champion", "again").code == 0
    text = (models / f"{MODEL}.toml").read_text()
    (tmp_path / f"{MODEL}.toml").write_text(text.replace("= 60\nlearning", "= 1\nlearning"))
    shutil.copy(models / f"{MODEL}.sql", tmp_path)
    worse = Trained(trainer, MODEL, trainer.run("train", MODEL, "--models", str(tmp_path)))
    before = rows(day_database, "select * from model.promotion")
    said = trainer.run("promote", MODEL, worse.version, "canary", "a test")
    assert said.code == 1
    assert re.search(
        rf"version {worse.version} of {MODEL} is not promoted: over the same [\d,]+ rows its "
        rf"log_loss is 0\.\d+ walk-forward, that of the champion, version {first.version}, 0\.\d+; "
        "at most 0.02 worse is allowed",
        said.err,
    ), said.err
    assert rows(day_database, "select * from model.promotion") == before
    assert "canary" not in aliases(first)
    assert trainer.run("promote", MODEL, first.version, "canary", "as good").code == 0


def test_a_training_set_that_saw_the_future_is_refused(
    trainer: Trainer, mended: Trained, day_database: str
) -> None:
    path = mended.artifacts / "training" / "training_set.parquet"
    kept = pd.read_parquet(path)
    at = kept["event_timestamp"].map(lambda one: one.to_pydatetime()).tolist()
    later = rows(
        day_database,
        "select s.order_imbalance from feature_pit_snapshot(%s::text[], %s::timestamptz[],"
        " feature.for_each(%s::text[], now()), 1) as s",
        *(kept["symbol"].tolist(), at, kept["symbol"].tolist()),
    )
    kept["market_1m.order_imbalance"] = [value for (value,) in later]
    kept.to_parquet(path, index=False)
    said = trainer.run("promote", MODEL, mended.version, "shadow", "a test")
    assert said.code == 1
    assert re.search(
        r"the leak check fails: \n  market_1m.order_imbalance holds what became known later in "
        r"\d+ rows, the first row \d+ \(SYN_",
        said.err,
    ), said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "nobody"), "no model nobody: training/models/ has direction_5m"),
        (("train", ""), "MODEL is not given"),
        (("reproduce", ""), "RUN is not given"),
        (("reproduce", "0" * 32), "is no run of MLflow at sqlite:"),
        (
            ("promote", MODEL, "99", "champion", "why"),
            "the registry has no version 99 of dir",
        ),
        (("promote", "nobody", "1", "champion", "why"), "no version 1 of nobody: make train MODEL"),
        (("promote", MODEL, "1", "leader", "why"), "AS='leader': use one of champion, canary, sh"),
        (("promote", MODEL, "one", "champion", "why"), "VERSION='one': give the number"),
        (("promote", MODEL, "1", "champion", " "), "REASON is empty: say why"),
    ],
)
@pytest.mark.usefixtures("trained")
def test_a_command_that_cannot_be_run_says_why(
    trainer: Trainer, arguments: tuple[str, ...], said: str
) -> None:
    found = trainer.run(*arguments)
    assert found.code == 1
    assert re.search(said, found.err), found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("tenant_id = 1", "tenant_id = 2", "no closed bar of SYN_BTCUSD, SYN_ETHUSD of tenant 2"),
        ('"SYN_ETHUSD"', '"SYN_ES"', "tenant 1 has no SYN_ES: declare symbols of its own"),
        ("newest_rows = 10000", "newest_rows = 40", "are too few"),
        ("min_data_in_leaf = 40", "min_data_in_leaf = -1", "lightgbm refuses .*min_data_in_leaf"),
        ('"range", "trend_down"', '"trend_down"', "a row cannot be learned from: .*'range'"),
    ],
)
def test_a_model_that_cannot_be_trained_leaves_no_version(
    trainer: Trainer, first: Trained, models: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (models / f"{MODEL}.toml").read_text()
    assert old in text
    (tmp_path / f"{MODEL}.toml").write_text(text.replace(old, new))
    shutil.copy(models / f"{MODEL}.sql", tmp_path)
    before = len(first.client.search_model_versions(f"name = '{MODEL}'"))
    found = trainer.run("train", MODEL, "--models", str(tmp_path))
    assert found.code == 1
    assert re.search(said, found.err), found.err
    assert len(first.client.search_model_versions(f"name = '{MODEL}'")) == before


@pytest.mark.parametrize("name", ["model.txt", CARD])
def test_a_half_written_bundle_is_refused(trainer: Trainer, mended: Trained, name: str) -> None:
    whole = (mended.bundle / name).read_bytes()
    (mended.bundle / name).write_bytes(whole[: len(whole) // 2])
    for command in (("reproduce", mended.run), ("promote", MODEL, mended.version, "shadow", "x")):
        found = trainer.run(*command)
        assert found.code == 1
        assert re.search(r"the artifacts of run \w+ are not whole", found.err), found.err


def test_a_run_without_a_model_is_refused(trainer: Trainer, first: Trained) -> None:
    half = first.client.create_run(first.kept.info.experiment_id, tags={"model": MODEL})
    found = trainer.run("reproduce", half.info.run_id)
    assert found.code == 1
    assert "is half-written, or not one of make train" in found.err


def test_mlflow_away_is_said_before_anything_is_read(trainer: Trainer) -> None:
    found = trainer.run("train", MODEL, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert found.code == 1
    assert re.search(r"MLflow at http://127.0.0.1:9 does not answer .*make mlflow", found.err)


def test_a_server_has_the_same_and_versions_go_on_from_the_databases(
    trainer: Trainer, first: Trained, models: Path, server: str, day_database: str
) -> None:
    ((newest,),) = rows(
        day_database, "select max(version) from model.version where model = %s", MODEL
    )
    # a store that counts from 1 again
    said = trainer.run("train", MODEL, "--models", str(models), MLFLOW_TRACKING_URI=server)
    assert said.code == 0, said.err
    version, run = str(newest + 1), said.after("run")
    assert said.after("version") == f"{version} of {MODEL}"
    client = mlflow.MlflowClient(server)
    found = client.search_model_versions(f"name = '{MODEL}'")
    assert [(str(one.version), one.run_id) for one in found] == [(version, run)]
    query = "select run_id from model.version where model = %s and version = %s"
    assert rows(day_database, query, MODEL, newest + 1) == [(run,)]
    assert first.digest in said.out
    # its artifacts come through the server, and are the same to the byte
    again = trainer.run("reproduce", run, MLFLOW_TRACKING_URI=server)
    assert again.code == 0, again.out + again.err
    assert "the same bytes" in again.out
    promoted = ("promote", MODEL, version, "shadow", "from a server")
    assert trainer.run(*promoted, MLFLOW_TRACKING_URI=server).code == 0
    assert str(client.get_registered_model(MODEL).aliases["shadow"]) == version


def test_a_server_that_cannot_be_started_says_why(trainer: Trainer, server: str) -> None:
    taken = trainer.run("mlflow", "--port", server.rpartition(":")[2])
    assert (taken.code, "is taken" in taken.err) == (1, True)
    away = trainer.run("mlflow", "--port", "1", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (away.code, "names a server of yours" in away.err) == (1, True)


def test_the_commands_of_the_document(trainer: Trainer, first: Trained, models: Path) -> None:
    for line in block("docs/models.md", "make train").splitlines():
        words = shlex.split(line.replace("<run>", first.run).replace("<version>", first.version))
        told = make(trainer, "-n", *words[1:])
        assert told.code == 0, told.err
        (command,) = (one for one in told.out.splitlines() if " -m training " in one)
        _, _, _, *arguments = shlex.split(command)
        more = ["--models", str(models)] if arguments[0] == "train" else []
        said = trainer.run(*arguments, *more)
        assert said.code == 0, said.out + said.err
    assert "error" not in trainer.ask("online", UNTIL.isoformat())
    given = [{"tenant_id": 1, "symbol": "SYN_BTCUSD"}]
    found = trainer.ask("document", block("docs/models.md", "import mlflow"))
    assert "error" not in found, found["trace"]
    assert found["value"] == trainer.ask("predict", first.tags["model_uri"], given)["value"]
