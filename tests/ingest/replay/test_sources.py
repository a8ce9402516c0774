"""Readers: rows of good files, good rows of damaged ones, errors that name the place."""

import builtins
import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from ingest.replay import sources
from ingest.replay.sources import DamagedFile, Ragged, SourceError, open_source

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
ESH4 = DATA / "esh4-20231225.mbo.dbn.zst"
real_ticks = pytest.mark.skipif(not ESH4.exists(), reason="the real ticks are not here")


def read(path: Path, format_name: str) -> tuple[list[dict[str, Any]], DamagedFile | None]:
    source = open_source(path, format_name)
    rows: list[dict[str, Any]] = []
    try:
        for batch in source.batches(list(source.columns)):
            rows += batch.rows
    except DamagedFile as damage:
        return rows, damage
    return rows, None


def csv_file(tmp_path: Path, data: str | bytes) -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_csv_rows_with_and_without_a_last_newline(tmp_path: Path, end: str) -> None:
    rows, damage = read(csv_file(tmp_path, "\ufeffa,b\n1,2\n\n3,4" + end), "csv")
    assert rows == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert damage is None


def test_a_csv_file_is_read_in_batches_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH_ROWS", 3)
    path = csv_file(tmp_path, "a\n" + "".join(f"{number}\n" for number in range(10)))
    batches = list(open_source(path, "csv").batches(["a"]))
    assert [int(row["a"]) for batch in batches for row in batch.rows] == list(range(10))
    assert len(batches) > 2
    assert batches[-1].done == 1.0


def test_a_csv_file_cut_in_a_row_keeps_the_rows_before(tmp_path: Path) -> None:
    rows, damage = read(csv_file(tmp_path, "a,b\n1,2\n3,4\n5"), "csv")
    assert [row["a"] for row in rows] == ["1", "3"]
    assert "row 3, line 4: the file ends after 1 of 2 fields" in str(damage)
    assert "t.csv" in str(damage)
    assert "get the file again" in str(damage)


def test_a_short_row_within_a_csv_file_is_marked(tmp_path: Path) -> None:
    rows, damage = read(csv_file(tmp_path, "a,b\n1\n3,4\n5,6,7\n"), "csv")
    assert [isinstance(row, Ragged) for row in rows] == [True, False, True]
    assert damage is None


@pytest.mark.parametrize(
    "tail",
    [b'"5,6\n7,8\n', b"\xff\xfe,6\n7,8\n"],
    ids=["open quotation mark", "no UTF-8"],
)
def test_a_broken_csv_row_stops_the_file_after_the_rows_before(tmp_path: Path, tail: bytes) -> None:
    rows, damage = read(csv_file(tmp_path, b"a,b\n1,2\n3,4\n" + tail), "csv")
    assert [row["a"] for row in rows] == ["1", "3"]
    assert "row 3, line" in str(damage)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\xff,b\n1,2\n", "is not a CSV file: the bytes ff are no utf-8"),
        (b"\n1,2\n", "has no header"),
        (b"a,a\n1,2\n", "names a column twice"),
    ],
)
def test_csv_files_without_columns(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        open_source(csv_file(tmp_path, data), "csv")


@pytest.mark.parametrize("format_name", ["csv", "parquet", "dbn"])
def test_a_missing_file_is_named(tmp_path: Path, format_name: str) -> None:
    with pytest.raises(SourceError, match=r"gone.bin does not exist"):
        open_source(tmp_path / "gone.bin", format_name)


@pytest.mark.parametrize("format_name", ["csv", "parquet", "dbn"])
def test_a_directory_is_no_file(tmp_path: Path, format_name: str) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        open_source(tmp_path, format_name)


@pytest.mark.parametrize("format_name", ["csv", "json", "parquet", "dbn"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, format_name: str) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SourceError, match=r"pipe.csv is a device or a pipe"):
        open_source(tmp_path / "pipe.csv", format_name)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_is_cut_keeps_the_rows_before(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    numbers = random.Random(1).sample(range(10**9), 50_000)  # noqa: S311
    data = pack(("a\n" + "".join(f"{number}\n" for number in numbers)).encode())
    rows, damage = read(csv_file(tmp_path, data[: len(data) * 2 // 3]), "csv")
    found = [int(row["a"]) for row in rows]
    assert len(found) > 20_000
    assert found == numbers[: len(found)]
    assert f"t.csv is damaged or half-written: row {len(found) + 1:,}, line" in str(damage)


def test_objects_of_json_need_not_have_the_same_keys(tmp_path: Path) -> None:
    path = csv_file(tmp_path, '{"a": 1, "b": "x"}\n\n[{"a": 2}, {"c": [3]}]\n{"a": 4\n{"a": 5}\n')
    rows, damage = read(path, "json")
    assert rows == [
        {"a": 1, "b": "x", "c": None},
        {"a": 2, "b": None, "c": None},
        {"a": None, "b": None, "c": [3]},
    ]
    assert "row 4, line 4: line 4 is not JSON" in str(damage)


def parquet_file(tmp_path: Path, rows: int = 1000) -> Path:
    path = tmp_path / "t.parquet"
    clock = pa.array([1_700_000_000_123_456_789 + row for row in range(rows)])
    table = pa.table(
        {
            "n": pa.array(range(rows)),
            "t": clock.cast(pa.timestamp("ns", "UTC")),
            "price": pa.array([row / 4 for row in range(rows)]),
        }
    )
    pq.write_table(table, path, row_group_size=100, compression="snappy", use_dictionary=False)
    return path


def test_parquet_timestamps_are_integers_of_their_unit(tmp_path: Path) -> None:
    path = parquet_file(tmp_path)
    rows, damage = read(path, "parquet")
    assert damage is None
    assert rows[0] == {"n": 0, "t": 1_700_000_000_123_456_789, "price": 0.0}
    assert len(rows) == 1000
    assert open_source(path, "parquet").clocks == {"t": "ns"}


def test_single_precision_is_the_number_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"p": pa.array([4800.1, None, 0.1], pa.float32())}), path)
    rows, damage = read(path, "parquet")
    assert ([row["p"] for row in rows], damage) == ([4800.1, None, 0.1], None)


def test_a_half_written_parquet_file_is_refused(tmp_path: Path) -> None:
    path = parquet_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match="is not a complete Parquet file"):
        open_source(path, "parquet")


def test_a_parquet_file_broken_inside_keeps_the_rows_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH_ROWS", 100)
    path = parquet_file(tmp_path)
    data = bytearray(path.read_bytes())
    at = pq.ParquetFile(path).metadata.row_group(5).column(0).data_page_offset
    data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    rows, damage = read(path, "parquet")
    assert [row["n"] for row in rows] == list(range(500))
    assert "after row 500 of 1,000" in str(damage)


@real_ticks
def test_dbn_gives_every_record_with_its_symbol() -> None:
    rows, damage = read(ESH4, "dbn")
    assert damage is None
    assert len(rows) == 68_792
    assert {row["symbol"] for row in rows} == {"ESH4"}
    assert sum(row["action"] == "T" for row in rows) == 2_973


@real_ticks
@pytest.mark.parametrize("keep", [0.999, 0.5])
def test_a_half_written_dbn_file_keeps_the_rows_before(tmp_path: Path, keep: float) -> None:
    data = ESH4.read_bytes()
    path = tmp_path / "half.mbo.dbn.zst"
    path.write_bytes(data[: int(len(data) * keep)])
    rows, damage = read(path, "dbn")
    assert 0.8 * keep < len(rows) / 68_792 < 1
    assert "half.mbo.dbn.zst is damaged or half-written" in str(damage)
    assert f"after {len(rows):,} rows" in str(damage)


def plain_dbn() -> bytes:
    zstandard = pytest.importorskip("zstandard")
    data = ESH4.read_bytes()
    inflated = b""
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        inflated += frame.decompress(data)
        data = frame.unused_data
    return inflated


@real_ticks
@pytest.mark.parametrize("filler", [b"\xff", b"\0"])
def test_a_broken_dbn_record_keeps_every_row_before_it(tmp_path: Path, filler: bytes) -> None:
    data = bytearray(plain_dbn())
    record = 56
    begins = len(data) - record * 68_792
    broken = begins + record * 40_000
    data[broken : broken + record * 3] = filler * record * 3
    path = tmp_path / "broken.mbo.dbn"
    path.write_bytes(data)
    rows, damage = read(path, "dbn")
    assert len(rows) == 40_000
    assert "after 40,000 rows" in str(damage)


@real_ticks
def test_a_dbn_file_cut_in_a_record_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.mbo.dbn"
    path.write_bytes(plain_dbn()[:-20])
    rows, damage = read(path, "dbn")
    assert len(rows) == 68_791
    assert "ends within a record" in str(damage)


@pytest.mark.parametrize("data", [b"hello" * 100, b"\x28\xb5\x2f\xfd" + b"x" * 50, b"DBN\x03"])
def test_what_is_no_dbn_is_refused(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("databento_dbn")
    path = tmp_path / "t.mbo.dbn"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"t.mbo.dbn is not a readable DBN file"):
        open_source(path, "dbn")


def test_without_the_extra_the_command_to_install_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.mbo.dbn"
    path.write_bytes(b"DBN")
    real = builtins.__import__

    def without_databento(name: str, *rest: Any, **more: Any) -> Any:
        if name == "databento_dbn":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_databento)
    with pytest.raises(SourceError, match=r"pip install '\.\[databento\]'"):
        open_source(path, "dbn")
