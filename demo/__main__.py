"""Run the demo: python -m demo [--data FILE... [--map FILE.toml] [--symbol S]] [--yes]."""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich.console import Console

from demo import contract, feed, guard, live, page, queries, report, served, tables
from embedded.errors import INTERRUPTED, UserError
from engine import child, consent, dbt, reference, tenant
from engine.errors import ConfigError
from engine.migrate import migrate
from engine.resolve import STATE_DIR, Engine, kafka_bootstrap, redis_url, start
from engine.server import connect
from engine.settings import ENVIRONMENT
from ingest.replay import replay

ROOT = Path(__file__).resolve().parent.parent
REPORT = STATE_DIR / "report.html"
# whose key the printed request shows
TENANT = 1
AGGREGATES = (
    *("ohlc_1m", "ohlc_5m", "ohlc_15m", "ohlc_1h", "ohlc_1d", "flow_1m", "flow_1h"),
    *("quote_1m", "quote_1h", "mid_1m", "range_1h", "latency_1m"),
)
console = Console(highlight=False)
done: list[str] = []


def main(arguments: list[str] | None = None) -> int:
    """Run every step; returns 0, or 1 with a message that names the step and the remedy."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--data", nargs="+", metavar="FILE", help="captured files, not the day")
    for option, meaning in (
        ("--map", "mapping of the files; without it their names choose"),
        ("--symbol", "symbol of all rows of the files"),
        ("--tenant", "tenant_id of the rows of the files (default 1)"),
    ):
        parser.add_argument(option, help=f"{meaning}, as for python -m ingest replay")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the HTML goes")
    parser.add_argument("--yes", action="store_true", help="beside what is there, without asking")
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in ("map", "symbol", "tenant")}
    of_files = [word for name, value in given.items() if value for word in (f"--{name}", value)]
    if of_files and not options.data:
        parser.error("--map, --symbol and --tenant are of files: DATA=FILE names them")
    done.clear()
    try:
        files = [*options.data, *of_files] if options.data else []
        run(files, options.report, yes=options.yes)
    except UserError as error:
        console.print(f"[red]demo stopped:[/red] {error}")
        return 1
    except KeyboardInterrupt:
        console.print(
            f"\ndemo interrupted after {', '.join(done) or 'nothing'}; make demo begins again and "
            "counts nothing twice, make down stops what runs",
            soft_wrap=True,
        )
        return INTERRUPTED
    return 0


class StepFailed(UserError):
    """A step's command failed; the text carries what it printed."""


def run(files: list[str], report_path: Path, *, yes: bool = False) -> None:
    """Engine, broker, migrations, ticks through Kafka, aggregates, dbt, report, and the live part.

    files: arguments of `python -m ingest replay`; none: the synthetic day, and today's live. yes:
    also where database or broker hold anything but a demo. Raises NotAgreed.
    """
    began = time.monotonic()
    check(files)
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
    # what the live part writes stands beside the report
    directory = report_path.parent / live.DIRECTORY.name
    if live.status(directory):
        with step("end of the last demo's live part"):
            live.stop(directory)
    with step("migrations and seeds"):
        migrate(engine.url)
        reference.load(engine.url)
    if files:
        ingest(environment, "replay", *files)
    else:
        ingest(environment, "synthetic")
        with step("today so far"):
            sent = feed.send_run_up(environment, datetime.now(UTC))
        console.print(f"  {sent:,} ticks of the last {feed.RUN_UP.seconds // 3600} hours")
    ingest(environment, "run", "--until-end")
    with connect(engine.url) as connection:
        require_bars(connection)
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
        page.keep(compared, report_path, directory)
        source = replayed(files) if files else page.SYNTHETIC
        page.make(engine.url, report_path, source, compared)
    show(engine, compared)
    if not files:
        with step("live: feed, ingest, push and the feature API"):
            go_live(engine, environment, directory, history=alone)
    console.print(f"\n[bold]done in {time.monotonic() - began:.0f} s[/bold]")
    say_how_to_go_on(engine, report_path, directory, is_live=not files)


def check(files: list[str]) -> None:
    """Refuse names, mappings and columns that do not fit before anything is started."""
    if files:
        try:
            # without a broker it comes as far as that
            replay.main(files, {})
        except ConfigError:
            return


def replayed(files: list[str]) -> str:
    """Where the data are from, for the report."""
    names = [Path(one).name for one in takewhile(lambda one: not one.startswith("--"), files)]
    return (
        f"Replayed: {', '.join(names)}. Whatever else the database holds is shown, too: the "
        "synthetic day's symbols begin with SYN_."
    )


def require_bars(connection: psycopg.Connection[Any]) -> None:
    """Stop where no tick makes a bar: no feature and no report would come of it."""
    if connection.execute(queries.HAS_BARS).fetchone() == (True,):
        return
    raise StepFailed(
        "no trade was stored, so there is no bar and no feature to show: the lines above say what "
        "became of the rows. Quotes, or a vendor's bars, make bars of an instrument whose line in "
        "seeds/instrument.csv has bars_from quote, or bar"
    )


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a spinner while a step runs, then how long it took."""
    began = time.monotonic()
    with console.status(name):
        yield
    done.append(name)
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
    code = child.run([sys.executable, "-m", "ingest", *arguments], environment, ROOT)
    if code != 0:
        raise StepFailed(f"python -m ingest {' '.join(arguments)} failed; its message is above")
    done.append(f"ingest {arguments[0]}")


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


def go_live(engine: Engine, environment: dict[str, str], directory: Path, *, history: bool) -> None:
    """Start the live part; what became known since the run-up is the last of the history."""
    began = datetime.now(UTC)
    started = {**environment, "REDIS_URL": redis_url(environment)}
    running = live.start(directory, started)
    if not history:
        return
    with psycopg.connect(engine.url, autocommit=True) as connection:
        until = time.monotonic() + live.SAY_S
        while connection.execute(queries.KNOWN_SINCE, {"since": began}).fetchone() == (False,):
            if time.monotonic() > until:
                raise StepFailed(
                    f"the live feed's ticks do not arrive: see {relative(running.log_file)}"
                )
            time.sleep(live.POLL_S)
        connection.execute("call feature.backfill(%s, %s)", [began - feed.CATCH_UP, began])


def show(engine: Engine, compared: list[dict[str, Any]]) -> None:
    """Print the newest features, a restatement and the rejected messages."""
    with psycopg.connect(engine.url, autocommit=True, row_factory=dict_row) as connection:
        fields = contract.read(connection)
        newest = connection.execute(queries.newest(fields)).fetchall()
        restated = connection.execute(queries.restated(fields)).fetchall()
        rejected = connection.execute(queries.REJECTED).fetchall()
    width = shutil.get_terminal_size().columns
    say("newest features", tables.fitted(newest, width))
    if restated:
        then, now = restated
        same = ("tenant_id", "symbol", "as_of", "bucket")
        moment = f"{then['symbol']} of tenant {then['tenant_id']}, as of {then['as_of']:%F %T}"
        shown = {
            head: {name: value for name, value in row.items() if name not in same}
            for head, row in (("known then", then), ("known now", now))
        }
        say(f"one moment: {moment}", tables.across(shown))
        console.print(
            f"  select * from feature_pit_snapshot(array['{then['symbol']}'], '{then['as_of']}',"
            f" p_tenant_id => {then['tenant_id']});",
            soft_wrap=True,
        )
    say("rejected, and why", tables.fitted(rejected, width))
    console.print(report.verdict(compared))


def say(title: str, lines: list[str]) -> None:
    """Print lines as they are, below a title."""
    console.print(f"[bold]{title}[/bold]")
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def say_how_to_go_on(engine: Engine, report_path: Path, directory: Path, *, is_live: bool) -> None:
    """Print where the report is, what to paste next, and how to stop it."""
    lines = [f"report:   {relative(report_path)}"]
    running = live.status(directory) if is_live else None
    if running:
        with connect(engine.url) as connection:
            key = tenant.make_key(connection, TENANT, "make demo")
        symbols = ", ".join(f"'{symbol}'" for symbol in feed.AROUND_THE_CLOCK)
        quoted = symbols.replace("'", '"')
        lines[0] += ", made anew every minute"
        lines += [
            f"live:     today's ticks by the clock, synthetic; log: {relative(running.log_file)}",
            "",
            f"curl -s {running.url}/get-online-features -H 'Authorization: Bearer {key}' \\",
            f'  -d \'{{"feature_service": "market_v1", "entities": {{"symbol": [{quoted}]}}}}\'',
            "",
            'make psql ARGS="-c \\"select symbol, bucket, close, volume, sma_20'
            f' from feature_pit_snapshot(array[{symbols}], now(), p_tenant_id => {TENANT})\\""',
            "",
        ]
    lines += ["psql:     make psql", "stop it:  make down"]
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def relative(path: Path) -> str:
    """The path as a user in the repository would type it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
