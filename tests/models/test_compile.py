"""The models are compiled when they are built: what cannot be recomputed fails there."""

import shutil
from pathlib import Path

import pytest

from engine import dbt
from engine.errors import EngineUnavailable
from tests.conftest import Databases
from tests.pit.conftest import SYMBOL, Scene
from tests.pit.world import World

PROJECT = ("models", "macros", "seeds", "profiles", "tests/dbt", "dbt_project.yml")


def copy_project(to: Path) -> Path:
    """A copy of the dbt project that a test may edit."""
    for part in PROJECT:
        source, target = dbt.ROOT / part, to / part
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    return to


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the test's own."""
    return copy_project(tmp_path)


@pytest.fixture(scope="module")
def built(databases: Databases, modelled_database: str) -> World:
    """A database whose formulas are the repository's."""
    return World(modelled_database, databases.kind)


def edit(project: Path, model: str, old: str, new: str, kind: str = "sql") -> None:
    (file,) = (project / "models").rglob(f"{model}.{kind}")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def build(world: World, project: Path) -> None:
    dbt.run(world.url, "run", "--quiet", quiet=True, project=project)


def bodies(world: World) -> list[tuple[str, str]]:
    return world.connection.execute(
        "select p.proname, p.prosrc from pg_proc as p"
        " where p.pronamespace = 'feature'::regnamespace"
        " and p.proname in ('own_value', 'window_value', 'reach') order by 1"
    ).fetchall()


def test_the_same_models_compiled_again_make_nothing_anew(built: World) -> None:
    built.connection.execute("call feature.compile()")
    events = "select count(*) from audit.event where object ~ 'own_value|window_value|reach'"
    before = built.connection.execute(events).fetchone(), bodies(built)
    built.connection.execute("call feature.compile()")
    assert (built.connection.execute(events).fetchone(), bodies(built)) == before


def test_a_model_may_join_a_table_by_symbol(built: World, project: Path) -> None:
    """Corporate actions, tick sizes and currencies will; here only crypto is let through."""
    edit(
        project,
        "int_bar__closed",
        "    from bar\n",
        "    from bar\n    inner join {{ ref('instrument') }} as i using (symbol)\n",
    )
    edit(
        project,
        "int_bar__closed",
        "    where bucket",
        "    where i.asset_class = 'crypto' and bucket",
    )
    build(built, project)
    scene = Scene(built)
    scene.bars(40)
    scene.trade(scene.at(0, 30), 100, symbol="SYN_CL")
    scene.world.publish(scene.at(40))
    published = scene.log("symbol, sma_20 is null")
    assert published == [(SYMBOL, minute < 19) for minute in range(40)]


def test_a_model_that_is_a_table_fails_in_dbt_and_names_itself(built: World, project: Path) -> None:
    edit(
        project, "int_bar__return", "with bar as", "{{ config(materialized='table') }}\nwith bar as"
    )
    before = bodies(built)
    with pytest.raises(EngineUnavailable, match=r"int_bar__return is no view.*materialized=.view"):
        build(built, project)
    assert bodies(built) == before


def test_an_aggregate_longer_than_a_bar_fails_in_dbt_and_names_itself(
    built: World, project: Path
) -> None:
    edit(
        project,
        "int_bar__own",
        "final as (",
        "hour as (\n    select * from {{ ref('stg_range_hour') }}\n),\n\nfinal as (",
    )
    edit(
        project,
        "int_bar__own",
        "then greatest(low, least(high, notional / volume))\n        end as vwap,",
        "then coalesce((select max(h.trades) from hour as h), 1) * volume\n        end as vwap,",
    )
    with pytest.raises(EngineUnavailable, match=r"market\.range_1h spans more than one bar"):
        build(built, project)
