import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from embedded import broker
from engine import resolve
from engine.errors import ConfigError
from ingest import config
from ingest.__main__ import main
from ingest.config import Config, StreamConfig
from ingest.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]

ADDRESSES = {"DATABASE_URL": "postgresql://a/b", "KAFKA_BOOTSTRAP": "k:9092"}


def _documented() -> dict[str, str]:
    text = (ROOT / "docs" / "ingest.md").read_text()
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", text, re.MULTILINE))


def test_every_variable_is_documented() -> None:
    source = Path(config.__file__).read_text()
    read = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', source))
    topics = {kind.setting for kind in KINDS.values()}
    assert read | topics == set(_documented())
    without_field = {"SCHEMA_REGISTRY_USER", "SCHEMA_REGISTRY_PASSWORD"}
    assert len({*(read - without_field), "topics"}) == len(fields(Config))


def test_the_documented_defaults_are_the_defaults() -> None:
    settings = Config.from_env(ADDRESSES)
    values = {str(value) for value in (*vars(settings).values(), *settings.topics.values())}
    defaults = re.findall(r"\(([^)]+)\)", " ".join(_documented().values()))
    assert len(defaults) == 11
    for default in defaults:
        assert default in values or f"{default}.0" in values


def test_topics_are_documented_with_their_dead_letters() -> None:
    for kind in KINDS.values():
        assert "<topic>.dlq" in _documented()[kind.setting]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_bad_number_names_the_variable(value: str) -> None:
    with pytest.raises(ConfigError, match=f"BATCH_SIZE='{value}': set it to a number"):
        Config.from_env(ADDRESSES | {"BATCH_SIZE": value})


def test_one_topic_for_two_kinds_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose two topics"):
        Config.from_env(ADDRESSES | {"TRADE_TOPIC": "quotes"})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://sr/api", "https://u%40x:p%3Aw%2F@sr/api"),
        ("https://a:b@sr/api", "https://a:b@sr/api"),
    ],
)
def test_the_registrys_user_and_password_are_in_its_url(url: str, expected: str) -> None:
    login = {"SCHEMA_REGISTRY_USER": "u@x", "SCHEMA_REGISTRY_PASSWORD": "p:w/"}
    settings = Config.from_env(ADDRESSES | {"SCHEMA_REGISTRY_URL": url} | login)
    assert settings.schema_registry_url == expected
    assert "sr/api" not in repr(settings)


@pytest.mark.parametrize("env", [{}, {"SCHEMA_REGISTRY_URL": ""}, {"SCHEMA_REGISTRY_USER": "u"}])
def test_without_a_url_there_is_no_registry(env: dict[str, str]) -> None:
    assert Config.from_env(ADDRESSES | env).schema_registry_url is None


def test_an_unknown_command_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["consume"]) == 2
    assert "python -m ingest COMMAND" in capsys.readouterr().err


def test_reading_the_settings_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the engine, nor a look for the broker: what is not given is refused."""

    def started(*_: object, **__: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(resolve, "start", started)
    monkeypatch.setattr(broker, "status", started)
    for name, remedy in (("DATABASE_URL", "make up"), ("KAFKA_BOOTSTRAP", "make up")):
        with pytest.raises(ConfigError, match=f"{remedy}|set {name}"):
            Config.from_env({key: value for key, value in ADDRESSES.items() if key != name})
    assert StreamConfig.from_env({"KAFKA_BOOTSTRAP": "k:9092"}).topics["trade"] == "trades"


def test_what_is_set_to_nothing_is_not_set() -> None:
    assert Config.from_env(ADDRESSES | {"BATCH_SIZE": "", "TRADE_TOPIC": ""}) == Config.from_env(
        ADDRESSES
    )


@pytest.mark.parametrize("command", ["dlq list", "dlq show 1", "replay none.csv --map none.toml"])
def test_what_needs_no_database_starts_none(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("the engine was started")

    monkeypatch.setattr(resolve, "start", started)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert main(command.split()) == 1
    assert capsys.readouterr().err


def test_without_a_broker_a_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "")
    monkeypatch.setattr(broker, "status", lambda: None)
    assert main(["dlq", "list"]) == 1
    assert "start the embedded one with make up" in capsys.readouterr().err


def test_another_python_says_which_one_to_take() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "ingest", "lag"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1
    assert "whose .venv/bin/python has them" in done.stderr
    assert "Traceback" not in done.stderr
