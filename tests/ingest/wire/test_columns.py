"""Messages read in columns are what they are one by one, whatever stands between them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import UndecodableError
from ingest.kinds import KINDS, OHLC, Record
from ingest.validate import ACTIONS, EARLIEST_US
from ingest.wire.codec import decode, encode
from ingest.wire.columns import Plan, read
from ingest.wire.registry import FILES

NOW_US = 1_700_100_000_000_000
TOLERANCE_US = 5_000_000

numbers = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]))
times = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([EARLIEST_US - 1, EARLIEST_US, NOW_US, NOW_US + TOLERANCE_US]),
    st.integers(NOW_US + TOLERANCE_US - 1, NOW_US + TOLERANCE_US + 1),
)
common: dict[str, st.SearchStrategy[Any]] = {
    "tenant_id": st.sampled_from([1, 2, 3, -(2**31)]),
    "symbol": st.one_of(st.sampled_from(["SYN_ES", "SYN_NQ"]), st.text()),
    "ts": times,
    "seq": st.sampled_from([0, 1, -1, 2**63 - 1]),
    "action": st.one_of(st.sampled_from(ACTIONS), st.text()),
    "known_at": st.one_of(st.none(), times),
}
records = {
    "trade": st.fixed_dictionaries(
        common
        | {
            "price": numbers,
            "size": numbers,
            "side": st.one_of(st.sampled_from(["buy", "sell", None]), st.text()),
        }
    ),
    "quote": st.fixed_dictionaries(
        common
        | {name: st.one_of(st.none(), numbers) for name in ("bid", "bid_size", "ask", "ask_size")}
    ),
    "bar": st.fixed_dictionaries(
        common
        | dict.fromkeys(OHLC, numbers)
        | dict.fromkeys(("volume", "vwap"), st.one_of(st.none(), numbers))
    ),
}


@st.composite
def messages(draw: st.DrawFn, kind: str) -> list[bytes]:
    """Good ones, and ones that were cut, lengthened or overwritten after the frame."""
    made = []
    for record in draw(st.lists(records[kind], min_size=1, max_size=40)):
        payload = encode(kind, record)
        fault = draw(st.sampled_from(["none"] * 12 + ["cut", "longer", "foreign"]))
        if fault == "cut":
            payload = payload[: draw(st.integers(5, len(payload) - 1))]
        elif fault == "longer":
            payload += draw(st.binary(min_size=1, max_size=20))
        elif fault == "foreign":
            payload = payload[:5] + draw(st.binary(max_size=60))
        made.append(payload)
    return made


def one_by_one(kind: str, payloads: list[bytes]) -> tuple[list[Record], list[int], list[int]]:
    found, places, faults = [], [], []
    for place, payload in enumerate(payloads):
        try:
            found.append(decode(kind, payload, FILES))
            places.append(place)
        except UndecodableError:
            faults.append(place)
    return found, places, faults


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_columns_are_what_one_by_one_is(kind: str, data: st.DataObject) -> None:
    payloads = data.draw(messages(kind))
    frame, places, faults = read(kind, payloads, FILES)
    found, at, wrong = one_by_one(kind, payloads)
    assert frame.schema == KINDS[kind].columns
    assert (places, sorted(faults)) == (at, wrong)
    assert repr(frame.to_dicts()) == repr(
        [{name: r[name] for name in KINDS[kind].columns} for r in found]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_schema_is_read_at_once(kind: str, request: pytest.FixtureRequest) -> None:
    """Or else every message would take ten times as long, and no test would see it."""
    plan = Plan.of(kind, KINDS[kind].schema)
    assert plan is not None
    tick = request.getfixturevalue(kind)
    ticks = [tick(number) for number in range(3)]
    found = plan.read([encode(kind, one) for one in ticks])
    assert found is not None
    assert found.to_dicts() == [{name: one[name] for name in found.columns} for one in ticks]


def test_a_mark_in_the_wrong_place_is_noticed(trade: Any) -> None:
    """Two messages whose bytes were divided otherwise: together they are two good records."""
    plan = Plan.of("trade", KINDS["trade"].schema)
    assert plan is not None
    one, other = encode("trade", trade(1)), encode("trade", trade(2))
    assert plan.read([one, other]) is not None
    assert plan.read([one + other[5:10], other[:5] + other[10:]]) is None


def test_a_number_that_does_not_fit_is_not_cut_to_one_that_does(trade: Any) -> None:
    payload = encode("trade", trade())
    assert payload[5] == 2, "tenant 1 in zigzag"
    large = payload[:5] + bytes([0x82, 0x80, 0x80, 0x80, 0x20]) + payload[6:]
    frame, _, _ = read("trade", [payload] * 20 + [large], FILES)
    assert frame["tenant_id"].to_list()[-1] == 2**32 + 1


def test_the_frame_names_the_schema() -> None:
    frame, places, faults = read("trade", [b"\0" + (99).to_bytes(4, "big") + b"x"], FILES)
    assert (frame.height, places, list(faults)) == (0, [], [0])
