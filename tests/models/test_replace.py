"""dbt on a running system: readers, publishes, grants and whatever reads the views stay."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from engine import dbt
from tests.conftest import Databases
from tests.models.test_compile import build, edit
from tests.models.test_compile import project as project
from tests.pit.conftest import Scene
from tests.pit.world import World

# a role is the whole server's
ANALYST = f"analyst_{uuid.uuid4().hex[:8]}"
READ = "select count(close) from feature.feature_1m"
# every view, what others hold of it, and when its row was last written
STATE = """
    select c.oid, c.xmin::text, c.oid::regclass::text, c.relacl::text
    from pg_class as c
    where c.relnamespace::regnamespace::text in ('staging', 'intermediate', 'feature', 'analyst')
        and c.relkind = 'v'
    order by 1
"""


@pytest.fixture(scope="module")
def running(databases: Databases, modelled_database: str) -> Iterator[World]:
    """A database with bars, and with what an analyst has hung on the features."""
    world = World(modelled_database, databases.kind)
    scene = Scene(world)
    scene.bars(30)
    world.publish(scene.at(30))
    for statement in (
        f"create role {ANALYST}",
        "create schema analyst",
        "create view analyst.range as"
        " select symbol, bucket, high - low as points, sma_20 from feature.feature_1m",
        "create view analyst.turnover as select symbol, bucket, notional from staging.stg_bar",
        f"grant select on feature.feature_1m to {ANALYST}",
        f"grant select on staging.stg_bar to {ANALYST}",
    ):
        world.connection.execute(statement.encode())
    yield world
    world.connection.execute(f"drop owned by {ANALYST}".encode())
    world.connection.execute(f"drop role {ANALYST}".encode())


@contextmanager
def used(world: World) -> Iterator[list[str]]:
    """Read and publish without a pause; the list has what failed."""
    faults: list[str] = []
    stop = threading.Event()

    def use(*statements: str) -> None:
        with psycopg.connect(world.url, autocommit=True) as connection:
            while not stop.is_set():
                for statement in statements:
                    try:
                        connection.execute(statement.encode())
                    except psycopg.Error as error:
                        faults.append(f"{statement}: {error}")
                time.sleep(0.01)

    users = [
        threading.Thread(target=use, args=statements)
        for statements in (
            (READ, "select count(points) from analyst.range"),
            ("call feature.publish()",),
        )
    ]
    for user in users:
        user.start()
    try:
        yield faults
    finally:
        stop.set()
        for user in users:
            user.join()


def can_read(world: World, view: str) -> bool:
    row = world.connection.execute(
        "select has_table_privilege(%s, %s, 'select')", [ANALYST, view]
    ).fetchone()
    assert row is not None
    return bool(row[0])


def former_views(world: World) -> list[str]:
    return [
        name
        for (name,) in world.connection.execute(
            "select oid::regclass::text from pg_class where relname like '%\\_\\_former\\_%'"
            " or relname like '%\\_\\_dbt\\_%'"
        )
    ]


def test_a_changed_formula_takes_nothing_away(running: World) -> None:
    before = running.connection.execute("select count(sma_20) from analyst.range").fetchone()
    assert before == (11,)
    with used(running) as faults:
        dbt.run(running.url, "run", "--quiet", "--vars", "{sma_bars: 10}", quiet=True)
    assert faults == []
    assert can_read(running, "feature.feature_1m")
    # the analyst's view reads the new one
    found = running.connection.execute("select count(sma_20) from analyst.range").fetchone()
    assert found == (21,)
    assert former_views(running) == []


def use_turnover(project: Path) -> None:
    """Another name for a column of the first view."""
    edit(project, "stg_bar", "notional,", "notional as turnover,")
    yml = project / "models" / "staging" / "stg_bar.yml"
    yml.write_text(yml.read_text().replace("name: notional", "name: turnover"))
    edit(project, "int_bar__closed", "        notional\n", "        turnover as notional\n")


def test_a_column_that_goes_takes_nothing_away(running: World, project: Path) -> None:
    """Views that read it are made anew later in the run: until then they read the former one."""
    use_turnover(project)
    with used(running) as faults:
        said = dbt.run(running.url, "run", quiet=True, project=project)
    assert faults == []
    assert can_read(running, "staging.stg_bar")
    found = running.connection.execute("select count(sma_20) from analyst.range").fetchone()
    assert found == (11,)
    # what is not dbt's goes on with the former view, and is named
    (former,) = former_views(running)
    assert f"analyst.turnover still read the former view {former}: make them anew" in said
    found = running.connection.execute("select count(notional) from analyst.turnover").fetchone()
    assert found == (30,)


def test_what_did_not_change_is_not_touched_and_a_former_view_that_nobody_reads_goes(
    running: World, project: Path
) -> None:
    use_turnover(project)
    running.connection.execute("drop view analyst.turnover")
    (former,) = former_views(running)
    before = running.connection.execute(STATE.encode()).fetchall()
    with used(running) as faults:
        build(running, project)
    assert faults == []
    after = running.connection.execute(STATE.encode()).fetchall()
    assert [row for row in before if row not in after] == [
        row for row in before if row[2] == former
    ]
    assert former_views(running) == []
