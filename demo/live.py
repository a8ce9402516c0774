"""The demo's live part: a feed by the clock, ingest, push, the feature API, and the report anew.

    python -m demo.live start|stop|status [--directory .state/live] [--port 0]

One detached process, which ends with each of its parts and ends them all. `make demo` starts it,
`make down` stops it.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from embedded.daemon import HOST, Daemon, Service
from embedded.errors import PortInUseError, UserError
from engine.resolve import STATE_DIR, database_url, kafka_bootstrap
from engine.settings import API_PORT, ENVIRONMENT, Env
from ingest.signals import stop_on_signals

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = STATE_DIR / "live"
SAY_S = 60.0
POLL_S = 0.2
END_S = 15.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class LiveDemo(Daemon):
    """A running live part: where its feature API is, which process it is, where its log is."""

    @property
    def url(self) -> str:
        """Where the feature API answers."""
        return self.address


class PartEnded(UserError):
    """One of the parts has ended by itself; its last words are above."""


def _command(directory: Path, port: int) -> list[str]:
    # from wherever it is started: the repository is no installed package
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from demo.live import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", program, "run", str(directory), str(port)]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/ready", timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


SERVICE = Service(
    name="live demo",
    module="demo.live",
    running=LiveDemo,
    default_directory=DIRECTORY,
    command=_command,
    address=f"http://{HOST}:{{port}}",
    answers=_answers,
    start_s=300.0,
    stop_s=2 * END_S,
)
status, stop = SERVICE.status, SERVICE.stop


def start(directory: Path, env: Env) -> LiveDemo:
    """Start it and return when the API answers: at API_PORT, or at another where that is taken.

    env: with DATABASE_URL and KAFKA_BOOTSTRAP. Errors: AlreadyRunningError, StartError.
    """
    try:
        return SERVICE.start(directory, API_PORT, env=env)
    except PortInUseError:
        return SERVICE.start(directory, env=env)


def run(directory: Path, port: int, env: Env) -> None:
    """Run the feed here and the other parts beside it, until a signal. Raises PartEnded."""
    # imported here, because start, stop and status need none of it
    from demo.feed import STEP_S, Feed

    stopping = threading.Event()
    stop_on_signals(stopping.set)
    commands = {
        "ingest": ["ingest", "run"],
        "push": ["feast_repo", "push"],
        "feature API": ["feast_repo", "serve", "--port", str(port), "--metrics-port", "0"],
        "report": ["demo.page", str(directory)],
    }
    with ExitStack() as running:
        parts = {
            name: running.enter_context(_part(arguments, env))
            for name, arguments in commands.items()
        }
        feed = Feed(env, datetime.now(UTC))
        say_at = 0.0
        while not stopping.wait(STEP_S):
            feed.send_due()
            for name, part in parts.items():
                if part.poll() is not None:
                    raise PartEnded(
                        f"{name} ended with code {part.returncode}, so all of the live demo ends"
                    )
            if time.monotonic() >= say_at:
                say_at = time.monotonic() + SAY_S
                print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {feed.sent:,} ticks sent", flush=True)


@contextmanager
def _part(arguments: list[str], env: Env) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives no longer than this one."""
    # a port of METRICS_PORT has room for one of them
    part = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**env, "METRICS_PORT": ""},
        preexec_fn=_end_with_parent,
    )
    try:
        yield part
    finally:
        part.terminate()
        try:
            part.wait(END_S)
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (1: refused, see stderr; 3: none is running)."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] != ["run"]:
        return SERVICE.main(__doc__, arguments)
    try:
        found = {
            **ENVIRONMENT,
            "DATABASE_URL": database_url(),
            "KAFKA_BOOTSTRAP": kafka_bootstrap() or "",
        }
        run(Path(arguments[1]), int(arguments[2]), found)
    except UserError as error:
        print(f"live demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
