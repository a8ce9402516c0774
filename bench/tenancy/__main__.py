"""Run the benchmark: python -m bench.tenancy [--rows N ... --tenants N ...]."""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from bench import report
from bench.report import Figure
from bench.server import database, say, server, stop_jobs
from embedded.errors import UserError
from engine.migrate import migrate

END = datetime(2024, 3, 31, tzinfo=UTC)
DAYS = 30
SYMBOLS = 20
PASSWORDLESS = "bench_tenant"
# a slow query is repeated until this has passed
SECONDS = 30
# runs of a connection that are not counted: they fill its caches
WARM = 3
# of connections a way, for where the system places a server process makes 0.3 ms of difference
PAIRS = 5

# {trade}, {bar}: the relation; {mine}: the tenant, which the barrier adds by itself
QUERIES = {
    "one symbol, one hour": (
        "select ts, price, size from {trade} where {mine} symbol = %(symbol)s"
        " and ts >= %(day)s and ts < %(day)s + interval '1 hour'"
    ),
    "one symbol, one day": (
        "select ts, price, size from {trade} where {mine} symbol = %(symbol)s"
        " and ts >= %(day)s and ts < %(day)s + interval '1 day'"
    ),
    "one symbol, one day of one-minute bars": (
        "select bucket, open, high, low, close, volume from {bar} where {mine}"
        " symbol = %(symbol)s and bucket >= %(day)s and bucket < %(day)s + interval '1 day'"
    ),
    "latest row of one symbol": (
        "select ts, price, size from {trade} where {mine} symbol = %(symbol)s"
        " order by ts desc limit 1"
    ),
    "latest row of the last hour, any symbol": (
        "select ts, symbol, price from {trade} where {mine} ts >= %(end)s - interval '1 hour'"
        " order by ts desc limit 1"
    ),
    "aggregate over all of the tenant": (
        "select symbol, count(*), sum(size) from {trade} where {mine} true group by symbol"
    ),
}
# what a tenant asks otherwise: a barrier hides the order of the index; the view is measured, too
THROUGH = {
    "latest row of one symbol": (
        "select ts, price, size from api.latest_trade(array[%(symbol)s::text])"
    ),
    "latest row of the last hour, any symbol": (
        "select ts, symbol, price from api.trade_tape(%(end)s - interval '1 hour')"
    ),
}

FILL = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select
        1 + n %% %(tenants)s,
        'S' || lpad(((n / %(tenants)s) %% {symbols})::text, 2, '0'),
        g.ts, n, 100 + 10 * sin(n / 1e5) + n %% 7, 1 + n %% 5, 'buy', g.ts
    from generate_series(%(first)s::bigint, %(last)s::bigint) as n
    cross join lateral (
        select %(end)s::timestamptz - interval '{days} days'
            + n * (interval '{days} days' / %(rows)s) as ts
    ) as g
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; returns 1 with a message for any UserError."""
    parser = argparse.ArgumentParser(prog="python -m bench.tenancy", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000_000, 20_000_000])
    parser.add_argument("--tenants", type=int, nargs="+", default=[1, 10, 1000])
    parser.add_argument("--repeats", type=int, default=100, help="runs of a query, at most")
    options = parser.parse_args(arguments)
    try:
        run(options, server())
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, url: str) -> None:
    """Every number of rows with every number of tenants, as row store and as columnstore."""
    facts = report.machine(url, {})
    facts["data"] = (
        f"trades of {SYMBOLS} symbols per tenant over {DAYS} days, one-minute bars of them; the "
        "tenant asks for its own; repeats "
        f"{options.repeats} or what fits in {SECONDS} s, ways in turn, medians"
    )
    figures: list[Figure] = []
    samples: dict[str, list[float]] = {}
    for rows in options.rows:
        for tenants in options.tenants:
            with database(url, "bench_tenancy") as (target, _):
                say(f"{rows:,} rows of {tenants:,} tenants")
                prepare(target, rows, tenants)
                with login(target) as tenant_url:
                    for store in ("row store", "columnstore"):
                        if store == "columnstore":
                            compress(target)
                        group = f"{rows:,} trades, {tenants:,} tenants, {store}"
                        figures += measure(target, tenant_url, group, options.repeats, samples)
                # each time: a run takes half an hour
                report.write("tenancy/barrier", figures, facts, samples)
    print(report.text(figures, facts))


def prepare(url: str, rows: int, tenants: int) -> None:
    """A migrated database with the trades and their bars."""
    migrate(url)
    stop_jobs(url)
    step = 1_000_000
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set max_parallel_workers_per_gather = 0")
        for first in range(0, rows, step):
            connection.execute(
                FILL.format(symbols=SYMBOLS, days=DAYS),
                {
                    "tenants": tenants,
                    "first": first,
                    "last": min(first + step, rows) - 1,
                    "rows": rows,
                    "end": END,
                },
            )
        connection.execute("call refresh_continuous_aggregate('market.ohlc_1m', null, null)")
        connection.execute("vacuum analyze")


def compress(url: str) -> None:
    """All chunks of the trades into the columnstore."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select compress_chunk(c, true) from show_chunks('market.trade') as c")
        connection.execute("vacuum analyze market.trade")


@contextmanager
def login(url: str) -> Iterator[str]:
    """The address for a login of tenant 1."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "call access.set_tenant(1, p_name => 'bench', p_logins => array[%s]::name[])",
            [PASSWORDLESS],
        )
        # the barrier is measured, not the writing of the log
        connection.execute(
            f"alter role {PASSWORDLESS} in database {connection.info.dbname}"
            " set log_statement = 'none'"
        )
        try:
            yield make_conninfo(url, user=PASSWORDLESS)
        finally:
            connection.execute("call access.remove_tenant(1)")


def measure(
    url: str, tenant_url: str, group: str, repeats: int, samples: dict[str, list[float]]
) -> list[Figure]:
    """Each query, direct and through the barrier in turn; both must give the same rows."""
    figures = []
    values = {"symbol": "S07", "day": END - timedelta(days=5), "end": END}
    for name, query in QUERIES.items():
        plain = query.format(trade="market.trade", bar="market.ohlc_1m", mine="tenant_id = 1 and")
        view = query.format(trade="api.trade", bar="api.ohlc_1m", mine="")
        ways = {"direct": (url, plain), "through api": (tenant_url, THROUGH.get(name, view))}
        if name in THROUGH:
            ways["through the view of api"] = (tenant_url, view)
        took, expected = _in_turn(name, ways, values, repeats)
        for way, all_ in took.items():
            samples[f"{group}, {name}, {way}"] = all_
            median = statistics.median(all_)
            note = f"{median / statistics.median(took['direct']):.2f}x, {expected:,} rows"
            figures.append(
                Figure(group, f"{name}: {way}", median, note="" if way == "direct" else note)
            )
    return figures


def _in_turn(
    name: str, ways: dict[str, tuple[str, str]], values: dict[str, Any], repeats: int
) -> tuple[dict[str, list[float]], int]:
    """Seconds of each run of each way, and how many rows each of them gives.

    ways: address and query.
    """
    took: dict[str, list[float]] = {way: [] for way in ways}
    began = time.perf_counter()
    for pair in range(PAIRS):
        with ExitStack() as stack:
            # planned each time, as psql and what analysts use do
            connections = {
                way: stack.enter_context(psycopg.connect(address, prepare_threshold=None))
                for way, (address, _) in ways.items()
            }
            for turn in range(-WARM, -(-repeats // PAIRS)):
                if turn and time.perf_counter() - began > SECONDS * (pair + 1) / PAIRS:
                    continue  # but for turn 0, which a slow query has at least
                found = []
                for way, (_, query) in ways.items():
                    seconds, rows = _timed(connections[way], query, values)
                    found.append(sorted(rows))
                    if turn >= 0:
                        took[way].append(seconds)
                if any(rows != found[0] for rows in found):
                    raise AssertionError(f"{name}: the barrier gives other rows")
    return took, len(found[0])


def _timed(
    connection: psycopg.Connection[Any], query: str, values: dict[str, Any]
) -> tuple[float, list[tuple[Any, ...]]]:
    began = time.perf_counter()
    rows = connection.execute(query, values).fetchall()
    return time.perf_counter() - began, rows


if __name__ == "__main__":
    sys.exit(main())
