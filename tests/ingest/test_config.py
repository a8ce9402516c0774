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
    assert len(read) == len(fields(Config))


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


def test_an_unknown_command_shows_the_commands(capsys: pytest.CaptureFixture) -> None:
    assert main(["consume"]) == 2
    assert "python -m ingest COMMAND" in capsys.readouterr().err
