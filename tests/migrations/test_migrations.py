"""Migrations: from empty, twice, at once, after a failure, back, and what they leave."""

import shutil
import threading
import uuid
from pathlib import Path

import psycopg
import pytest

from engine import migrate as migrate_module
from engine import objects
from engine.errors import EngineUnavailable, EngineUnsuitable, MigrationFailed
from engine.migrate import MIGRATIONS, migrate, rollback
from tests.conftest import Databases
from tests.migrations import catalog

SNAPSHOT = Path(__file__).parent / "schema.txt"


def names() -> list[str]:
    return sorted(p.stem for p in MIGRATIONS.glob("*.sql") if not p.stem.endswith(".rollback"))


def everything() -> list[str]:
    return [*names(), *(one.path for one in objects.read(MIGRATIONS))]


@pytest.fixture
def own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of migrations/ that migrate() reads and a test may change."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy)
    monkeypatch.setattr(migrate_module, "MIGRATIONS", copy)
    return copy


def test_a_second_run_applies_nothing(empty_database: str) -> None:
    assert migrate(empty_database) == everything()
    assert migrate(empty_database) == []


def test_rollback_returns_the_database_to_what_it_was_and_can_be_undone(
    empty_database: str,
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create extension if not exists timescaledb")
    before = catalog.lines(empty_database, [*catalog.OURS, "public"])
    migrate(empty_database)
    after = catalog.lines(empty_database, [*catalog.OURS, "public"])
    assert after != before
    assert rollback(empty_database) == names()[::-1]
    assert catalog.lines(empty_database, [*catalog.OURS, "public"]) == before
    migrate(empty_database)
    assert catalog.lines(empty_database, [*catalog.OURS, "public"]) == after


def test_one_step_back_takes_the_last_migration_only(empty_database: str) -> None:
    migrate(empty_database)
    assert rollback(empty_database, steps=1) == names()[-1:]
    assert migrate(empty_database)[:1] == names()[-1:]


def test_every_migration_has_a_rollback_that_says_what_it_loses_first() -> None:
    for name in names():
        first = (MIGRATIONS / f"{name}.rollback.sql").read_text().splitlines()[0]
        assert first.startswith("-- loses: "), name


def test_the_schema_is_the_committed_one(database: str) -> None:
    """After a migration: python -m tests.migrations.snapshot, and read the diff."""
    assert catalog.lines(database, catalog.OURS) == SNAPSHOT.read_text().splitlines()


def test_a_failure_keeps_what_was_applied_and_the_next_run_goes_on(
    empty_database: str, own_copy: Path
) -> None:
    broken = own_copy / f"{names()[5]}.sql"
    sound = broken.read_text()
    broken.write_text(sound + "\nselect 1 / 0;\n")
    with pytest.raises(MigrationFailed, match=f"{names()[5]} stopped.*division by zero"):
        migrate(empty_database)
    broken.write_text(sound)
    assert migrate(empty_database) == everything()[5:]


def test_an_applied_file_that_changed_is_refused(empty_database: str, own_copy: Path) -> None:
    migrate(empty_database)
    first = own_copy / f"{names()[0]}.sql"
    first.write_text(first.read_text() + "-- changed\n")
    with pytest.raises(MigrationFailed, match=f"{names()[0]} changed after it was applied"):
        migrate(empty_database)


def test_migrations_at_once_apply_each_file_once(empty_database: str) -> None:
    applied: list[str] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            applied.extend(migrate(empty_database))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(applied) == sorted(everything())


def test_an_unreachable_server_is_named_with_the_remedy() -> None:
    with pytest.raises(EngineUnavailable, match=r"(?s)127\.0\.0\.1:1,.*Check DATABASE_URL"):
        migrate("postgresql://nobody@127.0.0.1:1/nowhere")


def test_wrong_credentials_are_named(empty_database: str) -> None:
    url = empty_database.replace("postgres@", "no_such_role@")
    assert url != empty_database
    with pytest.raises(EngineUnavailable, match="no_such_role"):
        migrate(url)


def test_a_login_that_cannot_create_timescaledb_is_told_what_to_do(empty_database: str) -> None:
    login = f"limited_{uuid.uuid4().hex[:8]}"  # roles are the cluster's
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"create role {login} login")
        try:
            with pytest.raises(EngineUnsuitable, match="cannot create the extension TimescaleDB"):
                migrate(empty_database.replace("postgres@", f"{login}@"))
        finally:
            connection.execute(f"drop role {login}")


def test_an_old_timescaledb_is_refused(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import server

    monkeypatch.setattr(server, "MIN_TIMESCALEDB", (99, 0, 0))
    monkeypatch.setattr(server, "MIN_SINGLE_BACKEND", (99, 0, 0))
    with pytest.raises(EngineUnsuitable, match=r"is too old; install 99\.0\.0"):
        migrate(empty_database)


def test_everything_of_ours_has_a_comment(database: str) -> None:
    with psycopg.connect(database) as connection:
        bare = connection.execute(
            """
            select c.oid::regclass::text || '.' || coalesce(a.attname, '')
            from pg_class as c
            left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
                and not a.attisdropped
            where c.relnamespace in (
                'market'::regnamespace, 'feature'::regnamespace, 'audit'::regnamespace,
                'access'::regnamespace, 'api'::regnamespace, 'model'::regnamespace
            ) and c.relkind in ('r', 'v')
                and (obj_description(c.oid, 'pg_class') is null
                    or col_description(c.oid, a.attnum) is null)
            union all
            select p.oid::regprocedure::text from pg_proc as p
            where (
                p.pronamespace in (
                    'market'::regnamespace, 'feature'::regnamespace, 'audit'::regnamespace,
                    'access'::regnamespace, 'api'::regnamespace, 'model'::regnamespace
                )
                or p.proname ~ '^feature_pit'
            )
                and obj_description(p.oid, 'pg_proc') is null
            """
        ).fetchall()
    assert bare == []


def test_everything_belongs_to_the_owner_that_cannot_log_in(database: str) -> None:
    with psycopg.connect(database) as connection:
        strangers = connection.execute(
            "select c.oid::regclass::text from pg_class as c"
            " where c.relnamespace in ("
            " 'market'::regnamespace, 'feature'::regnamespace, 'audit'::regnamespace,"
            " 'access'::regnamespace, 'api'::regnamespace, 'model'::regnamespace)"
            " and pg_get_userbyid(c.relowner) <> 'market_owner'"
            " union all select p.oid::regprocedure::text from pg_proc as p where ("
            " p.pronamespace in ("
            " 'market'::regnamespace, 'feature'::regnamespace, 'audit'::regnamespace,"
            " 'access'::regnamespace, 'api'::regnamespace, 'model'::regnamespace)"
            " or p.proname ~ '^feature_pit')"
            " and pg_get_userbyid(p.proowner) <> 'market_owner'"
        ).fetchall()
        limit = connection.execute(
            "select rolconnlimit from pg_roles where rolname = 'market_owner'"
        ).fetchone()
    assert strangers == []
    assert limit == (0,)


def test_neighbours_that_migrate_and_roll_back_at_once_do_not_stop_each_other(
    databases: Databases,
) -> None:
    """Roles and their rights are the server's: two databases change the same rows of catalogs."""
    if databases.kind == "embedded":
        pytest.skip("the embedded engine is a server of one database")
    errors: list[Exception] = []

    def run(url: str) -> None:
        try:
            for _ in range(3):
                migrate(url)
                rollback(url)
        except Exception as error:
            errors.append(error)

    made = [databases.create("empty") for _ in range(3)]
    threads = [threading.Thread(target=run, args=(url,)) for url, _ in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, drop in made:
        drop()
    assert errors == []
