"""`make rollback` refuses what makes no sense, and asks before it loses anything."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from engine.__main__ import main
from engine.errors import RollbackRefused
from engine.migrate import MIGRATIONS, migrate, rollback
from tests.migrations.test_migrations import names

ROOT = Path(__file__).resolve().parents[2]
# what these roll back, from the last to this one, takes trades
LOSES_TRADES = len(names()) - names().index("0005_create_trade")
TRADES = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select 1, 'SYN_ES', now() - n * interval '1 minute', n, 1, 1, now()
    from generate_series(1, 1234) as n
"""


def run(url: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> tuple[int, str]:
    """Exit code and output of `python -m engine rollback`."""
    done = subprocess.run(
        [sys.executable, "-m", "engine", "rollback", *arguments],
        cwd=ROOT,
        env={**os.environ, "ENGINE": "given", "DATABASE_URL": url},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def trades(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from market.trade").fetchone()
    return row[0] if row else 0


@pytest.fixture
def filled(empty_database: str) -> str:
    migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute(TRADES)
    return empty_database


@pytest.mark.parametrize("steps", ["-1", "0", "-99", "abc", "1.5", "", " 1", "²", "1e3", "ALL"])
def test_senseless_steps_are_refused(
    steps: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is connected to."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(SystemExit) as ended:
        main(["rollback", f"--steps={steps}", "--yes"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"{steps!r} is no number of migrations: STEPS=1 or more, or STEPS=all" in said


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_below_one_are_refused_to_programs_too(steps: int) -> None:
    with pytest.raises(RollbackRefused):
        rollback("postgresql://nobody@127.0.0.1:1/nowhere", steps)


def test_nothing_is_lost_unless_somebody_says_yes(filled: str) -> None:
    code, said = run(filled, f"--steps={len(names()) + 1}", "--yes")
    assert code == 1
    assert f"{len(names())} are applied. All of them: STEPS=all" in said

    code, said = run(filled, f"--steps={LOSES_TRADES}")
    assert code == 1
    assert "Nobody can be asked here: YES=1 says yes. Nothing was changed" in said
    assert (
        "0005_create_trade: every trade and every superseded version of one; rows: "
        "1,234 in market.trade\n" in said
    )
    assert "0015_create_audit: the audit chain and its head" in said
    assert "in audit.event" in said
    assert trades(filled) == 1234
    assert migrate(filled) == []

    main_end, end = pty.openpty()
    os.write(main_end, b"no\n")
    code, said = run(filled, f"--steps={LOSES_TRADES}", stdin=end)
    assert code == 1
    assert "Type yes to go on" in said
    assert "the answer was not yes. Nothing was changed" in said
    assert trades(filled) == 1234

    os.write(main_end, b"yes\n")
    code, said = run(filled, f"--steps={LOSES_TRADES}", stdin=end)
    os.close(main_end)
    os.close(end)
    assert code == 0
    lines = said.splitlines()
    gone = names()[-LOSES_TRADES:][::-1]
    assert lines[-LOSES_TRADES + 1 :] == [f"rolled back {name}" for name in gone[1:]]
    # what yoyo prints of a select
    assert "rows)" not in said
    assert "delete_job" not in said


def test_yes_is_said_beforehand_and_an_empty_database_has_nothing_to_lose(
    filled: str, empty_database: str
) -> None:
    code, said = run(filled, "--steps=all", "--yes")
    assert code == 0
    assert said.count("rolled back ") == len(names())
    assert "1,234 in market.trade" in said
    assert run(empty_database, "--steps=all") == (0, "nothing to roll back\n")


def test_what_loses_nothing_asks_nothing(filled: str) -> None:
    nothing = "-- loses: nothing"
    last = (MIGRATIONS / f"{names()[-1]}.rollback.sql").read_text()
    code, said = run(filled)
    assert code == (0 if last.startswith(nothing) else 1)
    assert ("rolled back" in said) == last.startswith(nothing)
    assert trades(filled) == 1234
