"""Functions and views: replaced where their file changed, made again where they are missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine import objects
from engine.errors import MigrationFailed
from engine.migrate import MIGRATIONS, migrate
from tests.conftest import Databases
from tests.migrations import catalog
from tests.migrations.test_migrations import own_copy as own_copy

PATHS = [one.path for one in objects.read(MIGRATIONS)]
# made once for each set of features
SETS = [
    one.path
    for one in objects.read(MIGRATIONS)
    if "market.feature_set" in one.header("rows") and "call feature.define(" in one.text
]
LEAKAGE = {"functions/feature/leakage"}


@pytest.fixture
def own_database(databases: Databases) -> Iterator[str]:
    """A migrated database of the test's own."""
    url, drop = databases.create("migrated")
    yield url
    drop()


def edit(directory: Path, path: str, old: str, new: str) -> None:
    file = directory / f"{path}.sql"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_one_line_changed_replaces_that_function_alone(own_database: str, own_copy: Path) -> None:
    before = catalog.lines(own_database, catalog.OURS)
    edit(own_copy, "functions/feature/publish_job", "declare", "declare  -- changed")
    assert migrate(own_database) == ["functions/feature/publish_job"]
    with psycopg.connect(own_database) as connection:
        body = connection.execute(
            "select pg_get_functiondef('feature.publish_job'::regproc)"
        ).fetchone()
        recorded = connection.execute(
            "select array_agg(action) from ("
            " select action from audit.event where object ~ '^feature.publish_job'"
            " order by seq desc limit 2) as last"
        ).fetchone()
    assert body is not None
    assert "-- changed" in body[0]
    identity = "feature.publish_job(integer,jsonb)"
    assert recorded == (["COMMENT", "CREATE PROCEDURE"],)
    changed = set(before) ^ set(catalog.lines(own_database, catalog.OURS))
    assert {line.split(" | ")[1] for line in changed} == {identity}
    assert migrate(own_database) == []


@pytest.mark.parametrize(
    ("statement", "made_again"),
    [
        ("drop view api.feature_1m cascade", {"views/api/feature_1m", "views/api/regime"}),
        ("drop view api.momentum_1m", {"views/api/feature_1m"}),
        ("drop function feature.daily_leakage(text[], timestamptz[], integer)", LEAKAGE),
        ("drop function feature.record_added() cascade", {"functions/feature/record_added"}),
        ("drop trigger log_is_never_emptied on feature.log", {"functions/feature/refuse_change"}),
        (
            "drop trigger log_is_append_only on feature.daily_log",
            {"functions/feature/refuse_change"},
        ),
        (
            "drop function api.feature_pit_snapshot(text[], text, text, integer)",
            {"functions/api/feature_pit_snapshot"},
        ),
    ],
)
def test_what_is_missing_is_made_again(database: str, statement: str, made_again: set[str]) -> None:
    before = catalog.lines(database, catalog.OURS)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
    assert catalog.lines(database, catalog.OURS) != before
    assert set(migrate(database)) == made_again
    assert catalog.lines(database, catalog.OURS) == before


def test_a_file_that_is_gone_takes_its_function_along(own_database: str, own_copy: Path) -> None:
    (own_copy / "functions/api/trade_tape.sql").unlink()
    (own_copy / "functions/audit/refuse_change.sql").unlink()
    (own_copy / "functions/feature/leakage.sql").unlink()
    gone = ["functions/api/trade_tape", "functions/audit/refuse_change"]
    assert migrate(own_database) == [*gone, "functions/feature/leakage"]
    with psycopg.connect(own_database) as connection:
        left = connection.execute(
            "select p.oid::regprocedure::text from pg_proc as p"
            " where p.proname ~ '(^trade_tape|^refuse_change|leakage)$' order by 1"
        ).fetchall()
    assert left == [("feature.refuse_change()",)]
    assert migrate(own_database) == []


def test_a_broken_file_is_named_and_nothing_is_replaced(own_database: str, own_copy: Path) -> None:
    before = catalog.lines(own_database, catalog.OURS)
    edit(own_copy, "functions/api/acting_role", "select case", "select  case")
    edit(own_copy, "functions/feature/publish_job", "language plpgsql", "language no_such")
    with pytest.raises(
        MigrationFailed, match=r"(?s)functions/feature/publish_job\.sql failed.*no_such.*README"
    ):
        migrate(own_database)
    assert catalog.lines(own_database, catalog.OURS) == before


def test_a_return_type_that_changes_is_refused_with_the_way_to_do_it(
    own_database: str, own_copy: Path
) -> None:
    edit(own_copy, "functions/audit/key_columns", "returns text[]", "returns name[]")
    with pytest.raises(
        MigrationFailed, match=r"(?s)cannot change return type.*drops the object first"
    ):
        migrate(own_database)


def test_a_file_runs_again_when_the_rows_that_it_acts_on_have_changed(own_database: str) -> None:
    with psycopg.connect(own_database, autocommit=True) as connection:
        connection.execute(
            "update market.policy_setting set span = interval '9 days'"
            " where relation = 'trade' and policy = 'columnstore'"
        )
        assert migrate(own_database) == ["functions/market/apply_policies"]
        found = connection.execute(
            "select config ->> 'compress_after' from timescaledb_information.jobs"
            " where hypertable_name = 'trade' and proc_name = 'policy_compression'"
        ).fetchall()
    assert found == [("9 days",)]
    assert migrate(own_database) == []


def test_what_a_procedure_has_made_follows_it(own_database: str, own_copy: Path) -> None:
    edit(
        own_copy,
        "functions/market/create_belief",
        "exclusive; infinity: still.",
        "exclusive; infinity: to this day.",
    )
    made = [f"views/market/{kind}_belief" for kind in ("bar", "quote", "trade")]
    assert migrate(own_database) == ["functions/market/create_belief", *made]
    with psycopg.connect(own_database) as connection:
        said = connection.execute(
            "select distinct col_description(c.oid, a.attnum)"
            " from pg_class as c inner join pg_attribute as a on c.oid = a.attrelid"
            " where c.relname like '%%_belief' and attname = 'superseded_at'"
        ).fetchall()
    assert said == [("Until when it was believed, exclusive; infinity: to this day.",)]
    assert migrate(own_database) == []


def test_objects_come_after_what_they_depend_on() -> None:
    for one in objects.read(MIGRATIONS):
        for other in one.header("depends"):
            assert PATHS.index(other) < PATHS.index(one.path), one.path


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("-- depends: views/api/no_such\n", "no_such, which no file makes"),
        ("-- depends: functions/api/own_tenant\n", "depend on one another"),
    ],
)
def test_a_dependency_that_cannot_be_is_refused(own_copy: Path, header: str, said: str) -> None:
    file = own_copy / "functions/api/own_tenant.sql"
    file.write_text(header + file.read_text())
    with pytest.raises(MigrationFailed, match=said):
        objects.read(own_copy)


def of_first_set(path: str, name: str) -> str:
    """The path of the file that makes this for a set of this name."""
    kind, schema, own = path.split("/")
    rest = own.removeprefix(name).removeprefix("_")
    if not rest:
        rest = "feature_1m"
    elif rest.startswith("pit_") and schema in ("public", "api"):
        rest = f"feature_{rest}"
    return f"{kind}/{schema}/{rest}"


def test_every_function_and_view_has_a_file_of_its_name(database: str) -> None:
    with psycopg.connect(database) as connection:
        found = connection.execute(
            """
            select 'functions/' || n.nspname || '/' || p.proname
            from pg_proc as p
            inner join pg_namespace as n on p.pronamespace = n.oid
            where p.proowner = 'market_owner'::regrole
            union
            select 'views/' || n.nspname || '/' || c.relname
            from pg_class as c
            inner join pg_namespace as n on c.relnamespace = n.oid
            where c.relowner = 'market_owner'::regrole and c.relkind = 'v'
                and n.nspname !~ '^_?timescaledb'
                and not exists (
                    select from timescaledb_information.continuous_aggregates as a
                    where a.view_schema = n.nspname and a.view_name = c.relname
                )
            """
        ).fetchall()
        sets = connection.execute(
            "select s.feature_set from market.feature_set as s where s.feature_set <> 'market_1m'"
        ).fetchall()
    paths = {path for (path,) in found}
    assert len(sets) > 1
    for (name,) in sets:
        # a set has by its name what the first one has by the file's
        own = {path for path in paths if re.match(rf"{name}(_|$)", path.split("/")[2])}
        assert {of_first_set(path, name) for path in own} == {*SETS}
        paths -= own
    assert sorted(paths) == sorted(PATHS)


def test_numbered_migrations_call_no_function_of_ours() -> None:
    """The result would depend on when one deploys."""
    ours = "|".join(
        re.escape(path.split("/", 1)[1].replace("/", "."))
        for path in PATHS
        if path.startswith("functions/")
    )
    for file in sorted(MIGRATIONS.glob("0*.sql")):
        if file.stem.endswith(".rollback"):
            continue
        code = re.sub(
            r"^(?:comment on|drop function|drop procedure) .*?;$|--[^\n]*",
            "",
            file.read_text(),
            flags=re.M | re.S,
        )
        assert re.findall(rf"\b(?:{ours})\(", code) == [], file.name
        # a view that is put back as it was found, whoever made it, is no text of ours
        code = code.replace("'create view %s %s as %s'", "")
        assert not re.search(r"create (or replace )?(function|procedure|view|trigger)", code)


def test_released_migrations_are_as_they_were_released() -> None:
    frozen = (MIGRATIONS / "frozen.txt").read_text().splitlines()
    assert [line.split("  ")[1] for line in frozen] == sorted(
        file.name for file in MIGRATIONS.glob("0*.sql")
    )
