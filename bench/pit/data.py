"""The synthetic log, and the pairs asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from bench.server import stop_jobs
from engine import dbt, reference
from engine.migrate import migrate

# The log ends with the last month that has, as one that is in use does: what is half a year old is
# in the columnstore there.
END = (datetime.now(UTC) - timedelta(days=1)).replace(
    day=1, hour=0, minute=0, second=0, microsecond=0
)
MINUTE = timedelta(minutes=1)
SECOND_VERSIONS = 0.02
CONTRACT = """
    select c.field, c.data_type, c.unit, coalesce(c.inputs, '') from market.contract as c
    where c.feature_set = 'market_1m' order by c.ordinal
"""
# A bar of the walk: these four hang together, and publishes read the close of earlier bars.
BAR = {
    "open": "v.open",
    "high": "greatest(v.open, v.close) * v.change",
    "low": "least(v.open, v.close)",
    "close": "v.close * v.change",
}
INSTRUMENTS = """
    insert into market.instrument
    select
        'S' || lpad(n::text, 4, '0'), 'Synthetic: a random walk', 'SYNTHETIC', 'crypto', 'USD',
        'crypto_24x7', 0.01
    from generate_series(1, %s) as n
"""
WALK = """
    create temp table walk as
    select i.symbol, ln(100.0) as log_price from market.instrument as i where i.symbol ~ '^S[0-9]+$'
"""
# All versions of the bars in one slice of time, in the order in which they would have been written.
FILL = """
    with step as materialized (
        select
            w.symbol, w.log_price, g.bucket, 0.0005 * random_normal() as step,
            random() as u, random() as v, random() as delay, random() as restated, random() as later
        from walk as w
        cross join generate_series(
            %(since)s, %(until)s - interval '1 minute', interval '1 minute'
        ) as g (bucket)
    ),

    walked as (
        select
            s.*,
            exp(s.log_price + sum(s.step) over so_far) as close,
            exp(s.log_price + sum(s.step) over so_far - s.step) as open
        from step as s
        window so_far as (partition by s.symbol order by s.bucket)
    ),

    bar as materialized (
        select
            w.*,
            avg(w.close) over (
                partition by w.symbol order by w.bucket rows between 19 preceding and current row
            ) as mean
        from walked as w
    ),

    version as (
        select
            b.*, 1.0 as change, 'close' as cause,
            b.bucket + interval '1 minute' + b.delay * interval '20 seconds' as known_at
        from bar as b
        union all
        select
            b.*, 1.0005, 'correction',
            b.bucket + interval '3 minutes' + b.later * interval '6 hours'
        from bar as b
        where b.restated < %(share)s
    )

    insert into feature.log (
        tenant_id, symbol, bucket, known_at, {fields}, cause
    )
    select 1, v.symbol, v.bucket, v.known_at, {values}, v.cause
    from version as v
    where v.cause = 'close' or v.known_at <= %(end)s
    order by v.known_at
"""
CARRY = """
    update walk as w
    set log_price = ln(l.close)
    from feature.log as l
    where
        l.tenant_id = 1 and l.symbol = w.symbol and l.cause = 'close'
        and l.bucket = %(until)s - interval '1 minute'
"""


@dataclass(frozen=True)
class Pairs:
    """What a training set asks for: at which moment, for which symbol, and known how much later."""

    symbols: list[str]
    as_of: list[datetime]
    later: timedelta = timedelta(0)

    @property
    def known_as_of(self) -> list[datetime]:
        """By when it is to be known."""
        return [moment + self.later for moment in self.as_of]

    def arrow(self) -> pa.Table:
        """The pairs with their place from 0."""
        return pa.table(
            {
                "place": pa.array(range(len(self.symbols)), pa.int64()),
                "symbol": pa.array(self.symbols, pa.string()),
                "as_of": pa.array(self.as_of, pa.timestamp("us", "UTC")),
                "known_as_of": pa.array(self.known_as_of, pa.timestamp("us", "UTC")),
            }
        )


def names(symbols: int) -> list[str]:
    """The symbols' names."""
    return [f"S{n:04}" for n in range(1, symbols + 1)]


def start(rows: int, symbols: int, end: datetime = END) -> datetime:
    """Where a log of so many rows begins that ends there."""
    return end - round(rows / symbols / (1 + SECOND_VERSIONS)) * MINUTE


def random_pairs(count: int, symbols: int, since: datetime, end: datetime = END) -> Pairs:
    """Uniform pairs, the same in every run; not in the first hour, before which nothing is."""
    draw = np.random.default_rng(20260101)
    first = since + timedelta(hours=1)
    span_us = (end - first) // timedelta(microseconds=1)
    known = names(symbols)
    return Pairs(
        [known[n] for n in draw.integers(0, symbols, count)],
        [first + timedelta(microseconds=int(us)) for us in draw.integers(0, span_us, count)],
    )


def prepare(url: str, symbols: int) -> None:
    """The project's schema, seeds and models, the symbols, and no background jobs."""
    migrate(url)
    reference.load(url)
    dbt.run(url, "run", "--quiet", quiet=True)
    stop_jobs(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(INSTRUMENTS, (symbols,))


def value(field: str, data_type: str, unit: str, inputs: str) -> sql.Composable:
    """What stands in a field of a version v of FILL, by what the contract says of it."""
    if data_type == "text":
        words = unit.split(", ")
        return sql.SQL("({words}::text[])[1 + floor({number} * v.v)::integer]").format(
            words=sql.Literal(words), number=sql.Literal(len(words))
        )
    if unit == "price" and field not in BAR:
        return sql.SQL("v.mean" if "close" in inputs.split() else "(v.open + v.close) / 2")
    by_unit = {"units": "ceil(1000 * v.u)", "basis": "1 + v.u", "fraction in": "2 * v.v - 1"}
    found = (text for begin, text in by_unit.items() if unit.startswith(begin))
    return sql.SQL(BAR.get(field) or next(found, "0.004 * (0.5 + v.v)"))


def fill(url: str, since: datetime, share: float = SECOND_VERSIONS) -> int:
    """Write the log of every symbol in [since, END), day by day; returns its rows.

    share: of the bars, how many have a second version.
    """
    rows = 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set work_mem = '256MB'")
        connection.execute("select setseed(0.5)")
        connection.execute(WALK)
        contract = connection.execute(CONTRACT).fetchall()
        statement = sql.SQL(FILL).format(
            fields=sql.SQL(", ").join(sql.Identifier(field) for field, *_ in contract),
            values=sql.SQL(", ").join(value(*line) for line in contract),
        )
        while since < END:
            until = min(since + timedelta(days=1), END)
            slice_: dict[str, Any] = {
                "since": since, "until": until, "end": END, "share": share
            }  # fmt: skip
            rows += connection.execute(statement, slice_).rowcount
            connection.execute(CARRY, slice_)
            since = until
        connection.execute(
            "insert into feature.series (symbol, tenant_id) select symbol, 1 from walk"
        )
        connection.execute(
            "update feature.clock"
            " set live_from = %(end)s, published_at = %(end)s + interval '25 seconds'",
            {"end": END},
        )
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return rows
