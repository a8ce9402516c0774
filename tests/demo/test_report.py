"""What the report says of service levels, and what it packs, without a database."""

import base64
import gzip
import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from demo.report import levels, pack

STARTS = 1_764_028_800_000_000
MINUTE = 60_000_000
CONTRACT = [{"field": "close", "due_s": 30}, {"field": "spread_bps", "due_s": 30}]


def day(*versions: tuple[int, float, float, float], symbol: str = "ESH4", **other: Any) -> Any:
    """A day of versions: minute of the day, seconds after the close, close, spread_bps."""
    minute, after_s, close, spread = np.array(versions).T
    bucket = STARTS + minute * MINUTE
    return levels.Day(
        tenant_id=1,
        symbol=symbol,
        starts=STARTS,
        bucket=bucket,
        known_at=bucket + MINUTE + after_s * 1e6,
        values={"close": close, "spread_bps": spread},
        sessions=other.get("sessions"),
    )


def say(one: Any, events: list[dict[str, Any]] | None = None) -> list[str]:
    return levels.sentences(one, levels.levels(one, CONTRACT), events or [])


def test_a_value_is_in_time_up_to_its_due_second_and_late_after_it() -> None:
    close, spread = levels.levels(
        day((0, 30, 1.0, 2.0), (1, 30.000001, 1.0, np.nan), (1, 45, 1.0, 2.0)), CONTRACT
    )
    assert (close.bars, close.in_time, close.late) == (2, 1, (STARTS + MINUTE,))
    assert close.worst_s == close.p99_s == 30.000001
    assert (spread.bars, spread.in_time, spread.worst_s) == (2, 1, 45)
    assert close.changed == spread.changed == 0, "a first value is no change"


def test_a_change_counts_once_it_is_due_and_a_cancelled_bar_is_one() -> None:
    close, _ = levels.levels(
        day(
            *((0, 0, 1.0, 2.0), (0, 30, 1.5, 2.0)),
            *((1, 0, 1.0, 2.0), (1, 31, 1.5, 2.0), (1, 90, 1.6, 2.0)),
            *((2, 0, 1.0, 2.0), (2, 500, np.nan, np.nan)),
        ),
        CONTRACT,
    )
    assert close.changed == 2


def test_a_late_bar_has_a_sentence_that_fields_share() -> None:
    (said,) = say(day((0, 0, 1.0, 2.0), (1, 95, 1.0, 2.0)))
    assert said.startswith("close, spread_bps: 1 bar of 2 had no value when it was due (00:01)")
    assert "at worst for 95 s" in said


def test_a_restatement_is_said_to_be_none_and_only_the_demos_to_be_staged() -> None:
    versions = ((0, 0, 1.0, 2.0), (0, 90, 1.5, 2.0))
    events = [{"action": "correction"}, {"action": "new"}, {"action": "new"}]
    (said,) = say(day(*versions), events)
    assert "close of 1 bar changed" in said
    assert "2 late ticks, 1 correction and 0 cancels" in said
    assert "on purpose" not in said
    assert "on purpose" in say(day(*versions, symbol="SYN_ES"), events)[0]


def test_a_gap_in_trading_hours_is_named_and_a_closed_market_is_none() -> None:
    bars = ((677 - 2, 0, 1.0, 2.0), (677 - 1, 0, 1.0, 2.0), (686, 0, 1.0, 2.0))
    (said,) = say(day(*bars))
    assert said.startswith("No bar for 9 minutes, 11:17 to 11:26 UTC: nothing traded, or the feed")
    assert "the demo stages this outage" in say(day(*bars, symbol="SYN_ES"))[0]
    closed = [(STARTS, STARTS + 677 * MINUTE), (STARTS + 686 * MINUTE, STARTS + 900 * MINUTE)]
    assert say(day(*bars, sessions=closed)) == []


@given(st.lists(st.floats(width=64), max_size=50))
def test_packed_columns_come_back_to_the_bit(values: list[float]) -> None:
    column = np.array(values, dtype=np.float64)
    data = gzip.decompress(base64.b64decode(pack.pack({"a": "</script>"}, [column, column])))
    length = int.from_bytes(data[:4], "little")
    assert json.loads(data[4 : 4 + length]) == {"a": "</script>"}
    planes = np.frombuffer(data[4 + length :], np.uint8).reshape(2, 8, -1)
    for plane in planes:
        bits = np.bitwise_xor.accumulate(np.ascontiguousarray(plane.T).view("<u8").ravel())
        assert bits.tobytes() == column.tobytes()
