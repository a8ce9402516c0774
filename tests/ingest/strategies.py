"""Records as hypothesis makes them."""

from hypothesis import strategies as st

from ingest.kinds import OHLC

LONG = st.integers(-(2**63), 2**63 - 1)
DOUBLE = st.floats(allow_nan=False)
HEAD = {
    "tenant_id": st.integers(-(2**31), 2**31 - 1),
    "symbol": st.text(st.characters(exclude_categories=["Cs"])),
    "ts": LONG,
    "seq": LONG,
}
TAIL = {"action": st.sampled_from(["new", "correction", "cancel"]), "known_at": st.none() | LONG}
RECORDS = {
    "trade": st.fixed_dictionaries(
        HEAD
        | {"price": DOUBLE, "size": DOUBLE, "side": st.sampled_from(["buy", "sell", None])}
        | TAIL
    ),
    "quote": st.fixed_dictionaries(
        HEAD | dict.fromkeys(["bid", "bid_size", "ask", "ask_size"], st.none() | DOUBLE) | TAIL
    ),
    "bar": st.fixed_dictionaries(
        HEAD
        | dict.fromkeys(OHLC, DOUBLE)
        | dict.fromkeys(["volume", "vwap"], st.none() | DOUBLE)
        | TAIL
    ),
}
