"""Delete the data that the embedded engine, broker and Redis keep in .state: make clean-data."""

import shutil
from pathlib import Path

from embedded import broker, database, redis
from engine import consent

WHAT = {
    "timescaledb": "the embedded database: ticks, the log of features, tenants, the audit trail",
    "kafka": "the embedded broker's log; stopping it, its messages go",
    "redis": "the embedded Redis: features online",
    "feast": "Feast's registry; make feast makes it anew",
    "report.html": "the demo's report",
}


def clean_data(directory: Path, *, yes: bool) -> str:
    """Say what is there and how large, and delete it once that is agreed to; returns what was done.

    What runs there is stopped first. A database or broker elsewhere is not touched.
    Raises NotAgreed; EmbeddedError when something cannot be stopped.
    """
    if not directory.exists():
        return f"nothing to delete: there is no {directory}"
    found = [
        f"  {path.name:<12} {_size(path):>10}  {WHAT.get(path.name, '')}".rstrip()
        for path in sorted(directory.iterdir())
    ]
    consent.agree(
        [f"deletes {directory}, which nothing brings back:", *found], "Delete it?", yes=yes
    )
    broker.stop(directory / "kafka")
    redis.stop(directory / "redis")
    database.stop(directory / "timescaledb")
    shutil.rmtree(directory)
    return f"deleted {directory}"


def _size(path: Path) -> str:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    size = float(sum(file.lstat().st_size for file in files))
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
