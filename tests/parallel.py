"""How a run is spread over workers: `pytest -n auto`, as `make test` calls it.

A module's tests stay together, because they share its database. Whoever needs pytest-xdist away:
`make test ARGS=-n0`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

# a worker's share: Python with Feast, an embedded engine or two, a JVM
WORKER_MIB = 2048

# the longest modules: begun last, one of them would keep one worker busy alone
LONGEST = (
    "tests/chaos/test_chaos.py",
    "tests/pit/test_state_machine.py",
    "tests/demo/test_demo.py",
    "tests/ingest/test_live.py",
    "tests/training/test_training.py",
    "tests/migrations/test_upgrade.py",
    "tests/migrations/test_migrations.py",
    "tests/pit/test_live.py",
    "tests/pit/test_at_once.py",
    "tests/models/test_contract.py",
    "tests/feast/test_skew.py",
    "tests/ingest/deadletters/test_dlq.py",
    "tests/embedded/test_lifecycle.py",
    "tests/ingest/test_identity.py",
    "tests/models/test_compile.py",
    "tests/audit/test_recorded.py",
    "tests/models/test_replace.py",
)
# folders whose modules share what takes long to make
TOGETHER = ("tests/feast/http/", "tests/serving/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers more than processors, as tests wait too, and as memory bears; one at least."""
    return max(1, min(len(os.sched_getaffinity(0)) + 2, _free_mib() // WORKER_MIB))


def _free_mib() -> int:
    found = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(found["MemAvailable"].split()[0]) // 1024


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole modules, in the order in which they were collected."""
    from xdist.scheduler import LoadFileScheduling

    class Modules(LoadFileScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    config.option.loadscopereorder = False
    return Modules(config, log)


def unit(nodeid: str) -> str:
    """What a test is given to a worker with: its module, or a folder that shares more."""
    module = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if module.startswith(folder)), module)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


@pytest.fixture(scope="session", autouse=True)
def _dbt_writes_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs of dbt side by side would write the same files below target/ and logs/."""
    directory = tmp_path_factory.mktemp("dbt")
    os.environ["DBT_TARGET_PATH"] = str(directory / "target")
    os.environ["DBT_LOG_PATH"] = str(directory / "logs")


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of this run that all its workers see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
