"""Run the demo: python -m demo [--data PATH] [--yes]."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from demo import guard, queries, report, served
from embedded.errors import UserError
from engine import consent, dbt, reference
from engine.migrate import migrate
from engine.resolve import STATE_DIR, Engine, kafka_bootstrap, start
from engine.server import connect
from engine.settings import ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent
REPORT = STATE_DIR / "report.html"
SYNTHETIC = "Synthetic data: a deterministic random day made by this repository, no real market."
AGGREGATES = (
    *("ohlc_1m", "ohlc_5m", "ohlc_15m", "ohlc_1h", "ohlc_1d", "flow_1m", "flow_1h"),
    *("quote_1m", "quote_1h", "range_1h", "latency_1m"),
)
console = Console(highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run every step; returns 0, or 1 with a message that names the step and the remedy."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", help="captured files instead of the day")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the HTML goes")
    parser.add_argument("--yes", action="store_true", help="beside what is there, without asking")
    options = parser.parse_args(arguments)
    try:
        run(options.data, options.report, yes=options.yes)
    except UserError as error:
        console.print(f"[red]demo stopped:[/red] {error}")
        return 1
    return 0


class StepFailed(UserError):
    """A step's command failed; the text carries what it printed."""


def run(data: list[Path] | None, report_path: Path, *, yes: bool = False) -> None:
    """Engine, broker, migrations, ticks through Kafka, aggregates, dbt, report.

    yes: also where database or broker hold anything but a demo. Raises NotAgreed.
    """
    began = time.monotonic()
    with step("engine"):
        engine = start()
    with step("broker"):
        environment = {**ENVIRONMENT, "DATABASE_URL": engine.url, "KAFKA_BOOTSTRAP": broker()}
    alone = is_demos(engine, environment, yes=yes)
    if not alone:
        console.print(
            "beside other data the ticks are not declared history, so that what is known already "
            "is not in the log: feature.declare_history(), if nobody relies on its answers yet",
            soft_wrap=True,
        )
    with step("migrations and seeds"):
        migrate(engine.url)
        reference.load(engine.url)
    if data:
        ingest(environment, "replay", *map(str, data))
    else:
        ingest(environment, "synthetic")
    ingest(environment, "run", "--until-end")
    if alone:
        # of other data, a refresh of all would delete the bars of ticks that retention has dropped
        with step("continuous aggregates"):
            refresh(engine.url)
    with step("dbt build"):
        dbt.run(engine.url, "build", "--exclude", "resource_type:seed", "--quiet", quiet=True)
    with step("feature log"):
        publish(engine.url, history=alone)
    with step("Feast: training set and Redis"):
        compared = served.compare()
    with step("report"):
        source = f"Replayed: {', '.join(one.name for one in data)}." if data else SYNTHETIC
        show(engine, report_path, source, compared)
    console.print(f"\n[bold]done in {time.monotonic() - began:.0f} s[/bold]")
    console.print(f"report:   {relative(report_path)}")
    console.print("psql:     make psql")
    console.print("stop it:  make down")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a spinner while a step runs, then how long it took."""
    began = time.monotonic()
    with console.status(name):
        yield
    console.print(f"[green]✓[/green] {name} [dim]{time.monotonic() - began:.1f} s[/dim]")


def broker() -> str:
    """Bootstrap address: KAFKA_BOOTSTRAP, else the embedded broker."""
    given = kafka_bootstrap()
    if given:
        return given
    import embedded.broker as embedded_broker

    return embedded_broker.start(STATE_DIR / "kafka").bootstrap


def is_demos(engine: Engine, environment: dict[str, str], *, yes: bool) -> bool:
    """Whether the database holds a demo at most; where it or the broker do not, asks before."""
    with connect(engine.url) as connection:
        rows = guard.in_database(connection)
    topics = guard.on_broker(environment)
    if rows or topics:
        held = [f"  the database ({engine.kind}): {line}" for line in rows]
        held += [f"  the broker at {environment['KAFKA_BOOTSTRAP']}: {line}" for line in topics]
        consent.agree(
            ["the demo would write its ticks beside what is no demo's:", *held],
            "Write there?",
            yes=yes,
        )
    return not rows


def ingest(environment: dict[str, str], *arguments: str) -> None:
    """Run python -m ingest with its progress on this terminal."""
    finished = subprocess.run(
        [sys.executable, "-m", "ingest", *arguments], env=environment, cwd=ROOT, check=False
    )
    if finished.returncode != 0:
        raise StepFailed(f"python -m ingest {' '.join(arguments)} failed; its message is above")


def refresh(url: str) -> None:
    """Materialize every aggregate; the policies would do so within minutes."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in AGGREGATES:
            connection.execute(f"call refresh_continuous_aggregate('market.{name}', null, null)")


def publish(url: str, *, history: bool) -> None:
    """Build the versions of all bars, by the clock of the ticks if they are history.

    Beside other data they are not: what their readers were told would change.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("call feature.publish()")
        if not history:
            return
        connection.execute(queries.DECLARE_HISTORY)
        span = connection.execute(queries.TICK_RANGE).fetchone()
        if span and span[0]:
            connection.execute("call feature.backfill(%s, %s)", span)


def show(engine: Engine, path: Path, source: str, compared: list[dict[str, Any]]) -> None:
    """Print the newest features and the rejected messages, and write the report."""
    with psycopg.connect(engine.url, autocommit=True, row_factory=dict_row) as connection:
        # one read: each would compute every window again
        features = connection.execute(queries.FEATURES).fetchall()
        series = {
            f"tenant {tenant_id}, {symbol}": list(bars)
            for (tenant_id, symbol), bars in groupby(
                features, key=itemgetter("tenant_id", "symbol")
            )
        }
        newest = [
            {name: value for name, value in bars[-1].items() if name not in ("open", "high", "low")}
            for bars in series.values()
        ]
        restated = connection.execute(queries.RESTATED).fetchall()
        rejected = connection.execute(queries.REJECTED).fetchall()
        report.write(path, connection, source=source, served=compared)
    console.print(table("newest features", newest))
    console.print(table("one moment: as it was known then, and as it is known now", restated))
    for row in restated[:1]:
        console.print(
            f"select * from feature_pit_snapshot(array['{row['symbol']}'], '{row['as_of']}',"
            f" p_tenant_id => {row['tenant_id']});",
            soft_wrap=True,
        )
    console.print(table("rejected, and why", rejected))
    console.print(report.verdict(compared))


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    """A terminal table of rows, floats to six digits."""
    drawn = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(text(value) for value in row.values()))
    return drawn


def text(value: Any) -> str:
    """One cell: floats short, times without a zone, NULL as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else str(value)


def relative(path: Path) -> str:
    """The path as a user in the repository would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
