"""The machine, the table on the terminal, the JSON and the plot."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Figure:
    """One measured number: seconds unless unit says otherwise; None when it was not reached."""

    group: str
    what: str
    value: float | None
    unit: str = "s"
    note: str = ""


def machine(url: str, versions: dict[str, str]) -> dict[str, str]:
    """What the figures depend on besides the code; versions: of the peers."""
    with psycopg.connect(url, autocommit=True) as connection:
        settings = connection.execute(
            "select name, current_setting(name) from unnest(array['server_version',"
            " 'shared_buffers', 'work_mem', 'max_parallel_workers', 'jit', 'fsync']) as s (name)"
        ).fetchall()
        extension = connection.execute(
            "select default_version from pg_available_extensions where name = 'timescaledb'"
        ).fetchone()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cpu": f"{_cpu()}, {len(os.sched_getaffinity(0))} cores",
        "ram": f"{ram:.0f} GiB",
        "load at the start": load,
        "python": platform.python_version(),
        "timescaledb": extension[0] if extension else "?",
        **{f"postgresql {name}".replace(" server_version", ""): value for name, value in settings},
        **versions,
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def text(figures: Iterable[Figure], facts: dict[str, str]) -> str:
    """A plain table."""
    figures = list(figures)
    width = max((len(f.what) for f in figures), default=0) + 2
    lines = [f"{name}: {value}" for name, value in facts.items()]
    for group, members in groupby(figures, key=lambda f: f.group):
        lines += ["", group]
        lines += [f"  {f.what:<{width}}{_value(f):>12}  {f.note}".rstrip() for f in members]
    return "\n".join(lines) + "\n"


def _value(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if figure.unit == "s":
        return f"{figure.value * 1e3:,.2f} ms" if figure.value < 1 else f"{figure.value:,.2f} s"
    return f"{figure.value:,.0f} {figure.unit}" if figure.unit != "x" else f"{figure.value:,.1f} x"


def write(
    name: str, figures: list[Figure], facts: dict[str, str], samples: dict[str, list[float]]
) -> Path:
    """Write name.txt, name.json and name.png; returns the plot's path. name: bench/case."""
    path = RESULTS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".txt").write_text(text(figures, facts))
    document: dict[str, Any] = {
        "machine": facts,
        "figures": [asdict(f) for f in figures],
        "samples_s": samples,
    }
    path.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    _plot(path, figures)
    return path


def _plot(path: Path, figures: list[Figure]) -> None:
    """One panel a group, bars on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    groups = [
        (group, [f for f in members if f.unit != "x" and f.value])
        for group, members in groupby(figures, key=lambda f: f.group)
    ]
    groups = [(group, members) for group, members in groups if members]
    figure, panels = pyplot.subplots(
        len(groups),
        1,
        figsize=(11, 0.34 * sum(len(m) + 3 for _, m in groups)),
        height_ratios=[len(m) + 1 for _, m in groups],
        squeeze=False,
        layout="constrained",
    )
    for panel, (group, members) in zip(panels[:, 0], groups, strict=True):
        values = [f.value for f in members]
        colours = ["#1f6f8b" if f.what.startswith("ours") else "#b0b7bd" for f in members]
        drawn = panel.barh([f.what for f in members], values, color=colours)
        panel.bar_label(drawn, [_value(f) for f in members], padding=3, fontsize=8)
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.set_xlim(right=max(v for v in values if v) * 4)
        panel.set_title(group, loc="left", fontsize=10, fontweight="bold")
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("logarithmic")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
