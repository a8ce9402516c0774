"""The calendars of seeds/ are those of exchange_calendars, in the files and in the database."""

import csv
import io
import subprocess
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-calendars" / "bin" / "python"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="`make calendars ARGS=--check` installs exchange_calendars first"
)


def calendars(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "calendars", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_the_files_are_what_their_sources_say() -> None:
    done = calendars("--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" sessions are those of exchange_calendars ") == 6


def test_a_changed_line_is_found(tmp_path: Path) -> None:
    half = "XLON,2024-12-24,Christmas Eve,08:00,12:3"
    for path in (ROOT / "seeds").glob("calendar*.csv"):
        (tmp_path / path.name).write_text(path.read_text().replace(f"{half}0", f"{half}1"))
    done = calendars("--check", "--seeds", str(tmp_path))
    assert done.returncode == 1
    assert f"-{half}1," in done.stdout
    assert f"+{half}0," in done.stdout


def test_the_database_has_every_session_to_the_second(database: str) -> None:
    done = calendars("--sessions")
    assert done.returncode == 0, done.stderr
    said: dict[str, list[tuple[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(done.stdout)):
        said.setdefault(row["calendar_id"], []).append((row["opens_at"], row["closes_at"]))
    assert sorted(said) == ["XETR", "XHKG", "XLON", "XNAS", "XNYS", "XTKS"]
    assert min(map(len, said.values())) > 7000
    with psycopg.connect(database) as connection:
        connection.execute("set timezone = 'UTC'")
        for calendar_id, sessions in said.items():
            found = connection.execute(
                "select opens_at, closes_at"
                " from market.trading_session(%s, '1999-01-01', '2100-01-01')",
                [calendar_id],
            ).fetchall()
            of_database = [(opens.isoformat(), closes.isoformat()) for opens, closes in found]
            assert of_database == sessions, calendar_id
