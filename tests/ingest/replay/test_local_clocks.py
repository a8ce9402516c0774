"""Clocks that name no zone: refused, or read in the zone of the mapping; none is guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import Mapping, MappingError, made
from ingest.replay.sources import Source, open_source

NEW_YORK = "America/New_York"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trade(**keys: Any) -> Mapping:
    columns = {"ts": "t", "price": "p", "size": "q"}
    return made("m", {"kind": "trade", "format": "csv", "symbol": "X", "columns": columns} | keys)


def bar(**keys: Any) -> Mapping:
    columns = {name: name for name in ("open", "high", "low", "close", "volume")} | {"ts": "t"}
    own = {"kind": "bar", "interval": "1d", "columns": columns}
    return trade(**own | keys)


def read(mapping: Mapping, cell: Any, **more: Any) -> dict[str, Any]:
    row = {"t": cell, "p": "1", "q": "1", "volume": "1"} | more
    row |= dict.fromkeys(("open", "high", "low", "close"), "1")
    record = mapper(mapping, Source(Path("x.csv"), tuple(row), {}, lambda _: iter(())), 1)(row)
    assert record is not None
    return record


def us(*moment: int) -> int:
    return (datetime(*moment, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("keys", "cell", "expected"),
    [
        ({"time_zone": NEW_YORK}, "2023-11-14 17:13:20.5", us(2023, 11, 14, 22, 13, 20, 500_000)),
        ({"time_zone": NEW_YORK}, "2023-11-14 22:13:20Z", us(2023, 11, 14, 22, 13, 20)),
        (
            {"time_format": "%m/%d/%Y %I:%M %p", "time_zone": "UTC"},
            "11/14/2023 10:13 PM",
            us(2023, 11, 14, 22, 13),
        ),
        (
            {"time_format": "%Y%m%d %H%M%S%f", "time_zone": "Etc/GMT+5"},
            "20200101 170000065",
            us(2020, 1, 1, 22, 0, 0, 65_000),
        ),
        (
            {"time_format": "%Y-%m-%d %H:%M:%S UTC", "time_zone": "UTC"},
            "2023-11-14 22:13:21 UTC",
            us(2023, 11, 14, 22, 13, 21),
        ),
        ({"time_format": "%d.%m.%Y %H:%M %z"}, "14.11.2023 23:13 +0100", us(2023, 11, 14, 22, 13)),
    ],
)
def test_forms_and_zones(keys: dict[str, Any], cell: str, expected: int) -> None:
    assert read(trade(**keys), cell)["ts"] == expected


def test_nanoseconds_of_a_form_stay_in_seq() -> None:
    mapping = trade(
        time_format="%Y/%m/%d %H:%M:%S.%f",
        time_zone="UTC",
        columns={"ts": "t", "price": "p", "size": "q", "seq": "n"},
    )
    record = read(mapping, "2023/11/14 22:13:20.123456789", n="5")
    assert (record["ts"] % 1_000_000, record["seq"]) == (123_456, 789 * 2**53 + 5)


def test_a_date_and_a_time_in_two_columns() -> None:
    mapping = trade(
        columns={"ts": ["d", "t"], "price": "p", "size": "q"},
        time_format="%Y%m%d %H:%M:%S",
        time_zone="UTC",
    )
    assert read(mapping, "12:30:00", d="20240115")["ts"] == us(2024, 1, 15, 12, 30)
    with pytest.raises(Unmappable, match="ts is empty"):
        read(mapping, "", d="20240115")


@pytest.mark.parametrize(
    ("keys", "cell", "words"),
    [
        ({}, "2023-11-14 17:13:20", "a clock without a zone: say time_zone"),
        ({"time_zone": NEW_YORK}, "2024-03-10 02:30:00", f"which {NEW_YORK} never had"),
        ({"time_zone": NEW_YORK}, "2024-11-03 01:30:00", f"which {NEW_YORK} had twice"),
        ({"time_zone": NEW_YORK}, "2024-11-03", "a date without a time"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], cell: str, words: str) -> None:
    with pytest.raises(Unmappable, match=words):
        read(trade(**keys), cell)


@pytest.mark.parametrize(("which", "hour"), [("earlier", 5), ("later", 6)])
def test_a_time_that_came_twice_is_what_the_mapping_says(which: str, hour: int) -> None:
    mapping = trade(time_zone=NEW_YORK, ambiguous=which)
    assert read(mapping, "2024-11-03 01:30:00")["ts"] == us(2024, 11, 3, hour, 30)


@given(
    st.integers(946_684_800_000_000, 4_000_000_000_000_000),
    st.sampled_from([NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_a_local_time_comes_back_or_is_refused_for_being_two(ts: int, zone: str) -> None:
    local = (EPOCH + timedelta(microseconds=ts)).astimezone(ZoneInfo(zone))
    text = local.replace(tzinfo=None).isoformat()
    found = set()
    for which in ("earlier", "later"):
        found.add(read(trade(time_zone=zone, ambiguous=which), text)["ts"])
    assert ts in found
    if len(found) == 1:
        assert read(trade(time_zone=zone), text)["ts"] == ts
    else:
        with pytest.raises(Unmappable, match="had twice"):
            read(trade(time_zone=zone), text)


def test_a_parquet_clock_without_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    times = pa.array([datetime(2023, 11, 14, 17, 13, 20)], pa.timestamp("ns"))
    pq.write_table(pa.table({"t": times, "p": [1.0], "q": [1.0]}), path)
    source = open_source(path, "parquet")
    with pytest.raises(MappingError, match=r"column t is a clock without a zone: say time_zone"):
        trade(format="parquet").check(source)
    mapping = trade(format="parquet", time_zone=NEW_YORK)
    mapping.check(source)
    (row,) = next(iter(source.batches(["t", "p", "q"]))).rows
    record = mapper(mapping, source, 1)(row)
    assert record is not None
    assert record["ts"] == us(2023, 11, 14, 22, 13, 20)


@pytest.mark.parametrize(
    ("stamp", "cell", "expected"),
    [
        ("start", "2024-03-10", (us(2024, 3, 10, 5), us(2024, 3, 11, 4))),
        ("start", "2024-11-03", (us(2024, 11, 3, 4), us(2024, 11, 4, 5))),
        ("end", "2024-11-04", (us(2024, 11, 3, 4), us(2024, 11, 4, 5))),
    ],
)
def test_a_bar_is_known_at_its_end_also_where_the_day_has_23_or_25_hours(
    stamp: str, cell: str, expected: tuple[int, int]
) -> None:
    record = read(bar(time_zone=NEW_YORK, stamp=stamp), cell)
    assert (record["ts"], record["known_at"]) == expected


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"time_zone": "EST5EDT/Nowhere"}, "no time zone: write its IANA name"),
        ({"time_zone": "../../etc/passwd"}, "no time zone"),
        ({"time_format": "%Y-%m-%d %H:%M"}, "time_format has no zone"),
        ({"time_format": "%Y-%m-%d %I:%M", "time_zone": "UTC"}, "hour of 12 without %p"),
        ({"time_format": "%Y-%m-%d %H:%M %Z"}, "has %Z"),
        ({"time_format": "%Y-%m-%d", "time_zone": "UTC"}, "time_format has no hour"),
        ({"time_format": "%Q", "time_zone": "UTC"}, "no format of strptime"),
        ({"time_format": "%H:%M", "time_zone": "UTC", "time_unit": "s"}, "either time_unit or"),
        ({"interval": "1m"}, "a bar, and nothing else, has an interval"),
    ],
)
def test_a_mapping_of_which_no_clock_can_be_read(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        trade(**keys)
