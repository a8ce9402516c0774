"""The embedded Redis: a real server each time, and what is left of one that was killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from redis import Redis

from embedded import redis
from embedded.errors import AlreadyRunningError, PortInUseError, StartError


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "a place" / "redis"
    yield place
    redis.stop(place)


@pytest.fixture
def started(directory: Path) -> redis.EmbeddedRedis:
    return redis.start(directory)


def client(server: redis.EmbeddedRedis) -> Redis:
    return Redis.from_url(server.url, decode_responses=True, socket_timeout=5)


def kill(server: redis.EmbeddedRedis) -> None:
    os.kill(server.pid, signal.SIGKILL)
    os.waitpid(server.pid, 0)


def test_start_status_stop(directory: Path) -> None:
    assert redis.status(directory) is None
    server = redis.start(directory)
    assert redis.status(directory) == server
    assert server.url == f"redis://127.0.0.1:{server.port}/0"
    with client(server) as connected:
        assert connected.ping()
        assert connected.set("bucket", "close")
        assert connected.get("bucket") == "close"
        assert connected.info("server")["process_id"] == server.pid
    assert redis.stop(directory)
    assert redis.status(directory) is None
    assert not redis.stop(directory)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_stop_and_start_keep_the_data(directory: Path, started: redis.EmbeddedRedis) -> None:
    with client(started) as connected:
        connected.set("symbol", "SYN_ES")
    redis.stop(directory)
    assert "ready to exit" in started.log_file.read_text()  # in order, not by a kill
    with client(redis.start(directory)) as connected:
        assert connected.get("symbol") == "SYN_ES"


def test_it_starts_again_after_a_kill_with_what_was_synced(
    directory: Path, started: redis.EmbeddedRedis
) -> None:
    with client(started) as connected:
        connected.set("symbol", "SYN_ES")
        # waits for the sync of that second: without it a write may be lost
        assert connected.execute_command("WAITAOF", 1, 0, 5000)[0] == 1
    kill(started)
    assert redis.status(directory) is None
    again = redis.start(directory)
    assert again.pid != started.pid
    with client(again) as connected:
        assert connected.get("symbol") == "SYN_ES"


def test_data_and_log_are_in_the_directory(directory: Path, started: redis.EmbeddedRedis) -> None:
    with client(started) as connected:
        assert connected.config_get("dir")["dir"] == str(directory)
        assert connected.config_get("save")["save"] == ""
    assert (directory / "appendonlydir").is_dir()
    assert started.log_file.parent == directory
    assert "Ready to accept connections" in started.log_file.read_text()


def test_it_listens_on_the_loopback_only(started: redis.EmbeddedRedis) -> None:
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    port = f":{started.port:04X}"
    addresses = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(port)]
    assert addresses == [f"0100007F{port}"]


def test_a_busy_port_is_named(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} .*choose another one"):
            redis.start(directory, port)


def test_a_second_start_is_refused(directory: Path, started: redis.EmbeddedRedis) -> None:
    with pytest.raises(AlreadyRunningError, match=rf"process {started.pid}.*{started.url}"):
        redis.start(directory)


def test_starters_at_once_get_one_server(directory: Path) -> None:
    together = Barrier(4)

    def start(_: int) -> redis.EmbeddedRedis | None:
        together.wait()
        try:
            return redis.start(directory)
        except AlreadyRunningError:
            return None

    with ThreadPoolExecutor(4) as starters:
        servers = [server for server in starters.map(start, range(4)) if server]
    assert servers == [redis.status(directory)]


@pytest.mark.parametrize(
    "text",
    # no process has a pid of more than 22 bits
    ["", "{", "[]", "{}", '{"pid": null}', '{"pid": 4194305, "port": 1, "birth": null}'],
)
def test_a_state_file_of_garbage_is_no_server(directory: Path, text: str) -> None:
    directory.mkdir(parents=True)
    (directory / "redis.json").write_text(text)
    assert redis.status(directory) is None
    assert redis.start(directory) == redis.status(directory)


def test_a_pid_that_another_process_has_now_is_left_alone(
    directory: Path, started: redis.EmbeddedRedis
) -> None:
    kill(started)
    state_file = directory / "redis.json"
    # its command line says what a server's would
    other = subprocess.Popen(
        [sys.executable, "-c", "input()", f"valkey-server 127.0.0.1:{started.port}"],
        stdin=subprocess.PIPE,
    )
    try:
        state_file.write_text(json.dumps({**json.loads(state_file.read_text()), "pid": other.pid}))
        assert redis.status(directory) is None
        assert not redis.stop(directory)
        assert redis.start(directory).pid != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.communicate()


def test_a_server_without_a_state_file_keeps_its_directory(
    directory: Path, started: redis.EmbeddedRedis
) -> None:
    (directory / "redis.json").unlink()
    try:
        with pytest.raises(AlreadyRunningError, match=r"find it with `fuser .*/lock`"):
            redis.start(directory, timeout_s=0.1)
    finally:
        kill(started)
    assert redis.start(directory).pid != started.pid


def test_a_server_that_cannot_read_its_data_says_so(directory: Path) -> None:
    (directory / "appendonlydir").mkdir(parents=True)
    (directory / "appendonlydir" / "appendonly.aof.manifest").write_text("garbage\n")
    with pytest.raises(StartError, match=r"(?s)did not start: .*manifest.*log: .*redis\.log"):
        redis.start(directory)
    assert redis.status(directory) is None


def test_a_start_that_takes_too_long_leaves_nothing_running(directory: Path) -> None:
    with pytest.raises(StartError, match="did not answer within 0 s"):
        redis.start(directory, timeout_s=0)
    assert redis.start(directory) == redis.status(directory)


def test_command_line(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--directory", str(directory)]
    assert redis.main(["status", *place]) == 3
    assert capsys.readouterr().out == f"no Redis server is running in {directory}\n"
    assert redis.main(["start", *place]) == 0
    url = capsys.readouterr().out
    assert redis.main(["start", *place]) == 1
    assert "stop it with `python -m embedded.redis stop`" in capsys.readouterr().err
    assert redis.main(["status", *place]) == 0
    assert capsys.readouterr().out == url
    assert redis.main(["stop", *place]) == 0
    assert capsys.readouterr().out == "Redis server stopped\n"
