"""README's recipes "add a feature" and "add a set", on a copy of the repository with a live demo.

python -m tests.recipe: starts the demo in the copy, with its feed and the scheduler's publishes;
adds a field and a set of five-minute bars as README says; waits until a publish has the field; then
asks the demo's API, another one of `make serve` and the online store for it, and of the moments
that these say they are of, psql and a training set. All must give the same. The set's history comes
by a backfill, and is not what was served; a bar of it that has one tick, and none after it, is
published with its close while dbt runs. Errors end it with what was asked and what came. Whatever
ends it, nothing of it runs on; the copy is removed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from embedded.errors import INTERRUPTED
from embedded.jvm.process import free_port
from tests.supervised import supervise

ROOT = Path(__file__).resolve().parents[1]
NAME, SET, VIEW = "close_before", "momentum_1m", "pressure"
SYMBOL, TENANT = "SYN_BTCUSD", 1
PATIENCE_S = 300.0
END_S = 30.0
KNOWN = f"""
    select s.{NAME}
    from {SET}_pit_snapshot(array['{SYMBOL}'], %s, p_tenant_id => {TENANT}) as s
"""
TRAINING = f"""
import json, sys
import pandas as pd
from feast_repo.store import open_store

moments = [pd.Timestamp(moment) for moment in json.loads(sys.argv[1])]
asked = pd.DataFrame(
    {{"tenant_id": {TENANT}, "symbol": "{SYMBOL}", "event_timestamp": moments}}
)
features = ["{VIEW}:{NAME}", "bar:close"]
found = open_store().get_historical_features(asked, features).to_df()
print(json.dumps([*found["{NAME}"]]))
"""
ONLINE = f"""
import json
from datetime import UTC
from feast_repo.store import open_store

key = [{{"tenant_id": {TENANT}, "symbol": "{SYMBOL}"}}]
answer = open_store().get_online_features(["{VIEW}:{NAME}"], key)
(place,) = (n for n, name in enumerate(answer.proto.metadata.feature_names.val) if name == "{NAME}")
moment = answer.proto.results[place].event_timestamps[0].ToDatetime(UTC)
print(json.dumps([moment.isoformat(), answer.to_dict()["{NAME}"][0]]))
"""
BARS = "bars_5m"
# What README's "add a set" wants, by file; lines of seeds/ are appended.
SEEDS = {
    "seeds/feature_set.csv": f"{BARS},5 minutes,{BARS},int_{BARS}__own,market_1m,1,0,Of 5 minutes",
    "seeds/smartdb_contract.csv": f"{BARS},1,close,double precision,price,last,,60,900,,of_5m",
}
MODELS = {
    f"models/intermediate/int_{BARS}__own.sql": """
        select tenant_id, symbol, bar as bucket, (array_agg(close order by bucket desc))[1] as close
        from {{ ref('stg_market_1m__5m') }}
        group by tenant_id, symbol, bar
    """,
    f"models/features/{BARS}.sql": f"""
        select tenant_id, symbol, bucket, close from {{{{ ref('int_{BARS}__own') }}}}
    """,
    f"models/features/{BARS}.yml": f"""
version: 2

models:
  - name: {BARS}
    description: One row per (tenant, symbol, closed five minutes that have a minute).
    columns:
      - {{name: tenant_id, data_type: integer}}
      - {{name: symbol, data_type: text}}
      - {{name: bucket, data_type: timestamp with time zone}}
      - {{name: close, data_type: double precision}}
    """,
}
# Of a tenant of its own, so that no other tick comes.
LONELY = 901
TICK = f"""
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    values ({LONELY}, '{SYMBOL}', now(), 1, 7, 1, 'buy', now())
    returning extract(epoch from time_bucket('5 minutes', ts) + interval '5 minutes')
"""
CLOSED = f"""
    select extract(epoch from known_at), cause, close
    from feature.{BARS}_log where tenant_id = {LONELY}
"""
BAR_S = 300.0
BEFORE_CLOSE_S = 20.0
Found = TypeVar("Found")
# The moment an online answer is of, and the value.
Online = tuple[str, float]


class RecipeFailed(Exception):
    """A step did not give what README says."""


class NotYet(Exception):
    """What is waited for is not there; says what came."""


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
        # what the make that runs the tests was given is not for those that they run
        left_out = {"DATABASE_URL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "ARGS"}
        self.environment = {
            name: value for name, value in os.environ.items() if name not in left_out
        } | {"VENV": str(Path(sys.prefix))}

    def make(self, *arguments: str) -> str:
        """Run make there; returns what it said."""
        print(f"  make {' '.join(arguments)}", flush=True)
        return self._run(["make", f"VENV={sys.prefix}", *arguments])

    def add_set(self) -> None:
        """Write the files of another set, as README says."""
        for name, line in SEEDS.items():
            with (self.directory / name).open("a") as file:
                file.write(line + "\n")
        for name, text in MODELS.items():
            (self.directory / name).write_text(text)

    def python(self, program: str, *arguments: str) -> Any:
        """What a program prints as JSON, run as a user of the copy runs it."""
        said = self._run([sys.executable, "-c", program, *arguments])
        return json.loads(said.splitlines()[-1])

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
    def served(self) -> Iterator[str]:
        """Where another feature API answers, until the end."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        arguments = f"--port {port} --metrics-port 0"
        print(f"  make serve ARGS={arguments!r}", flush=True)
        log = self.directory / "serve.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                ["make", f"VENV={sys.prefix}", "serve", f"ARGS={arguments}"],
                cwd=self.directory,
                env=self.environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

        def ready() -> str:
            if process.poll() is not None:
                raise RecipeFailed(f"make serve has ended:\n{log.read_text()}")
            return _ask(f"{url}/ready")

        try:
            until(ready, "make serve is ready")
            yield url
        finally:
            os.killpg(process.pid, 15)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def until(ask: Callable[[], Found], what: str) -> Found:
    """Ask again until there is an answer. Errors: RecipeFailed with what came last instead."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except NotYet as came:
            if time.monotonic() > end:
                raise RecipeFailed(f"it was not so that {what}, but: {came}") from None
        time.sleep(1)


def _ask(url: str, key: str = "", body: object = None) -> str:
    request = urllib.request.Request(  # noqa: S310 - of this machine
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
            said: str = answer.read().decode()
            return said
    except urllib.error.HTTPError as refused:
        raise NotYet(f"{refused.code} {refused.read().decode()[:300]}") from None
    except OSError as error:
        raise NotYet(str(error)) from None


def of_api(url: str, key: str) -> Online:
    """What an API answers. Errors: NotYet, also for NULL."""
    body = {
        "features": [f"{VIEW}:{NAME}"],
        "entities": {"tenant_id": [TENANT], "symbol": [SYMBOL]},
    }
    said = _ask(f"{url}/get-online-features", key, body)
    answer = json.loads(said)["results"][-1]
    if answer["values"] == [None]:
        raise NotYet(said)
    return answer["event_timestamps"][0], answer["values"][0]


def published(copy: Copy) -> str:
    """What psql knows now. Errors: NotYet for NULL."""
    found = copy.psql(KNOWN.replace("%s", "now()"))
    if not found:
        raise NotYet("NULL")
    return found


def check_history(copy: Copy) -> None:
    """Backfill the set beside the scheduler: what is known of yesterday, and was not served."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    print(f"  call feature.backfill() of {BARS}", flush=True)
    copy.psql(f"call feature.backfill('{day}', '{day + timedelta(days=1)}', '{BARS}')")
    of = f"(array['{SYMBOL}'], timestamptz '{day} 15:02+00', p_tenant_id => {TENANT})"
    known, served = (
        copy.psql(f"select close from {BARS}_pit_{asked}{of}") for asked in ("snapshot", "served")
    )
    if not known or served:
        raise RecipeFailed(f"of {day} snapshot gives {known or 'NULL'}, served {served or 'NULL'}")


def check_close(copy: Copy) -> None:
    """A bar with one tick is published with its close, while dbt runs."""
    left = BAR_S - time.time() % BAR_S
    if left < 3 * BEFORE_CLOSE_S:
        time.sleep(left)
    closes_at = float(copy.psql(TICK).splitlines()[0])
    print("  waiting for the end of five minutes", flush=True)
    time.sleep(max(0.0, closes_at - time.time() - BEFORE_CLOSE_S))
    began = time.time()
    copy.make("dbt")
    ended = time.time()
    (version,) = copy.psql(CLOSED).splitlines()
    known_at, cause, close = version.split("|")
    if (cause, float(close)) != ("close", 7.0) or not closes_at <= float(known_at):
        raise RecipeFailed(f"a bar that closed at {closes_at} was published as {version}")
    if not began <= float(known_at) <= ended:
        raise RecipeFailed(f"dbt ran from {began} to {ended}; of the bar there is {version}")


def perform(copy: Copy) -> None:
    """The recipe, and the questions."""
    shown = re.search(r"curl -s (http://[^/]+)/get-online-features", copy.make("demo"))
    if shown is None:
        raise RecipeFailed("make demo does not say how its API is asked")
    copy.make("feature", f"NAME={NAME}", f"SET={SET}")
    copy.add_set()
    copy.make("migrate")
    copy.make("dbt")
    said = copy.make("feature-check")
    if f"{SET}.{NAME}: window, of market_1m.close" not in said:
        raise RecipeFailed(f"make feature-check does not know the field:\n{said}")
    print("  waiting for a publish of the scheduler", flush=True)
    until(lambda: published(copy), f"{NAME} is in {SET}_pit_snapshot()")
    copy.make("feast")
    key = copy.make("-s", "tenant", f"ARGS=key {TENANT}").splitlines()[-1]
    print("  waiting for the demo's push and API", flush=True)
    online = {"the demo's API": until(lambda: of_api(shown[1], key), "the demo's API has it")}
    with copy.served() as url:
        online["make serve"] = until(lambda: of_api(url, key), "make serve has it")
    online["online store"] = tuple(copy.python(ONLINE))
    moments = [moment for moment, _ in online.values()]
    training = copy.python(TRAINING, json.dumps(moments))
    for (who, (moment, value)), trained in zip(online.items(), training, strict=True):
        known = float(copy.psql(KNOWN.replace("%s", f"timestamptz '{moment}'")))
        answers = {who: value, "psql": known, "training set": trained}
        print(f"  of {moment}: {answers}", flush=True)
        if {*answers.values()} != {known}:
            raise RecipeFailed(f"the answers of {moment} differ: {answers}")
    check_history(copy)
    check_close(copy)


def main() -> int:
    """Perform it; returns 1 with what went wrong."""
    supervise()
    # what a killed part of it still writes there is no reason to fail
    with tempfile.TemporaryDirectory(prefix="recipe-", ignore_cleanup_errors=True) as directory:
        copy = Copy(Path(directory) / "copy")
        try:
            perform(copy)
        except RecipeFailed as failed:
            print(f"check-recipe: {failed}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("check-recipe: interrupted", file=sys.stderr)
            return INTERRUPTED
        finally:
            copy.make("down")
    print(
        "the recipe holds: HTTP, the online store, psql and a training set give the same; a set's"
        " history is known and was not served; a bar comes with its close"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
