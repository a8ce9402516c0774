"""What a barrier must not cost: chunks and segments left out, workers, a seek of the latest row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Databases
from tests.paused import pause_jobs
from tests.tenancy.world import World, made_in

DAYS = 6
LATER = f"""
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select tenant_id, symbol, ts + d * interval '1 day', seq + d * 1000, price, size, side,
        known_at + d * interval '1 day'
    from market.trade cross join generate_series(1, {DAYS - 1}) as d;
    insert into market.quote (tenant_id, symbol, ts, seq, bid, bid_size, ask, ask_size, known_at)
    select tenant_id, symbol, ts + interval '1 day', seq + 1000, bid + 1, bid_size, ask + 1,
        ask_size, known_at + interval '1 day'
    from market.quote;
"""
COMPRESSED = "select compress_chunk(c) from show_chunks('market.trade') as c order by c limit 3"
A_DAY = "ts >= '{0} 00:00+00' and ts < '{0} 12:00+00'"


@pytest.fixture(scope="module")
def days(database: str) -> Iterator[World]:
    """The world with trades of six days in chunks of a day, three of them in the columnstore."""
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("select set_chunk_time_interval('market.trade', interval '1 day')")
    with made_in(database) as world:
        with psycopg.connect(world.url, autocommit=True) as admin:
            pause_jobs(admin)  # one would convert the others, too
            admin.execute(LATER)
            admin.execute(COMPRESSED)
            admin.execute("vacuum analyze market.trade")
        yield world


def plan(world: World, query: str, *settings: str) -> str:
    with world.act_as(world.logins[1]) as tenant:
        for setting in settings:
            tenant.execute(f"set {setting}")
        rows = tenant.execute(f"explain (costs off) {query}").fetchall()
    return "\n".join(line for (line,) in rows)


def chunks(text: str) -> set[str]:
    return set(re.findall(r"\b_hyper_\d+_\d+_chunk\b", text))


@pytest.mark.parametrize("day", ["2024-01-02", "2024-01-05"], ids=["columnstore", "row store"])
def test_a_range_reads_its_chunks_only(days: World, day: str) -> None:
    assert len(chunks(plan(days, "select price from api.trade"))) == DAYS
    text = plan(days, f"select price from api.trade where {A_DAY.format(day)}")
    assert len(chunks(text)) == 1


def test_a_segment_that_is_not_asked_for_stays_compressed(days: World) -> None:
    query = f"select price from api.trade where symbol = 'OWN' and {A_DAY.format('2024-01-02')}"
    text = plan(days, query)
    # below the name of what holds the segments, which differs between versions
    of_compressed = re.search(r"(?s)(compress_hyper_\d+_\d+_chunk|_chunk_compressed)\b.*", text)
    assert of_compressed
    assert "tenant_id = ANY" in of_compressed[0]
    assert "symbol = 'OWN'" in of_compressed[0]


def test_a_row_of_the_row_store_is_sought_by_tenant_and_symbol(days: World) -> None:
    query = f"select price from api.trade where symbol = 'OWN' and {A_DAY.format('2024-01-05')}"
    condition = re.search(r"Index Cond: .*", plan(days, query, "enable_seqscan = off"))
    assert condition
    for column in ("tenant_id = ANY", "symbol = 'OWN'", "ts >=", "ts <"):
        assert column in condition[0]


def test_workers_help_a_tenant(days: World, databases: Databases) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine is one process")
    text = plan(
        days,
        "select symbol, sum(size) from api.trade group by symbol",
        "parallel_setup_cost = 0",
        "parallel_tuple_cost = 0",
        "min_parallel_table_scan_size = 0",
    )
    assert "Gather" in text
    assert "Partial" in text


@pytest.mark.parametrize("kind", ["trade", "quote"])
@pytest.mark.parametrize("tenant", [1, 2, 3])
def test_the_latest_row_is_the_one_that_sorting_all_finds(
    days: World, kind: str, tenant: int
) -> None:
    symbols = ["OWN", "BOTH", "FEED", "NONE", "OWN"]
    with days.act_as(days.logins[tenant]) as connection:
        latest = connection.execute(
            f"select * from api.latest_{kind}(%s)",
            [symbols],
        ).fetchall()
        expected = connection.execute(
            f"select distinct on (tenant_id, symbol) * from api.{kind}"
            " where symbol = any(%s) order by tenant_id, symbol, ts desc, seq desc",
            [symbols],
        ).fetchall()
    assert sorted(latest, key=lambda row: row[:2]) == expected
    assert len(expected) == {1: 4, 2: 1, 3: 2}[tenant]


@pytest.mark.parametrize("kind", ["trade", "quote"])
def test_the_latest_row_of_equal_times_is_the_one_with_the_higher_seq(
    days: World, kind: str
) -> None:
    with (
        psycopg.connect(days.url) as admin,
        days.act_as(days.logins[2]) as tenant,
    ):
        admin.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)"
            " select 2, 'TIE', timestamptz '2024-01-01', n, n, 1, 'buy', '2024-01-02'"
            " from generate_series(1, 3) as n"
        )
        admin.execute(
            "insert into market.quote"
            " (tenant_id, symbol, ts, seq, bid, bid_size, ask, ask_size, known_at)"
            " select tenant_id, symbol, ts, seq, price, 1, price, 1, known_at"
            " from market.trade where symbol = 'TIE'"
        )
        admin.commit()
        row = tenant.execute(f"select seq from api.latest_{kind}(array['TIE'])").fetchone()
        admin.execute("delete from market.trade where symbol = 'TIE'")
        admin.execute("delete from market.quote where symbol = 'TIE'")
    assert row == (3,)


@given(
    kind=st.sampled_from(["trade", "quote"]),
    tenant=st.sampled_from([1, 2, 3]),
    since_us=st.integers(0, DAYS * 86_400_000_000)
    | st.builds(
        # at a row's time, and one microsecond beside it
        lambda day, row, beside: day * 86_400_000_000 + row * 20_000_000 + beside,
        st.integers(0, DAYS - 1),
        st.integers(0, 400),
        st.sampled_from([-1, 0, 1]),
    ),
    rows=st.sampled_from([0, 1, 2, 3, 5, 400, 100_000]),
)
def test_the_tape_is_what_sorting_all_begins_with(
    days: World, kind: str, tenant: int, since_us: int, rows: int
) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=since_us)
    with days.act_as(days.logins[tenant]) as connection:
        tape = connection.execute(
            f"select * from api.{kind}_tape(%s, %s)",
            [since, rows],
        ).fetchall()
        every = connection.execute(
            f"select * from api.{kind} where ts >= %s"
            " order by ts desc, seq desc, tenant_id, symbol",
            [since],
        ).fetchall()
    # columns: tenant_id, symbol, ts, seq
    assert [row[2:4] for row in tape] == [row[2:4] for row in every[:rows]]
    last = tape[-1][2:4] if tape else None
    decided = [row for row in every[:rows] if row[2:4] != last]
    assert tape[: len(decided)] == decided
    # of those that share the last place some, in order
    rest = tape[len(decided) :]
    assert rest == [row for row in every if row in rest]


@pytest.mark.parametrize("kind", ["trade", "quote"])
def test_the_tape_gives_one_row_unless_more_are_asked_for(days: World, kind: str) -> None:
    with days.act_as(days.logins[1]) as connection:
        tape = connection.execute(f"select seq from api.{kind}_tape('2000-01-01')").fetchall()
        assert connection.execute(f"select count(*) from api.{kind}_tape(null)").fetchone() == (0,)
        with pytest.raises(psycopg.errors.DataError, match="must not be negative"):
            connection.execute(f"select * from api.{kind}_tape('2000-01-01', -1)")
    assert tape == [(400 + 1000 * (DAYS - 1 if kind == "trade" else 1),)]
