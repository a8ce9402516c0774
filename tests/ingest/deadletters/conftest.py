"""The dlq command as a user types it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from ingest.__main__ import main
from ingest.config import Config


@pytest.fixture
def dlq(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """dlq(*arguments, answer=None): exit code, stdout and stderr of python -m ingest dlq."""
    monkeypatch.setenv("DATABASE_URL", config.database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", config.kafka_bootstrap)
    monkeypatch.setenv("TRADE_TOPIC", config.topics["trade"])
    monkeypatch.setenv("QUOTE_TOPIC", config.topics["quote"])

    def run(*arguments: object, answer: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        capsys.readouterr()
        code = main(["dlq", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run
