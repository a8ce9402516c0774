"""The embedded engine's own life: start, stop, crash, copies, waits. Each test starts its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from embedded import database
from embedded.__main__ import main
from embedded.errors import AlreadyRunningError, PortInUseError, StartError
from tests.embedded.conftest import StartEngine


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def test_rows_survive_stop_and_start(start_engine: StartEngine) -> None:
    first = start_engine()
    with psycopg.connect(first.url) as client:
        client.execute("create table item (n int)")
        client.execute("insert into item values (1)")
    assert database.stop(first.data_dir)
    assert database.status(first.data_dir) is None
    assert not database.stop(first.data_dir)
    second = start_engine()
    with psycopg.connect(second.url) as client:
        assert client.execute("select n from item").fetchall() == [(1,)]


def test_stop_ends_open_transactions_and_tells_clients(start_engine: StartEngine) -> None:
    running = start_engine()
    client = psycopg.connect(running.url)
    client.execute("create table item (n int)")
    database.stop(running.data_dir)
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")
    with psycopg.connect(start_engine().url) as again:
        assert again.execute("select to_regclass('item')").fetchone() == (None,)


def _insert_until_killed(client: psycopg.Connection, first: int) -> int:
    """Insert first, first + 1, ... and return the last one whose commit was acknowledged."""
    number = first
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            client.execute("insert into item values (%s)", (number,))
            number += 1
    return number - 1


def test_every_acknowledged_row_survives_sigkill(start_engine: StartEngine) -> None:
    acknowledged = 0
    for cycle in range(4):
        running = start_engine()
        with psycopg.connect(running.url, autocommit=True) as client:
            client.execute("create table if not exists item (n int)")
            found = [n for (n,) in client.execute("select n from item order by n").fetchall()]
            # One row may be there whose acknowledgement the kill swallowed.
            assert found in (
                list(range(1, acknowledged + 1)),
                list(range(1, acknowledged + 2)),
            ), cycle
            killer = threading.Timer(0.5, os.kill, (running.pid, signal.SIGKILL))
            killer.start()
            acknowledged = _insert_until_killed(client, len(found) + 1)
            killer.join()
        while not _has_ended(running.pid):
            time.sleep(0.01)
    assert acknowledged > 30


def test_second_start_is_refused_and_names_the_process(start_engine: StartEngine) -> None:
    running = start_engine()
    with pytest.raises(AlreadyRunningError, match=f"in use by process {running.pid}"):
        start_engine()
    with psycopg.connect(running.url) as client:
        assert client.execute("select 1").fetchone() == (1,)


def test_busy_port_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} .*choose another one"):
            database.start(tmp_path / "data", port)
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "data.lock").exists()


def test_unusable_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StartError, match=str(tmp_path / "data")):
        database.start(tmp_path / "data")


def test_listens_on_loopback_only(start_engine: StartEngine) -> None:
    running = start_engine()
    wanted = f"{running.port:04X}"
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, _, state = line.split()[1:4]
            if address.endswith(f":{wanted}") and state == "0A":
                listening.append(address.split(":")[0])
    assert listening == ["0100007F"]


def test_copied_directory_is_a_template(start_engine: StartEngine) -> None:
    first = start_engine("first")
    with psycopg.connect(first.url) as client:
        client.execute("create table item (n int)")
    database.stop(first.data_dir)
    shutil.copytree(first.data_dir, first.data_dir.with_name("second"))
    one, two = start_engine("first"), start_engine("second")
    with psycopg.connect(two.url) as client:
        client.execute("insert into item values (1)")
    with psycopg.connect(one.url) as client:
        assert client.execute("select count(*) from item").fetchone() == (0,)


def test_waiting_for_another_transaction_ends_in_a_clear_error(start_engine: StartEngine) -> None:
    running = start_engine(lock_wait_s=0.3)
    with psycopg.connect(running.url) as owner, psycopg.connect(running.url) as waiting:
        owner.execute("create table item (n int)")
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            waiting.execute("select 1")
        assert "EMBEDDED_LOCK_WAIT_S" in (caught.value.diag.message_hint or "")
        owner.commit()
        waiting.rollback()
        assert waiting.execute("select 1").fetchone() == (1,)


def test_waiting_pipeline_ends_in_the_same_error(start_engine: StartEngine) -> None:
    running = start_engine(lock_wait_s=0.3)
    with (
        psycopg.connect(running.url) as owner,
        psycopg.connect(running.url, autocommit=True) as waiting,
    ):
        owner.execute("select 1")
        with pytest.raises(psycopg.errors.LockNotAvailable), waiting.pipeline():
            waiting.execute("select 2").fetchone()
        owner.commit()
        assert waiting.execute("select 3").fetchone() == (3,)


def test_idle_transaction_is_ended_for_the_others(start_engine: StartEngine) -> None:
    running = start_engine(idle_transaction_s=0.5)
    with psycopg.connect(running.url) as waiting:
        owner = psycopg.connect(running.url)
        owner.execute("create table item (n int)")
        assert waiting.execute("select to_regclass('item')").fetchone() == (None,)
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            owner.execute("select 1")


def test_stalled_copy_is_ended_for_the_others(start_engine: StartEngine) -> None:
    running = start_engine(idle_transaction_s=0.5)
    with psycopg.connect(running.url, autocommit=True) as waiting:
        waiting.execute("create table item (n int)")
        owner = psycopg.connect(running.url, autocommit=True)
        owner.pgconn.exec_(b"copy item from stdin")
        owner.pgconn.put_copy_data(b"1\n")
        owner.pgconn.flush()
        assert waiting.execute("select count(*) from item").fetchone() == (0,)
        owner.close()


def test_client_that_does_not_read_is_ended_for_the_others(start_engine: StartEngine) -> None:
    running = start_engine(idle_transaction_s=0.5)
    with psycopg.connect(running.url, autocommit=True) as waiting:
        owner = psycopg.connect(running.url, autocommit=True)
        owner.pgconn.send_query(b"select repeat('x', 1000) from generate_series(1, 200000)")
        owner.pgconn.flush()
        time.sleep(0.2)
        assert waiting.execute("select 1").fetchone() == (1,)
        owner.close()


def test_command_line(tmp_path: Path, template_dir: Path) -> None:
    directory = tmp_path / "data"
    shutil.copytree(template_dir, directory)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "embedded", *words, "--data-dir", str(directory)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert run("status").returncode == 3
    started = run("start")
    assert started.returncode == 0, started.stderr
    with psycopg.connect(started.stdout.strip()) as client:
        assert client.execute("select 1").fetchone() == (1,)
    assert run("status").stdout == started.stdout
    refused = run("start")
    assert refused.returncode == 1
    assert "in use by process" in refused.stderr
    assert run("stop").stdout == "database stopped\n"
    assert run("status").returncode == 3


def test_command_line_reports_a_stopped_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stop", "--data-dir", str(tmp_path / "data")]) == 0
    assert "no database is running" in capsys.readouterr().out
