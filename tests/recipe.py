"""README's recipe "add a feature", performed on a copy of the repository beside a live demo.

python -m tests.recipe: starts the demo in the copy, with its feed and the scheduler's publishes;
adds a field as README says, by make alone; waits until a publish of the scheduler has it; then asks
psql, a training set, the online store and the HTTP API for it, and compares. Errors end it with
what was asked and what came. The copy and its engine are removed at the end.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME, SET, VIEW = "close_before", "momentum_1m", "pressure"
SYMBOL, TENANT = "SYN_BTCUSD", 1
PORT = 6588
PATIENCE = 180.0
LATEST = f"""
    select jsonb_build_object('as_of', s.as_of, 'value', s.{NAME})
    from {SET}_pit_snapshot(array['{SYMBOL}'], now(), p_tenant_id => {TENANT}) as s
"""
TRAINING = f"""
import pandas as pd
from feast_repo.store import open_store

asked = pd.DataFrame(
    {{"tenant_id": [{TENANT}], "symbol": ["{SYMBOL}"], "event_timestamp": [pd.Timestamp("AS_OF")]}}
)
features = ["{VIEW}:{NAME}", "bar:close"]
print(open_store().get_historical_features(asked, features).to_df()["{NAME}"].iloc[0])
"""
ONLINE = f"""
from feast_repo.store import open_store

key = [{{"tenant_id": {TENANT}, "symbol": "{SYMBOL}"}}]
print(open_store().get_online_features(["{VIEW}:{NAME}"], key).to_dict()["{NAME}"][0])
"""


class RecipeFailed(Exception):
    """A step did not give what README says."""


class Copy:
    """A copy of what git has of the repository, with an engine and state of its own."""

    def __init__(self, directory: Path) -> None:
        """directory: where it is made."""
        self.directory = directory
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.split(b"\0")
        for name in filter(None, files):
            source = ROOT / os.fsdecode(name)
            if source.is_file():
                target = directory / os.fsdecode(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        # as installed as the original is
        os.utime(directory / "requirements.lock", (0, 0))
        os.utime(directory / "Makefile", (0, 0))
        self.environment = {
            name: value for name, value in os.environ.items() if name != "DATABASE_URL"
        } | {"VENV": str(Path(sys.prefix))}

    def make(self, *arguments: str) -> str:
        """Run make there; returns what it said."""
        print(f"  make {' '.join(arguments)}", flush=True)
        return self._run(["make", f"VENV={sys.prefix}", *arguments])

    def python(self, program: str) -> str:
        """Run a program as a user of the copy has it."""
        return self._run([sys.executable, "-c", program])

    def psql(self, query: str) -> str:
        """What psql answers, unaligned."""
        line = " ".join(query.split())
        return self._run(["make", "-s", f"VENV={sys.prefix}", "psql", f'ARGS=-Atc "{line}"'])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.directory, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RecipeFailed(f"{' '.join(command)[:200]}:\n{done.stdout}\n{done.stderr}")
        return done.stdout.strip()

    @contextmanager
    def served(self) -> Iterator[None]:
        """The feature API, until the end."""
        process = subprocess.Popen(
            ["make", f"VENV={sys.prefix}", "serve", f"ARGS=--port {PORT}"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            until(lambda: _get("/ready", ""), "the API is ready")
            yield
        finally:
            os.killpg(process.pid, 15)
            process.wait()


def until(ask: Callable[[], str | None], what: str) -> str:
    """Ask again until there is an answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(1)
    raise RecipeFailed(f"within {PATIENCE:.0f} s it was not so that {what}")


def _get(path: str, key: str, body: object = None) -> str | None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            said: str = answer.read().decode()
            return said
    except urllib.error.HTTPError as refused:
        if body is not None:
            print(f"  {path}: {refused.code} {refused.read().decode()[:300]}", flush=True)
        return None
    except OSError:
        return None


def perform(copy: Copy) -> None:
    """The recipe, and the four questions."""
    copy.make("demo")
    copy.make("feature", f"NAME={NAME}", f"SET={SET}")
    copy.make("migrate")
    copy.make("dbt")
    said = copy.make("feature-check")
    if f"{SET}.{NAME}: window, of market_1m.close" not in said:
        raise RecipeFailed(f"make feature-check does not know the field:\n{said}")
    print("  waiting for a publish of the scheduler", flush=True)
    until(
        lambda: copy.psql(f"select 1 from ({LATEST}) as s (x) where x ->> 'value' <> ''"),
        f"{NAME} is in {SET}_pit_snapshot()",
    )
    copy.make("feast")
    # the minute must not turn between the questions
    for _ in range(3):
        copy.make("materialize")
        asked = json.loads(copy.psql(LATEST))
        online = copy.python(ONLINE)
        training = copy.python(TRAINING.replace("AS_OF", asked["as_of"]))
        with copy.served():
            key = copy.make("-s", "tenant", f"ARGS=key {TENANT}").splitlines()[-1]
            body = {
                "features": [f"{VIEW}:{NAME}"],
                "entities": {"tenant_id": [TENANT], "symbol": [SYMBOL]},
            }
            http = _get("/get-online-features", key, body)
        value = json.loads(http)["results"][-1]["values"][0] if http else None
        answers = {
            "psql": asked["value"],
            "training set": float(training),
            "online store": float(online),
            "HTTP": value,
        }
        print(f"  {answers}", flush=True)
        if len(set(answers.values())) == 1 and asked["value"] is not None:
            return
    raise RecipeFailed(f"the answers differ: {answers}")


def main() -> int:
    """Perform it; returns 1 with what went wrong. Ended by a signal, it leaves nothing running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="recipe-") as directory:
        copy = Copy(Path(directory) / "copy")
        try:
            perform(copy)
        except RecipeFailed as failed:
            print(f"check-recipe: {failed}", file=sys.stderr)
            return 1
        finally:
            copy.make("down")
    print("the recipe holds: psql, training set, online store and HTTP give the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
