"""`make clean` leaves the data alone; `make clean-data` says what it deletes, and asks."""

import subprocess
from pathlib import Path

import psycopg
import pytest

from embedded import database as embedded_database
from engine.clean import clean_data
from engine.errors import NotAgreed

ROOT = Path(__file__).resolve().parents[2]


def test_make_clean_names_nothing_that_holds_data() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "rm -rf target" in done.stdout
    assert ".state" not in done.stdout
    assert "engine" not in done.stdout


def test_nothing_is_deleted_unless_somebody_says_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    running = embedded_database.start(state / "timescaledb")
    try:
        with psycopg.connect(running.url, autocommit=True) as connection:
            connection.execute("create table kept as select generate_series(1, 10)")
        (state / "report.html").write_bytes(bytes(2_000_000))
        monkeypatch.setattr("sys.stdin", (tmp_path / "none").open("w+"))
        with pytest.raises(NotAgreed, match=r"YES=1 says yes\. Nothing was changed"):
            clean_data(state, yes=False)
        said = capsys.readouterr().out
        assert f"deletes {state}, which nothing brings back:" in said
        assert "report.html        2 MB  the demo's report" in said
        assert " MB  the embedded database: ticks, the log of features, " in said
        with psycopg.connect(running.url) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (10,)
        assert clean_data(state, yes=True) == f"deleted {state}"
        assert not state.exists()
        assert embedded_database.status(state / "timescaledb") is None
    finally:
        embedded_database.stop(state / "timescaledb")
    assert clean_data(state, yes=True) == f"nothing to delete: there is no {state}"
