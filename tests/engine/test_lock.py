"""A migrate that is killed does not block the next; of two at once, one waits and says so."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from engine import lock
from engine.errors import EngineUnavailable
from engine.migrate import migrate, rollback

ROOT = Path(__file__).resolve().parents[2]
SOON_S = 60
GONE = 4_194_304  # above what Linux counts processes to


def start(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine", "migrate"],
        cwd=ROOT,
        env={**os.environ, "ENGINE": "given", "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def applied(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("select to_regclass('public.migration_checksum')").fetchone()
        if there == (None,):
            return 0
        row = connection.execute("select count(*) from public.migration_checksum").fetchone()
    return row[0] if row else 0


@contextmanager
def held(url: str) -> Iterator[None]:
    """Hold the lock as another migrate does, in a session of its own."""
    with psycopg.connect(url, autocommit=True) as connection, lock.only_one(connection):
        yield


def test_a_killed_migrate_does_not_block_the_next(empty_database: str) -> None:
    """Killed in its middle, by a signal that nothing can catch."""
    process = start(empty_database)
    try:
        until = time.monotonic() + SOON_S
        while applied(empty_database) < 3:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    before = applied(empty_database)
    began = time.monotonic()
    migrate(empty_database)
    assert time.monotonic() - began < lock.WAIT_S / 2
    assert applied(empty_database) > before
    assert migrate(empty_database) == []


def test_one_of_two_waits_and_says_so(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[list[str]] = []
    with held(database):
        thread = threading.Thread(target=lambda: done.append(migrate(database)))
        thread.start()
        thread.join(2)
        assert thread.is_alive()
    thread.join(SOON_S)
    assert done == [[]]
    said = capsys.readouterr().err
    assert said.count("migrates this database: waiting for it, at most 120 s") == 1


def test_who_waits_too_long_is_told_for_whom(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.5)
    with (
        held(database),
        pytest.raises(EngineUnavailable, match=r"another .* end that process: the lock goes with"),
    ):
        rollback(database, 1)


def write_row(url: str, pid: int) -> None:
    """As a migrate of an earlier release does, whose lock is a row."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create table if not exists public.yoyo_lock"
            " (locked int default 1 primary key, ctime timestamp, pid int not null)"
        )
        connection.execute(
            "insert into public.yoyo_lock (ctime, pid) values (now() at time zone 'UTC', %s)",
            [pid],
        )


def test_what_a_killed_migrate_of_an_earlier_release_left_is_taken_over(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_row(database, GONE)
    assert migrate(database) == []
    said = capsys.readouterr().err
    assert re.search(rf"taken over: the lock of a migrate that was killed \(process {GONE}", said)
    with psycopg.connect(database, autocommit=True) as connection:
        assert connection.execute("select count(*) from public.yoyo_lock").fetchone() == (0,)


def test_a_migrate_of_an_earlier_release_that_may_run_is_waited_for(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.5)
    with psycopg.connect(database, autocommit=True) as alive:
        write_row(database, os.getpid())
        with pytest.raises(EngineUnavailable, match=r"earlier release.*delete from yoyo_lock"):
            migrate(database)
        alive.execute("delete from public.yoyo_lock")
    assert migrate(database) == []


def test_another_database_of_the_same_server_is_not_waited_for(
    database: str, empty_database: str
) -> None:
    with held(database):
        assert migrate(empty_database) != []
