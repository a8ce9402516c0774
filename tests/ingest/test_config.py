import re
from dataclasses import fields
from pathlib import Path

import pytest

from ingest import config as module
from ingest.__main__ import main
from ingest.config import Config
from ingest.errors import ConfigError

ADDRESSES = {"DATABASE_URL": "postgresql://a/b", "KAFKA_BOOTSTRAP": "k:9092"}


def _documented() -> dict[str, str]:
    return dict(re.findall(r"^    ([A-Z_]+)  +(.*)$", module.__doc__ or "", re.MULTILINE))


def test_every_variable_is_documented() -> None:
    source = Path(module.__file__).read_text().replace(module.__doc__ or "", "")
    read = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', source))
    assert read == set(_documented())
    in_the_url = {"SCHEMA_REGISTRY_USER", "SCHEMA_REGISTRY_PASSWORD"}
    assert len(read - in_the_url) == len(fields(Config))


def test_the_documented_defaults_are_the_defaults() -> None:
    config = Config.from_env(ADDRESSES)
    values = {str(value) for value in vars(config).values()}
    for text in _documented().values():
        for default in re.findall(r"\(([^)]+)\)", text):
            assert default in values or f"{default}.0" in values


def test_topics_are_documented_with_their_dead_letters() -> None:
    for name in ("TRADE_TOPIC", "QUOTE_TOPIC"):
        assert "<topic>.dlq" in _documented()[name]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_bad_number_names_the_variable(value: str) -> None:
    with pytest.raises(ConfigError, match=f"BATCH_SIZE='{value}': set it to a number"):
        Config.from_env(ADDRESSES | {"BATCH_SIZE": value})


def test_one_topic_for_both_kinds_is_refused() -> None:
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
    config = Config.from_env(ADDRESSES | {"SCHEMA_REGISTRY_URL": url} | login)
    assert config.schema_registry_url == expected
    assert "sr/api" not in repr(config)


@pytest.mark.parametrize("env", [{}, {"SCHEMA_REGISTRY_URL": ""}, {"SCHEMA_REGISTRY_USER": "u"}])
def test_without_a_url_there_is_no_registry(env: dict[str, str]) -> None:
    assert Config.from_env(ADDRESSES | env).schema_registry_url is None


def test_an_unknown_command_shows_the_commands(capsys: pytest.CaptureFixture) -> None:
    assert main(["consume"]) == 2
    assert "python -m ingest COMMAND" in capsys.readouterr().err
