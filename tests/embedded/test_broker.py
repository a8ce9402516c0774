import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import broker
from embedded.errors import AlreadyRunningError, PortInUseError
from ingest.wire.topics import ensure_topics


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "kafka"
    broker.stop(tmp_path / "kafka")


def test_start_status_stop(directory: Path) -> None:
    assert broker.status(directory) is None
    started = broker.start(directory)
    assert broker.status(directory) == started
    assert ensure_topics(started.bootstrap, ["ticks"], 3) == {"ticks": 3}
    assert broker.stop(directory)
    assert broker.status(directory) is None
    assert not broker.stop(directory)


def test_a_second_start_is_refused(directory: Path) -> None:
    started = broker.start(directory)
    with pytest.raises(AlreadyRunningError, match=rf"process {started.pid}.*{started.bootstrap}"):
        broker.start(directory)


def test_a_busy_port_is_named(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} .*choose another one"):
            broker.start(directory, port)


def test_it_listens_on_the_loopback_only(directory: Path) -> None:
    port = broker.start(directory).port
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = [row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
    assert addresses == [f"0100007F:{port:04X}"]


def test_it_starts_again_after_a_kill(directory: Path) -> None:
    started = broker.start(directory)
    os.kill(started.pid, 9)
    os.waitpid(started.pid, 0)
    assert broker.status(directory) is None
    assert broker.start(directory).pid != started.pid


def test_command_line(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--directory", str(directory)]
    assert broker.main(["status", *place]) == 3
    assert broker.main(["start", *place]) == 0
    assert broker.main(["start", *place]) == 1
    assert "is in use by process" in capsys.readouterr().err
    assert broker.main(["status", *place]) == 0
    assert broker.main(["stop", *place]) == 0
