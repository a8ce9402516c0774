"""Where runs are kept: a server, or files in a folder; anything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError
from training.tracking import address


def test_without_a_setting_it_is_a_file_of_this_checkout(tmp_path: Path) -> None:
    assert address({}, tmp_path) == (
        f"sqlite:///{tmp_path}/mlflow/mlflow.db",
        tmp_path / "mlflow",
    )
    assert address({"MLFLOW_TRACKING_URI": ""}, tmp_path) == address({}, tmp_path)


def test_a_file_keeps_its_artifacts_beside_it() -> None:
    given = {"MLFLOW_TRACKING_URI": "sqlite:////data/mlflow/runs.db"}
    assert address(given) == (given["MLFLOW_TRACKING_URI"], Path("/data/mlflow"))


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "https://mlflow.example", "databricks"])
def test_a_server_has_no_folder_here(uri: str) -> None:
    assert address({"MLFLOW_TRACKING_URI": uri}) == (uri, None)


@pytest.mark.parametrize("uri", ["postgresql://u:secret@host/db", "./mlruns", "sqlite:///"])
def test_what_would_scatter_artifacts_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"name a server .* or a file") as raised:
        address({"MLFLOW_TRACKING_URI": uri})
    assert "secret" not in str(raised.value)
