"""A field that a user adds, a window over the volume of other bars: nobody edits publish."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Databases
from tests.models.test_compile import build, copy_project, edit
from tests.pit.conftest import SYMBOL, Scene
from tests.pit.oracle import Event, Trade
from tests.pit.world import World

MODEL = """
with bar as (
    select tenant_id, symbol, bucket, volume from {{ ref('int_bar__own') }}
)

select
    tenant_id,
    symbol,
    bucket,
    sum(volume) over (
        partition by tenant_id, symbol order by bucket rows between 4 preceding and current row
    ) as volume_5
from bar
"""
CTE = "volumes as (\n    select * from {{ ref('int_bar__volume') }}\n),\n\nfinal as ("
JOIN = """    from bar
    left join volumes
        on
            bar.tenant_id = volumes.tenant_id
            and bar.symbol = volumes.symbol
            and bar.bucket = volumes.bucket
"""
MINUTE = timedelta(minutes=1)
LOG = "bucket, known_at, cause, volume, volume_5, close is null"


@pytest.fixture(scope="module")
def world(
    databases: Databases, modelled_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A database with volume_5: a model, its column in feature_1m, in the contract and the log."""
    world = World(modelled_database, databases.kind)
    project = copy_project(tmp_path_factory.mktemp("project"))
    (project / "models" / "intermediate" / "int_bar__volume.sql").write_text(MODEL)
    edit(project, "feature_1m", "final as (", CTE)
    edit(project, "feature_1m", "bar.order_imbalance\n", "bar.order_imbalance,\nvolumes.volume_5\n")
    edit(project, "feature_1m", "    from bar\n", JOIN)
    column = "      - {name: volume_5, data_type: double precision}\n\nunit_tests:"
    edit(project, "feature_1m", "\nunit_tests:", column, "yml")
    world.connection.execute(
        "insert into market.contract (feature_set, ordinal, field, data_type, unit, formula,"
        " null_when, available_after_s, max_staleness_s, inputs, feature_view) values"
        " ('market_1m', 12, 'volume_5', 'double precision', 'units traded',"
        " 'sum of volume of 5 bars', 'never', 30, 900, 'volume', 'bar')"
    )
    world.connection.execute("alter table feature.log add column volume_5 double precision")
    build(world, project)
    yield world
    world.close()


class Story:
    """Ten bars at one price; later one gets another size, one goes, and one gets a late trade."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.events = [
            self.event("new", minute, 30, minute, size=minute + 1) for minute in range(10)
        ]
        self.events += [
            self.event("correction", 3, 30, 3, size=50, known=11),
            self.event("cancel", 6, 30, 6, size=7, known=12),
            self.event("new", 1, 40, 10, size=7, known=13),
        ]
        closes = {scene.at(minute + 1) for minute in range(10)}
        self.stamps = sorted(closes | {scene.at(minute) for minute in (11, 12, 13)})

    def event(
        self, action: str, minute: int, second: int, seq: int, size: float, known: int | None = None
    ) -> Event:
        ts = self.scene.at(minute, second)
        key = self.scene.tenant, SYMBOL, ts, seq
        return Event(action, *key, Trade(100, size, None), self.scene.at(known) if known else ts)

    def bars(self, known_at: datetime) -> dict[datetime, tuple[float, float]]:
        """Volume, and that of the last five bars, of the closed bars as they were known then."""
        sizes: dict[tuple[datetime, int], float] = {}
        for event in self.events:
            if event.known_at <= known_at and event.ts + MINUTE / 2 <= known_at:
                assert isinstance(event.values, Trade)
                sizes[event.ts, event.seq] = event.values.size * (event.action != "cancel")
        volumes: dict[datetime, float] = {}
        for (ts, _), size in sorted(sizes.items()):
            bucket = ts.replace(second=0)
            volumes[bucket] = volumes.get(bucket, 0) + size
        there = [(bucket, volume) for bucket, volume in volumes.items() if volume]
        return {
            bucket: (volume, sum(of for _, of in there[max(0, place - 4) : place + 1]))
            for place, (bucket, volume) in enumerate(there)
        }

    def log(self) -> list[tuple[Any, ...]]:
        """The versions that this makes, by bar and knowledge."""
        causes = {11: "correction", 12: "cancel", 13: "late"}
        last: dict[datetime, tuple[float | None, float | None]] = {}
        versions: list[tuple[Any, ...]] = []
        for stamp in self.stamps:
            bars = self.bars(stamp)
            for bucket in sorted(last.keys() | bars):
                now = bars.get(bucket, (None, None))
                if last.get(bucket) != now:
                    cause = "close" if bucket not in last else causes[stamp.minute]
                    versions.append((bucket, stamp, cause, *now, now[0] is None))
                    last[bucket] = now
        return sorted(versions)


def test_a_field_that_a_user_adds_is_published_corrected_and_rebuilt(world: World) -> None:
    live = Scene(world)
    story = Story(live)
    before = live.at(-1)
    for stamp in story.stamps:
        world.apply(event for event in story.events if before < event.known_at <= stamp)
        world.publish(stamp)
        before = stamp
    assert len(story.log()) == 10 + 5 + 4 + 5
    assert live.log(LOG) == story.log()

    past = Scene(world)
    told = Story(past)
    world.apply(told.events)
    world.set_clock(past.at(30), past.at(30))
    world.backfill(past.at(-1), past.at(30))
    assert past.log(LOG) == told.log()
    assert live.log(LOG) == story.log()
