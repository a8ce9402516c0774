"""A vendor's bars from a captured file to market.bar: as they are, each known at its end."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.config import Config
from ingest.consume import run
from ingest.kinds import MINUTE_US
from ingest.replay import inspect, replay
from tests.ingest.conftest import NOON_US
from tests.ingest.deadletters.letterbox import consume
from tests.ingest.replay.vendor_samples import lines

Query = Callable[..., list[tuple[Any, ...]]]
NOON = NOON_US // 1_000_000
BARS = (
    "select extract(epoch from ts - to_timestamp(%s))::int, seq, open, high, low, close, volume,"
    " vwap, extract(epoch from known_at - to_timestamp(%s))::int from {} where source_topic = %s"
    " order by ts"
)


def test_a_file_of_bars_is_stored_as_it_is_and_corrected_and_cancelled(
    config: Config,
    query: Query,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = replace(config, topics={**config.topics, "bar": f"bars_{config.kafka_group}"})
    env = {
        **{"KAFKA_BOOTSTRAP": config.kafka_bootstrap, "KAFKA_GROUP": config.kafka_group},
        **{f"{kind.upper()}_TOPIC": topic for kind, topic in config.topics.items()},
        "TOPIC_PARTITIONS": str(config.partitions),
    }
    monkeypatch.setattr(run, "stop_on_signals", lambda _: None)

    def mapped(path: Path, *options: str) -> None:
        out = str(path.with_suffix(".toml"))
        assert inspect.main([str(path), "--symbol", "SYN_ES", "--out", out, *options]) == 0

    def sent(path: Path) -> str:
        capsys.readouterr()
        arguments = [str(path), "--map", str(path.with_suffix(".toml"))]
        assert replay.main(arguments, env, lambda: config.database_url) == 0
        return capsys.readouterr().err

    def stored(table: str) -> list[tuple[Any, ...]]:
        return query(BARS.format(table), NOON, NOON, config.topics["bar"])

    # a minute in which nothing was traded lacks, as in every file of Kraken's
    captured = tmp_path / "SYNES_1.csv.gz"
    rows = [f"{NOON + 60 * n},10.0,12.0,9.0,11.0,{n + 0.5},17" for n in (0, 1, 3, 6, 7, 8)]
    captured.write_bytes(gzip.compress(lines(*rows).encode()))
    mapped(captured)
    said = sent(captured)
    assert "no feature is made of these bars of SYN_ES until bars_from is bar" in said
    assert run.main(["--until-end"], env, lambda: config.database_url) == 0
    assert capsys.readouterr().out.startswith("6 messages: 6 applied")
    ohlc = (10.0, 12.0, 9.0, 11.0)
    first = [(60 * n, 0, *ohlc, n + 0.5, None, 60 * n + 60) for n in (0, 1, 3, 6, 7, 8)]
    assert stored("market.bar") == first

    changed = tmp_path / "changes.csv"
    changed.write_text(
        lines(
            "time,received,open,high,low,close,volume,vwap,status",
            f"{NOON_US},{NOON_US + 90_000_000},10,12,9,11.5,1,12.5,C",
            f"{NOON_US + MINUTE_US},{NOON_US + 150_000_000},,,,,,,X",
            # another bar of a minute that has one
            f"{NOON_US + 3 * MINUTE_US},{NOON_US + 300_000_000},10,12,9,10,1,,N",
            # the end of the minute is the first moment at which it can be known
            f"{NOON_US + 4 * MINUTE_US},{NOON_US + 250_000_000},10,12,9,10,0,,N",
        )
    )
    mapped(changed)
    sent(changed)
    counts = consume(config)
    assert (counts.applied, counts.refused) == (3, {"conflict": 1})
    assert stored("market.bar") == [
        (0, 0, 10.0, 12.0, 9.0, 11.5, 1.0, 12.5, 90),
        first[2],
        (240, 0, 10.0, 12.0, 9.0, 10.0, 0.0, None, 300),
        *first[3:],
    ]
    assert stored("market.bar_superseded") == first[:2]
    assert query(
        "select cause, extract(epoch from superseded_at - to_timestamp(%s))::int"
        " from market.bar_superseded where source_topic = %s order by ts",
        *(NOON, config.topics["bar"]),
    ) == [("correction", 90), ("cancel", 150)]

    # all of it once more changes nothing; the contradiction stays one
    sent(captured)
    sent(changed)
    again = consume(config)
    assert (again.applied, again.refused) == (0, {"conflict": 1})
    assert again.duplicates == 9
