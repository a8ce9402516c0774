"""Whatever a run of the tests has started ends with it, however it ends.

pytest runs in a fork; the process that was called stays behind as its supervisor. Servers that
detach themselves (engines, Redis, brokers) become the supervisor's children when who started them
has gone, so that it finds all of them. SIGTERM and SIGINT interrupt pytest and its workers, whose
fixtures then end their servers in order; what is left after that is ended by the supervisor.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FIXTURES_S = 30
LEFT_S = 5.0


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Fork, unless this is a worker of xdist, which has a supervisor above it."""
    if hasattr(config, "workerinput"):
        _listen()
    else:
        supervise()


def supervise() -> None:
    """Go on in a fork; a signal is then a KeyboardInterrupt, and nothing outlives the two."""
    _fork()
    _listen()


def _listen() -> None:
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def _fork() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    supervisor = os.getpid()
    child = os.fork()
    if child:
        # nothing of pytest's may run here, not even its handlers at exit
        os._exit(_supervise(child))
    prctl(PR_SET_CHILD_SUBREAPER, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        raise KeyboardInterrupt


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # once is enough: fixtures clean up now
    raise KeyboardInterrupt


def _supervise(child: int) -> int:
    """Wait for pytest, end what it has left, and return the exit code."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.alarm(FIXTURES_S)
        # as a terminal does at Ctrl-C, but nobody above
        for pid in _descendants(os.getpid()):
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == os.getpgrp():
                    os.kill(pid, signal.SIGINT)

    def lose_patience(_number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    for number in SIGNALS:
        signal.signal(number, interrupt)
    signal.signal(signal.SIGALRM, lose_patience)
    status = None
    while status is None:
        pid, found = os.waitpid(-1, 0)  # orphans are reaped, too
        if pid == child:
            status = os.waitstatus_to_exitcode(found)
    signal.alarm(0)
    _end_descendants()
    return status if status >= 0 else 128 - status


def _end_descendants() -> None:
    """SIGTERM for every process below this one; SIGKILL for those that outlive LEFT_S."""
    deadline = time.monotonic() + LEFT_S
    told: set[int] = set()
    while left := [*_descendants(os.getpid())]:
        late = time.monotonic() > deadline
        for pid in left:
            if late or pid not in told:
                told.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.02)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _descendants(ancestor: int) -> Iterator[int]:
    """Processes below that one, zombies excepted: who started them may still reap those."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # from field 3 of proc(5) on: the name before it may hold spaces and parentheses
            state, parent, *_ = stat.read_bytes().rpartition(b")")[2].split()
            if state not in (b"Z", b"X"):
                parents[int(stat.parent.name)] = int(parent)
    for pid in parents:
        above = pid
        while above in parents and above != ancestor:
            above = parents[above]
        if above == ancestor and pid != ancestor:
            yield pid
