"""Whatever a cell of a file holds, its row is read or refused with a reason, at once."""

from __future__ import annotations

import csv
import json
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import Mapping
from ingest.replay.sources import Source, open_source
from ingest.wire.codec import decode, encode

COLUMNS = {
    **{"symbol": "s", "ts": "t", "known_at": "k", "seq": "n"},
    **{"price": "p", "size": "q", "side": "d"},
}
GOOD = {
    **{"s": "X", "t": "1700000000000000", "k": "1700000000000001", "n": "5"},
    **{"p": "1.5", "q": "2", "d": "buy"},
}
UNITS = ("ns", "us", "ms", "iso")
# seconds of CPU: a number written out, of a hundred million digits say, takes minutes
AT_ONCE_S = 20
DIGITS = st.from_regex(r"[+-]?[0-9_]{0,30}(\.[0-9]{0,9})?([eE][+-]?[0-9]{1,10})?", fullmatch=True)
CELLS = st.text(max_size=40) | DIGITS


def mapping(unit: str = "us", **changes: Any) -> Mapping:
    return Mapping(
        **{"name": "m", "kind": "trade", "format": "csv", "columns": COLUMNS, "time_unit": unit}
        | changes
    )


def source() -> Source:
    return Source(Path("x.csv"), tuple(GOOD), {}, lambda _: iter(()))


def refusal(cell: dict[str, Any], unit: str = "us") -> str:
    with pytest.raises(Unmappable) as refused:
        mapper(mapping(unit), source(), 1)(GOOD | cell)
    return str(refused.value)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("column", sorted(GOOD))
@given(cell=CELLS)
@example("1e99999999")
@example("1e300000")
@example("-1e-99999999")
@example("0e99999999999999999999")
@example("9" * 5000)
@example("sNaN")
@settings(max_examples=60)
def test_any_cell_makes_a_message_or_a_reason_at_once(unit: str, column: str, cell: str) -> None:
    base = GOOD if unit != "iso" else GOOD | {"t": "2023-11-14T22:13:20Z", "k": "2023-11-15T00Z"}
    map_row = mapper(mapping(unit), source(), 1)
    began = time.process_time()
    record, reason = None, ""
    try:
        record = map_row(base | {column: cell})
    except Unmappable as error:
        reason = str(error)
    assert (record is None) == (0 < len(reason) < 3000)
    if record is not None:
        assert decode("trade", encode("trade", record)) is not None
    assert time.process_time() - began < AT_ONCE_S
    assert map_row(base) is not None


@pytest.mark.parametrize("column", ["t", "n"])
@pytest.mark.parametrize("cell", ["1e99999999", "1e300000", "inf", "sNaN", "1" + "0" * 41])
def test_numbers_beyond_all_bounds(column: str, cell: str) -> None:
    assert f"is {cell!r}" in refusal({column: cell})


@pytest.mark.parametrize("column", ["t", "n", "p", "q"])
@pytest.mark.parametrize("cell", ["1_000", True, False, b"1_0"])
def test_what_python_alone_takes_for_a_number(column: str, cell: object) -> None:
    assert f"is {cell!r}" in refusal({column: cell})


@pytest.mark.parametrize("cell", ["2016-12-31", "20161231", "2016-W52-6", date(2016, 12, 31)])
def test_a_date_is_no_moment(cell: object) -> None:
    assert "a date without a time" in refusal({"t": cell}, "iso")


def test_a_long_symbol_is_none() -> None:
    assert "symbol is 'XXX" in refusal({"s": "X" * 201})
    assert "(700,000 characters)" in refusal({"s": "X" * 700_000})
    record = mapper(mapping(), source(), 1)(GOOD | {"s": "X" * 200})
    assert record is not None


@given(st.lists(st.lists(CELLS, min_size=len(GOOD), max_size=len(GOOD)), max_size=5))
@settings(max_examples=60)
def test_the_rows_behind_it_go_on(rows: list[list[str]]) -> None:
    good = list(GOOD.values())
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.csv"
        with file.open("w", newline="", encoding="utf-8") as out:
            written = csv.writer(out, quoting=csv.QUOTE_ALL)
            written.writerows([list(GOOD), *[line for row in rows for line in (row, good)], good])
        read = [row for batch in open_source(file, "csv").batches([]) for row in batch.rows]
    assert len(read) == 2 * len(rows) + 1
    assert [list(row.values()) for row in read[1::2]] == [good] * len(rows)


def test_dates_and_booleans_of_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {
            "t": pa.array([0, 17_000, 30_000_000], pa.date32()),
            "p": pa.array([True, False, True]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    rows = [
        row
        for batch in open_source(tmp_path / "a.parquet", "parquet").batches(["t", "p"])
        for row in batch.rows
    ]
    for row in rows:
        refusal({"t": row["t"]}, "iso")
        assert "not a number" in refusal({"p": row["p"]})
    assert json.dumps(rows)
