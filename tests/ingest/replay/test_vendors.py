"""Vendors' files by inspect alone: the mapping that it writes makes the right records."""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from engine.errors import ConfigError
from ingest.errors import IngestError
from ingest.kinds import MINUTE_US
from ingest.replay import inspect, replay
from ingest.replay.mapper import mapper
from ingest.replay.mapping import bundled, load
from ingest.replay.sources import open_source
from ingest.validate import Known, validate
from tests.ingest.replay.vendor_samples import NOON, NOON_US, SAMPLES, Sample, lines

Inspect = Callable[..., tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Inspect:
    """inspected(path, *options): what inspect says, and the records of the mapping it writes."""

    def run(path: Path, *options: str) -> tuple[str, list[dict[str, Any]]]:
        out = tmp_path / "written.toml"
        capsys.readouterr()
        assert inspect.main([str(path), "--out", str(out), *options]) == 0
        said = capsys.readouterr().out
        mapping = load(out)
        source = open_source(path, mapping.format, mapping.dialect)
        mapping.check(source)
        map_row = mapper(mapping, source, 1)
        rows = [row for batch in source.batches(mapping.asked()) for row in batch.rows]
        return said, [record for row in rows if (record := map_row(row)) is not None]

    return run


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.layout}-{one.name}")
def test_a_vendors_file_loads_by_inspect_alone(
    sample: Sample, inspected: Inspect, tmp_path: Path
) -> None:
    said, records = inspected(sample.write(tmp_path), *sample.options)
    assert f"laid out as {sample.layout}" in said
    assert f"the first {sample.kind}s" in said
    assert {name: records[0][name] for name in sample.first} == sample.first
    assert len(records) == sample.count
    assert max(map(len, said.partition("the mapping is in")[0].splitlines())) <= 80


def test_every_shipped_mapping_has_a_sample() -> None:
    tried = {"databento_mbo", "binance_trades", "binance_quotes", "usdjpy_quotes"}
    assert {mapping.name for mapping in bundled()} - tried == {one.layout for one in SAMPLES}


def test_a_correction_and_cancels_keep_the_key_of_their_trade(
    inspected: Inspect, tmp_path: Path
) -> None:
    sample = next(one for one in SAMPLES if one.layout == "alpaca_stream")
    said, records = inspected(sample.write(tmp_path))
    keys = [(record["ts"], record["seq"]) for record in records]
    assert [record["action"] for record in records] == [
        *("new", "new", "correction", "cancel", "cancel")
    ]
    assert keys[2] == keys[0] == keys[4]
    assert keys[3] == keys[1] != keys[0]
    assert [record["known_at"] - NOON_US for record in records] == [
        *(0, 1_000_000, 5_000_000, 6_000_000, 7_000_000)
    ]
    assert (records[2]["price"], records[2]["size"]) == (208.6, 200.0)
    assert "+5s" in said


def test_a_cancel_of_the_tape_ends_its_trade_when_it_came(
    inspected: Inspect, tmp_path: Path
) -> None:
    sample = next(one for one in SAMPLES if one.layout == "polygon_trades")
    _, records = inspected(sample.write(tmp_path))
    cancelled, cancel = records[1:]
    assert (cancelled["ts"], cancelled["seq"]) == (cancel["ts"], cancel["seq"])
    assert cancelled["seq"] == 500 * 2**53 + 3808
    assert (cancel["action"], cancel["known_at"]) == ("cancel", NOON_US + 9_000_035)


def packed(path: Path, how: str) -> Path:
    data = path.read_bytes()
    if how == "gz":
        out = path.with_name(path.name + ".gz")
        out.write_bytes(
            gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])
        )
    elif how == "zst":
        out = path.with_name(path.name + ".zst")
        out.write_bytes(zstandard.compress(data[:9]) + zstandard.compress(data[9:]))
    else:
        out = path.with_suffix(".zip")
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.name, data)
            archive.writestr(path.stem + ".txt", "a report")
    path.unlink()
    return out


@pytest.mark.parametrize("how", ["gz", "zst", "zip"])
@pytest.mark.parametrize("layout", ["histdata_ticks", "binance_raw_trades", "alpaca_stream"])
def test_compressed_files_are_told_by_their_bytes(
    layout: str, how: str, inspected: Inspect, tmp_path: Path
) -> None:
    sample = next(one for one in SAMPLES if one.layout == layout)
    said, records = inspected(packed(sample.write(tmp_path), how))
    assert f"{ {'gz': 'gzip', 'zst': 'zstd', 'zip': 'zip'}[how] }, by its first bytes" in said
    assert {name: records[0][name] for name in sample.first} == sample.first
    assert len(records) == sample.count


BARS = [one for one in SAMPLES if one.kind == "bar"]


@pytest.mark.parametrize("sample", BARS, ids=lambda one: f"{one.layout}-{one.name}")
def test_bars_of_one_minute_are_sent_and_others_refused_with_the_reason(
    sample: Sample, inspected: Inspect, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = sample.write(tmp_path), tmp_path / "written.toml"
    said, records = inspected(path, *sample.options)
    said = said.replace("\n", " ")
    now_us = records[-1]["known_at"]
    refused = [
        validate("bar", r, Known(frozenset({1}), frozenset({r["symbol"]})), now_us, 0)
        for r in records
    ]
    if sample.first["known_at"] - sample.first["ts"] == MINUTE_US:
        assert f"replay {path} --map" in said
        assert refused == [None] * len(records)
        assert {r["seq"] for r in records} == {0}
        with pytest.raises(ConfigError, match="no Kafka broker"):
            replay.main([str(path), "--map", str(out)], {})
    else:
        why = r"bars of (5m|1d) are not sent, as features are made of one-minute bars: fetch"
        assert re.search(f"`replay` refuses it: {why}", said)
        with pytest.raises(IngestError, match=why):
            replay.main([str(path), "--map", str(out), "--anyway"], {})
    assert ",false,bar\n" in inspected(path, *sample.options, "--symbol", "NEW", "--force")[0]
    assert "sent" not in capsys.readouterr().out


def test_a_minute_without_a_bar_makes_no_interval_longer(
    inspected: Inspect, tmp_path: Path
) -> None:
    path = tmp_path / "XBTUSD_1.csv"
    path.write_text(lines(*(f"{NOON + 60 * n},10,12,9,11,4,1" for n in (0, 2, 4, 9))))
    said, _ = inspected(path)
    assert "bars of 1m, by the distances between them" in said


@pytest.mark.parametrize("layout", ["histdata_bars", "histdata_ticks"])
def test_a_file_without_a_header_is_read_by_its_name_alone(layout: str, tmp_path: Path) -> None:
    path = next(one for one in SAMPLES if one.layout == layout).write(tmp_path)
    with pytest.raises(ConfigError, match="no Kafka broker"):
        replay.main([str(path)], {})
