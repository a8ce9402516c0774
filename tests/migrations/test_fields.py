"""Functions and views that are made of the contract: with its fields, and again when it changes."""

import csv
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from engine import objects, reference
from engine.errors import MigrationFailed, ReferenceRefused
from engine.migrate import MIGRATIONS, migrate, pending
from tests.conftest import Databases
from tests.migrations import catalog
from tests.migrations.test_migrations import own_copy as own_copy

MADE = [one.path for one in objects.read(MIGRATIONS) if "market.contract" in one.header("rows")]
AT = datetime(2024, 3, 4, 10, tzinfo=UTC)
FILLED = """
    insert into feature.log (tenant_id, symbol, bucket, known_at, open, high, low, close, rsi_14,
        cause)
    values (1, 'SYN_BTCUSD', %(at)s, %(at)s + interval '1 minute', 1, 1, 1, 1, %(was)s, 'close'),
        (1, 'SYN_BTCUSD', %(at)s, %(at)s + interval '3 minutes', 1, 1, 1, 1, %(is)s, 'correction');
"""


@pytest.fixture
def own_database(databases: Databases) -> Iterator[str]:
    """A migrated database of the test's own."""
    url, drop = databases.create("migrated")
    yield url
    drop()


@pytest.fixture
def contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The contract of a copy of seeds/ that migrate() reads."""
    copy = shutil.copytree(reference.SEEDS, tmp_path / "seeds")
    monkeypatch.setattr(reference, "SEEDS", copy)
    return Path(copy) / "smartdb_contract.csv"


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def add_line(contract: Path, field: str, feature_set: str = "market_1m") -> None:
    """A field more, at the end of its set; else as the last one there is."""
    with contract.open(newline="") as file:
        lines = list(csv.DictReader(file))
    places = [int(line["ordinal"]) for line in lines if line["feature_set"] == feature_set]
    own = {"feature_set": feature_set, "ordinal": str(max(places, default=0) + 1), "field": field}
    with contract.open("a", newline="") as file:
        csv.DictWriter(file, list(lines[0])).writerow({**lines[-1], **own, "inputs": ""})


def test_a_contract_that_changed_makes_exactly_what_is_made_of_it(
    own_database: str, contract: Path
) -> None:
    before = catalog.lines(own_database, catalog.OURS)
    told: list[str] = []
    edit(contract, "1,open,double precision,price", "1,open,double precision,a price")
    assert migrate(own_database, told.append) == MADE
    assert told == ["contract: 1 changed"]
    assert migrate(own_database, told.append) == []
    assert told == ["contract: 1 changed"]
    assert catalog.lines(own_database, catalog.OURS) == before


def test_no_reader_names_a_field() -> None:
    """Words that the language has, too, are left out: open, high, low, close, volume."""
    with (reference.SEEDS / "smartdb_contract.csv").open(newline="") as file:
        fields = {line["field"] for line in csv.DictReader(file)}
    assert "sma_20" in fields
    fields -= {"open", "high", "low", "close", "volume"}
    readers = [
        one
        for one in objects.read(MIGRATIONS)
        if one.path in MADE or one.path.split("/")[1] in ("public", "api")
    ]
    assert len(readers) > 30
    found = {one.path: fields & {*re.findall(r"\w+", one.text)} for one in readers}
    assert {path: names for path, names in found.items() if names} == {}


def test_what_is_made_of_the_contract_comes_last(own_database: str) -> None:
    paths = [one.path for one in objects.read(MIGRATIONS)]
    # and what depends on it
    others = {"functions/feature/define", "functions/market/apply_policies"}
    assert set(paths[-len(MADE) - len(others) :]) == {*MADE, *others}
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("update market.contract set unit = 'x' where ordinal = 1")
        assert pending(connection) == MADE


def test_a_contract_that_cannot_be_is_refused_and_nothing_is_replaced(
    own_database: str, own_copy: Path, contract: Path
) -> None:
    edit(own_copy / "functions/api/acting_role.sql", "select case", "select  case")
    before = catalog.lines(own_database, catalog.OURS)
    add_line(contract, "known_at")
    with pytest.raises(ReferenceRefused, match=r"smartdb_contract\.csv line 27: field 'known_at'"):
        migrate(own_database)
    assert catalog.lines(own_database, catalog.OURS) == before


def test_a_mark_that_is_none_is_refused_with_its_file(own_database: str, own_copy: Path) -> None:
    before = catalog.lines(own_database, catalog.OURS)
    edit(own_copy / "views/api/feature_1m.sql", "{ %I }\n", "{ fields }\n")
    with pytest.raises(MigrationFailed, match=r"views/api/feature_1m\.sql .*mark.*: \{ fields \}"):
        migrate(own_database)
    assert catalog.lines(own_database, catalog.OURS) == before


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("select { l.%I }", "select l.open, l.high, l.low"),
        ("({ %I %s })", "(open double precision, high double precision, low double precision)"),
        ("{ %I > 0 | and }", "open > 0 and high > 0 and low > 0"),
        ("select\n  { v[%3$s] },\n  1", "select\n  v[1],\n  v[2],\n  v[3],\n  1"),
        ("a\n { || %1$I | } {'%1$s'|}", "a\n || open\n || high\n || low 'open' 'high' 'low'"),
        ("no mark", "no mark"),
    ],
)
def test_marks_become_the_fields(database: str, text: str, made: str) -> None:
    with psycopg.connect(database) as connection:
        # gaps in the ordinals do not matter, and the order of the rows does not
        connection.execute("delete from market.contract where ordinal > 3")
        connection.execute("update market.contract set ordinal = ordinal * 10")
        found = connection.execute("select feature.with_fields('market_1m', %s)", [text]).fetchone()
        connection.rollback()
    assert found == (made,)


@pytest.mark.parametrize(
    "text", ["{}", "{ fields }", "{ %I", "%I }", "{{ %I }}", "{ a || %I }", "'{}' { %I }"]
)
def test_other_braces_are_refused(database: str, text: str) -> None:
    with (
        psycopg.connect(database) as connection,
        pytest.raises(psycopg.errors.SyntaxError, match="no mark of fields: "),
    ):
        connection.execute("select feature.with_fields('market_1m', %s)", [text])


def test_without_a_contract_nothing_can_be_made_of_it(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("delete from market.contract")
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match="has no field in market"
        ):
            connection.execute("call feature.define('select { %I }')")


def test_a_field_more_reaches_every_reader(own_database: str, contract: Path) -> None:
    """By its line alone, in a database with rows."""
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute("insert into feature.series values ('SYN_BTCUSD', 1)")
        connection.execute(
            "insert into feature.log (tenant_id, symbol, bucket, known_at, open, high, low, close,"
            " cause) values (1, 'SYN_BTCUSD', %(at)s - interval '1 minute', %(at)s, 2, 2, 2, 2,"
            " 'close')",
            {"at": AT},
        )
    told: list[str] = []
    asked = f"array['SYN_BTCUSD'], array['{AT}'::timestamptz]"
    with psycopg.connect(own_database, autocommit=True) as connection:
        ((fields, digest),) = connection.execute(
            f"select array_agg(field order by random()), feature_pit_hash({asked})"
            " from market.contract where feature_set = 'market_1m'".encode()
        ).fetchall()
    add_line(contract, "rsi_14")
    assert set(MADE) == set(migrate(own_database, told.append))
    assert told == ["contract: 1 added"]
    assert migrate(own_database) == []
    with psycopg.connect(own_database, autocommit=True) as connection:

        def one(query: str) -> object:
            found = connection.execute(query.encode(), {"at": AT, "later": later}).fetchone()
            assert found is not None
            return found[0]

        later = AT + timedelta(minutes=3)
        assert one(f"select feature_pit_hash({asked})") != digest
        again = f"select feature_pit_hash_of(%s, {asked})".encode()
        assert connection.execute(again, [fields]).fetchall() == [(digest,)]
        for wrong in (["rsi_15"], [], ["open", None]):
            with pytest.raises(psycopg.errors.UndefinedColumn, match="not a field of market_1m"):
                connection.execute(again, [wrong])
        assert one("select close from feature_pit_snapshot(array['SYN_BTCUSD'], %(at)s)") == 2
        for statement in FILLED.split(";")[:-1]:
            connection.execute(statement.encode(), {"at": AT, "was": 40.0, "is": 60.0})
        pair = "array['SYN_BTCUSD'], array[%(later)s - interval '1 minute']"
        assert one(f"select rsi_14 from feature_pit_snapshot({pair})") == 40
        assert one(f"select rsi_14 from feature_pit_snapshot({pair}, array[%(later)s])") == 60
        assert one("select rsi_14 from feature_pit_snapshot_all(%(later)s)") == 60
        assert one(f"select feature_pit_hash({pair}) <> feature_pit_hash({pair}, array[%(later)s])")
        assert one(
            f"select array[leaked_rows, max_abs_change] from feature.leakage({pair})"
            " where field = 'rsi_14'"
        ) == [1, 20]
        for view in ("feature_1m", "feature_version"):
            assert one(
                "select count(*) from pg_attribute"
                f" where attrelid = 'api.{view}'::regclass and attname = 'rsi_14'"
            ) == 1  # fmt: skip
