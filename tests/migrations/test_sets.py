"""A set or a field that comes, goes and comes again, by lines of seeds/ and make migrate alone."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.errors import ReferenceRefused
from engine.migrate import migrate
from tests.migrations import catalog
from tests.migrations.test_fields import add_line, edit
from tests.migrations.test_fields import contract as contract
from tests.migrations.test_fields import own_database as own_database

SET = "pressure_1m,1 minute,pressure_1m,int_pressure__own,tick,3,0,who leans on the price\n"
# what answers of a set; its log and what it wrote of it stay
READERS = """
    select format('%%s %%s', n.nspname, p.proname)
    from pg_proc as p
    inner join pg_namespace as n on p.pronamespace = n.oid
    where p.proname ~ ('^' || %(set)s || '_(explain|pit|leakage)')
    union
    select format('%%s %%s', n.nspname, c.relname)
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where c.relname ~ ('^' || %(set)s || '(_feature_version|_pit_row)?$') and n.nspname <> 'feature'
    order by 1
"""
OF_A_SET = [
    *("api {}", "api {}_feature_version", "api {}_pit_snapshot", "api {}_pit_snapshot_all"),
    "api {}_pit_snapshot_in",
    *("feature {}_explain_restatement", "feature {}_leakage", "feature {}_pit_any"),
    *("feature {}_pit_apart", "feature {}_pit_branch", "feature {}_pit_last"),
    "feature {}_pit_moment",
    "feature {}_pit_query",
    "feature {}_pit_snapshot_of",
    *("public {}_pit_hash", "public {}_pit_hash_in", "public {}_pit_hash_of"),
    "public {}_pit_served",
    "public {}_pit_snapshot",
    "public {}_pit_snapshot_all",
    "public {}_pit_snapshot_in",
]
SAID = """
    insert into feature.pressure_1m_log (
        tenant_id, symbol, bucket, known_at, closes_at, bid_share, cause
    )
    values (1, 'SYN_BTCUSD', '2024-03-04 10:00Z', '2024-03-04 10:01Z', '2024-03-04 10:01Z', 0.25,
        'close');
    insert into feature.series values ('SYN_BTCUSD', 1) on conflict do nothing;
"""
AT = "array['SYN_BTCUSD'], timestamptz '2024-03-04 10:01Z'"


def rows(url: str, query: str, arguments: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode(), arguments).fetchall()


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def readers(url: str, name: str) -> list[str]:
    return [found for (found,) in rows(url, READERS, {"set": name})]


def columns(url: str, relation: str) -> list[str]:
    found = rows(
        url,
        "select a.attname from pg_attribute as a where a.attrelid = to_regclass(%(relation)s)"
        " and a.attnum > 0 and not a.attisdropped order by a.attnum",
        {"relation": relation},
    )
    return [name for (name,) in found]


def cut(file: Path, begins: str) -> str:
    """Take the lines that begin so out of a file; return them."""
    lines = file.read_text().splitlines(keepends=True)
    gone = [line for line in lines if line.startswith(begins)]
    assert gone
    file.write_text("".join(line for line in lines if line not in gone))
    return "".join(gone)


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def test_a_set_comes_goes_and_comes_again(own_database: str, contract: Path) -> None:
    sets = contract.with_name("feature_set.csv")
    before = catalog.lines(own_database, catalog.OURS)
    append(sets, SET)
    add_line(contract, "bid_share", "pressure_1m")
    told: list[str] = []
    migrate(own_database, told.append)
    assert told == ["feature_set: 1 added", "contract: 1 added"]
    assert migrate(own_database) == []
    assert readers(own_database, "pressure_1m") == [one.format("pressure_1m") for one in OF_A_SET]
    assert set(before) < set(catalog.lines(own_database, catalog.OURS))
    run(own_database, *SAID.split(";")[:-1])
    said = rows(own_database, f"select bid_share from pressure_1m_pit_snapshot({AT})")
    assert said == [(0.25,)]
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="pressure_1m_log is app"):
        run(own_database, "delete from feature.pressure_1m_log")
    # it waits for its models: others are published
    run(own_database, "call feature.publish()")

    gone = cut(sets, "pressure_1m,"), cut(contract, "pressure_1m,")
    migrate(own_database)
    assert migrate(own_database) == []
    assert readers(own_database, "pressure_1m") == []
    assert len(readers(own_database, "momentum_1m")) == len(OF_A_SET)
    left = [line for line in catalog.lines(own_database, catalog.OURS) if line not in before]
    assert [line for line in left if "pressure_1m" not in line] == []
    assert rows(own_database, "select bid_share from feature.pressure_1m_log") == [(0.25,)]

    append(sets, gone[0])
    append(contract, gone[1].replace("bid_share,double precision", "bid_share,text"))
    with pytest.raises(
        ReferenceRefused,
        match=r"smartdb_contract\.csv line 27: data_type 'text' of 'bid_share' is 'double precision"
        r"' in feature\.pressure_1m_log, which keeps what was said: give the field another name",
    ):
        migrate(own_database)
    cut(contract, "pressure_1m,")
    append(contract, gone[1])
    migrate(own_database)
    assert readers(own_database, "pressure_1m") == [one.format("pressure_1m") for one in OF_A_SET]
    assert rows(own_database, f"select bid_share from pressure_1m_pit_snapshot({AT})") == said


def test_a_field_goes_and_comes_again_as_the_last(own_database: str, contract: Path) -> None:
    run(
        own_database,
        "insert into feature.series values ('SYN_BTCUSD', 1)",
        "insert into feature.log (tenant_id, symbol, bucket, known_at, open, high, low, close,"
        " sma_20, cause) values (1, 'SYN_BTCUSD', '2024-03-04 10:00Z', '2024-03-04 10:01Z', 1, 1,"
        " 1, 1, 7, 'close')",
    )
    there = columns(own_database, "feature.log")
    fields = columns(own_database, "feature.pit_row")
    gone = cut(contract, "market_1m,7,")
    told: list[str] = []
    migrate(own_database, told.append)
    assert told == ["contract: 1 removed"]
    assert migrate(own_database) == []
    assert columns(own_database, "feature.log") == there
    fields.remove("sma_20")
    assert columns(own_database, "feature.pit_row") == fields
    assert "sma_20" not in columns(own_database, "api.feature_1m")
    # which is the log's
    assert "sma_20" in columns(own_database, "api.feature_version")
    assert rows(own_database, f"select open from feature_pit_snapshot({AT})") == [(1,)]

    append(contract, gone)
    with pytest.raises(
        ReferenceRefused, match=r"csv line 26: field 'sma_20' comes before 'volatility_1h', which"
    ):
        migrate(own_database)
    edit(contract, "market_1m,7,sma_20", "market_1m,12,sma_20")
    migrate(own_database)
    assert columns(own_database, "feature.log") == there
    assert columns(own_database, "feature.pit_row") == [*fields[:-1], "sma_20", "is_stale"]
    assert rows(own_database, f"select sma_20 from feature_pit_snapshot({AT})") == [(7,)]


def test_a_name_that_is_taken_is_refused_with_its_line(own_database: str, contract: Path) -> None:
    run(own_database, "create table feature.others_log (a integer)")
    before = catalog.lines(own_database, catalog.OURS)
    for name, taken in (("watchlist", "api.watchlist"), ("others", "feature.others_log")):
        sets = contract.with_name("feature_set.csv")
        text = sets.read_text()
        append(sets, SET.replace("pressure_1m", name, 1))
        with pytest.raises(
            ReferenceRefused,
            match=rf"feature_set\.csv line 5: feature_set '{name}': the name is taken by {taken}",
        ):
            migrate(own_database)
        sets.write_text(text)
    assert catalog.lines(own_database, catalog.OURS) == before


def test_a_set_without_a_field_is_refused(own_database: str, contract: Path) -> None:
    before = catalog.lines(own_database, catalog.OURS)
    append(contract.with_name("feature_set.csv"), SET)
    with pytest.raises(
        ReferenceRefused, match=r"contract\.csv line 1: feature_set 'pressure_1m' of seeds/featu"
    ):
        migrate(own_database)
    assert catalog.lines(own_database, catalog.OURS) == before
