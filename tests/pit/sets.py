"""The logs of the sets beside market_1m against oracles, of all that was known at a moment."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import pandas as pd

from tests.models import oracle_sets
from tests.models.oracle_sets import BAR, DAILY, MOMENTUM_1M, QUOTE, TRADE, Ticks
from tests.pit.beliefs import Version
from tests.pit.oracle import KINDS, MINUTE, Oracle, Stream
from tests.pit.world import World

COLUMNS = {"trade": TRADE, "quote": QUOTE, "bar": BAR}
KNOWN = """
    select bucket, {fields}
    from (
        select distinct on (bucket) *
        from feature.{log}
        where tenant_id = %s and symbol = %s and known_at <= %s
        order by bucket, known_at desc
    ) as newest
    where closes_at is not null
    order by bucket
"""


def wrong(world: World, oracle: Oracle, stream: Stream, known: datetime, live: bool) -> list[str]:
    """How momentum_1m and daily, of one stream as known then, differ from what ticks give.

    live: what was published of the stream by then; else what a backfill has made of it.
    """
    return wrong_of_copy(world, oracle, stream, stream[0], known, live)


def wrong_of_copy(
    world: World, oracle: Oracle, stream: Stream, tenant_id: int, known: datetime, live: bool
) -> list[str]:
    """The same where tenant_id has the stream's ticks."""
    symbol = stream[1]
    frames = {
        name: _frame(name, (v for v in oracle.of(kind, stream, live) if v.believed(known)))
        for name, kind in KINDS.items()
    }
    ticks = Ticks(
        frames["trade"], frames["quote"], frames["bar"], oracle.bars_from.get(symbol, "trade")
    )
    sessions = [s for s in oracle.sessions[symbol] if s[1] <= known]
    bars = oracle_sets.momentum_1m(ticks)
    wanted = {
        "momentum_1m": bars[[bucket + MINUTE <= known for bucket in bars.index]],
        "daily": oracle_sets.daily(ticks, sessions),
    }
    compared = {"momentum_1m": MOMENTUM_1M, "daily": DAILY}
    if any(edited[symbol] != oracle.sessions[symbol] for _, edited, _ in oracle.edits):
        # session bars that are there stay as they are, until a minute of theirs changes
        del compared["daily"]
    found = []
    for name, fields in compared.items():
        query = KNOWN.format(fields=", ".join(fields), log=f"{name}_log")
        rows = world.connection.execute(query.encode(), [tenant_id, symbol, known]).fetchall()
        found += [f"{name} {line}" for line in oracle_sets.differences(rows, wanted[name])]
    return found


def _frame(name: str, versions: Iterable[Version]) -> pd.DataFrame:
    rows = [{"ts": pd.Timestamp(v.ts), "seq": v.seq, **asdict(v.values)} for v in versions]
    made = pd.DataFrame(rows, columns=COLUMNS[name]).astype(object)
    made["ts"] = pd.to_datetime(made["ts"], utc=True)
    return made.where(made.notna(), None)
