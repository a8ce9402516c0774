"""Before a replay: unknown tenants and symbols, and units that fit no tick, stop it with words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import reference
from ingest.__main__ import main
from ingest.config import Config
from ingest.replay import check
from ingest.replay.check import instrument_line
from tests.ingest.conftest import NOON_US
from tests.ingest.deadletters.letterbox import consume, messages

Query = Callable[..., list[tuple[Any, ...]]]
Replay = Callable[..., tuple[int, str, str]]
MAP = """
kind = "trade"
format = "csv"
time_unit = "us"

[columns]
symbol = "s"
ts = "t"
price = "p"
size = "q"

[filter]
kept = "yes"
"""


@pytest.fixture
def replay(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Replay:
    """replay(rows, *options, mapping=MAP): exit code, stdout, stderr of python -m ingest replay."""
    monkeypatch.setenv("DATABASE_URL", config.database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", config.kafka_bootstrap)
    monkeypatch.setenv("TRADE_TOPIC", config.topics["trade"])
    monkeypatch.setenv("QUOTE_TOPIC", config.topics["quote"])
    monkeypatch.setenv("TOPIC_PARTITIONS", str(config.partitions))

    def run(rows: list[str], *options: object, mapping: str = MAP) -> tuple[int, str, str]:
        (tmp_path / "map.toml").write_text(mapping)
        (tmp_path / "a.csv").write_text("\n".join(["s,t,p,q,kept", *rows]) + "\n")
        file = [str(tmp_path / "a.csv"), "--map", str(tmp_path / "map.toml")]
        capsys.readouterr()
        code = main(["replay", *file, *map(str, options)])
        return code, *capsys.readouterr()

    return run


def row(symbol: str, at: int = 0, price: str = "10", kept: str = "yes") -> str:
    return f"{symbol},{NOON_US + at},{price},1,{kept}"


def test_unknown_symbols_are_refused_with_a_line_for_each(replay: Replay, config: Config) -> None:
    rows = [row("SYN_ES"), row("NEW", 1), row("NEW", 2), row("OTHER", 3), row("X", 4, kept="no")]
    code, out, error = replay(rows)
    assert (code, out) == (1, "")
    assert "no instrument is called 'NEW', 'OTHER'. Add to seeds/instrument.csv" in error
    lines = [line for line in error.splitlines() if line.startswith(("NEW,", "OTHER,"))]
    assert len(lines) == 2
    assert "nothing was sent; --anyway sends it all the same" in error
    assert "X" not in [line.split(",")[0] for line in error.splitlines()]
    assert replay(rows, "--anyway")[0] == 0
    counts = consume(config)
    assert (counts.applied, counts.refused) == (1, {"unknown_symbol": 3})
    assert replay([row("SYN_ES", 5)])[0] == 0


def test_the_ready_line_loads(tmp_path: Path, database: str, query: Query) -> None:
    for path in reference.SEEDS.glob("*.csv"):
        shutil.copy(path, tmp_path)
    symbols = ["NEW", 'A "B", C', "ESM4 P5250"]
    with (tmp_path / "instrument.csv").open("a") as file:
        file.writelines(f"{instrument_line(symbol)}\n" for symbol in symbols)
    try:
        reference.load(database, tmp_path)
        found = query("select symbol from market.instrument where venue = 'UNKNOWN'")
        assert {symbol for (symbol,) in found} == set(symbols)
    finally:
        reference.load(database)


def test_an_unknown_tenant_is_refused(replay: Replay, config: Config) -> None:
    code, out, error = replay([row("SYN_ES")], "--tenant", 99)
    assert (code, out) == (1, "")
    assert "there is no tenant 99, only 1, 2: add it with make tenant" in error
    assert replay([row("SYN_ES")], "--tenant", 99, "--anyway")[0] == 0
    assert len(messages(config, config.topics["trade"])) == 1


@pytest.mark.parametrize(("unit", "reason"), [("ns", "time_too_early"), ("ms", "time_in_future")])
def test_a_wrong_unit_is_refused(replay: Replay, unit: str, reason: str) -> None:
    mapping = MAP.replace('"us"', f'"{unit}"')
    code, out, error = replay([row("SYN_ES", at) for at in range(3)], mapping=mapping)
    assert (code, out) == (1, "")
    assert f"a.csv: not one of its first 3 ticks would count, most as {reason}: ts=" in error
    assert "Check time_unit, price_scale and [columns] of the mapping map" in error


def test_a_price_scale_that_fits_nothing_is_refused(replay: Replay) -> None:
    mapping = MAP.replace("[columns]", "price_scale = 1e-13\n\n[columns]")
    assert "most as out_of_range" in replay([row("SYN_ES")], mapping=mapping)[2]


def test_some_bad_rows_are_not_the_file(replay: Replay) -> None:
    rows = [*(row("SYN_ES", at, "-1") for at in range(50)), row("SYN_ES", 50)]
    assert replay(rows)[0] == 0


def test_without_a_database_names_are_not_checked(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    code, _, error = replay([row("NEW", price="-1")], "--tenant", 99)
    assert code == 0
    assert "tenant and symbols are not checked before they are sent: database 127.0.0.1:1" in error
    assert "time_too_early" in replay([row("NEW")], mapping=MAP.replace('"us"', '"ns"'))[2]


@pytest.mark.parametrize("rows", [[], [row("SYN_ES", kept="no")]])
def test_a_file_without_a_tick_is_an_error(replay: Replay, rows: list[str]) -> None:
    code, out, error = replay(rows)
    assert code == 1
    assert "0 trades of a.csv sent" in out
    assert "not one row became a tick" in error


def test_a_file_of_which_no_row_can_be_read_is_refused_before_it_is_sent(replay: Replay) -> None:
    rows = [row("SYN_ES", price="dear"), row("SYN_ES", 1, price="dear")]
    code, out, error = replay(rows)
    assert (code, out) == (1, "")
    assert (
        "not one of the first 2 rows of a.csv can be read, first: a.csv, row 1: price is" in error
    )
    assert "'dear', not a number. Check the mapping map; `python -m ingest inspect`" in error
    code, out, error = replay(rows, "--anyway")
    assert code == 1
    assert "2 unmappable rows dead-lettered" in out
    assert "not one row became a tick" in error


def test_a_clock_without_a_zone_is_refused_until_the_mapping_gives_one(replay: Replay) -> None:
    mapping = MAP.replace('time_unit = "us"\n', "")
    local = [row("SYN_ES").replace(str(NOON_US), "2023-11-15 07:00:00")]
    code, out, error = replay(local, mapping=mapping)
    assert (code, out) == (1, "")
    assert "row 1: ts is '2023-11-15 07:00:00', a clock without a zone: say time_zone =" in error
    zone = 'time_zone = "America/New_York"\n\n[columns]'
    assert replay(local, mapping=mapping.replace("[columns]", zone))[0] == 0


def test_the_check_of_a_large_file_ends_and_says_what_came_behind_it(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "SAMPLE", 2)
    monkeypatch.setattr(check, "CHECKED_ROWS", 2)
    rows = [row("SYN_ES"), row("SYN_ES", 1), row("NEW", 2), row("NEW", 3)]
    code, out, _ = replay(rows)
    assert code == 0
    assert "2 rows behind those that were checked become dead letters" in out
    assert "no instrument is called 'NEW'" in out
