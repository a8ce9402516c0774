"""Captured corrections and cancels, day files of a folder, bars: through broker and database."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.config import Config
from ingest.errors import IngestError
from ingest.replay import inspect, replay
from tests.ingest.conftest import NOON_US
from tests.ingest.deadletters.letterbox import consume
from tests.ingest.replay.vendor_samples import lines

Query = Callable[..., list[tuple[Any, ...]]]
HEADER = "time,received,symbol,trade_id,price,qty,status"
S = 1_000_000


@pytest.fixture
def env(config: Config) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
        "TOPIC_PARTITIONS": str(config.partitions),
    }


def row(at: int, known: int, name: str, price: str, word: str) -> str:
    return f"{NOON_US + at * S},{NOON_US + known * S},SYN_ES,{name},{price},1,{word}"


def inspected(path: Path, *options: str) -> Path:
    out = path.parent / "map.toml"
    assert inspect.main([str(path), "--out", str(out), *options]) == 0
    return out


def test_what_was_believed_when_comes_out_of_a_folder_of_days(
    config: Config, query: Query, tmp_path: Path, env: dict[str, str]
) -> None:
    """The correction is in the file of the next day, whose name comes first."""
    days = tmp_path / "days"
    days.mkdir()
    first = [row(0, 0, "a-1", "10.5", "N"), row(1, 1, "a-2", "11.5", "N")]
    second = [
        row(0, 60, "a-1", "10.25", "C"),
        row(1, 61, "a-2", "", "X"),
        row(70, 70, "b", "12", "N"),
    ]
    (days / "b.csv.gz").write_bytes(gzip.compress(lines(HEADER, *first).encode()))
    (days / "a.csv").write_text(lines(HEADER, *second))
    mapping = inspected(days / "b.csv.gz", "--action", "C=correction", "--action", "X=cancel")
    arguments = [str(days), "--map", str(mapping)]
    assert replay.main(arguments, env) == 0
    assert consume(config).applied == 5
    assert replay.main(arguments, env) == 0
    assert consume(config).duplicates == 5
    believed = query(
        "select extract(epoch from ts - to_timestamp(%s))::int, price,"
        " extract(epoch from known_at - to_timestamp(%s))::int from market.trade"
        " where source_topic = %s order by ts",
        *(NOON_US / S, NOON_US / S, config.topics["trade"]),
    )
    assert believed == [(0, 10.25, 60), (70, 12.0, 70)]
    was = query(
        "select price, extract(epoch from superseded_at - to_timestamp(%s))::int"
        " from market.trade_superseded where source_topic = %s order by ts",
        *(NOON_US / S, config.topics["trade"]),
    )
    assert was == [(10.5, 60), (11.5, 61)]


def test_nameless_bars_are_no_trades(tmp_path: Path, env: dict[str, str]) -> None:
    """Columns of a file without a header say nothing; its cells do."""
    rows = [
        f"{NOON_US + n * 60 * S},{10 + n}.5,{11 + n},{10 + n},{10 + n}.75,{n + 1}" for n in range(9)
    ]
    path, mapping = tmp_path / "a.csv", tmp_path / "m.toml"
    path.write_text(lines(*rows))
    mapping.write_text(
        'kind = "trade"\nformat = "csv"\nsymbol = "SYN_ES"\ntime_unit = "us"\n'
        'names = ["t", "a", "b", "c", "p", "q"]\n\n[columns]\nts = "t"\nprice = "p"\nsize = "q"\n'
    )
    with pytest.raises(
        IngestError, match=r"a.csv holds bars in its columns a, b, c, p, of which p"
    ):
        replay.main([str(path), "--map", str(mapping)], env)
    assert replay.main([str(path), "--map", str(mapping), "--anyway"], env) == 0
