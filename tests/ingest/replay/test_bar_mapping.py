"""Bars: which rows become which records, which intervals are sent, and what is said before."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.config import StreamConfig
from ingest.kinds import MINUTE_US, OHLC
from ingest.replay import check
from ingest.replay.mapping import Mapping, MappingError, bundled, choose
from ingest.replay.sources import open_source
from ingest.validate import Known
from tests.ingest.replay.test_mapping import mapped, trade
from tests.ingest.replay.vendor_samples import NOON, lines

BAR_COLUMNS = {"ts": "t", "symbol": "s", **{name: name[0] for name in OHLC}}
BAR_ROW = {"t": "1700000040000000", "s": "X", "o": "2", "h": "4", "l": "1", "c": "3"}


def bar(**changes: Any) -> Mapping:
    own = {"kind": "bar", "interval": "60s", "columns": BAR_COLUMNS}
    return trade(**own | changes)


def test_a_bar_is_known_at_its_end_or_when_it_was_captured_after_that() -> None:
    ts = int(BAR_ROW["t"])
    values = {"open": 2.0, "high": 4.0, "low": 1.0, "close": 3.0, "volume": None, "vwap": None}
    record = {"tenant_id": 1, "symbol": "X", "ts": ts, "seq": 0, **values, "action": "new"}
    assert mapped(bar(), BAR_ROW) == record | {"known_at": ts + MINUTE_US}
    captured = bar(columns=BAR_COLUMNS | {"known_at": "k"})
    for late, known in ((0, MINUTE_US), (MINUTE_US - 1, MINUTE_US), (MINUTE_US + 5, MINUTE_US + 5)):
        found = mapped(captured, BAR_ROW | {"k": str(ts + late)})
        assert found == record | {"known_at": ts + known}
    ended = mapped(bar(stamp="end"), BAR_ROW)
    assert ended == record | {"ts": ts - MINUTE_US, "known_at": ts}


def test_a_correction_of_a_bar_needs_no_name_but_its_minute() -> None:
    columns = BAR_COLUMNS | {"known_at": "k", "action": "a"}
    mapping = bar(columns=columns)
    ts = int(BAR_ROW["t"])
    known = {"k": str(ts + 2 * MINUTE_US)}
    corrected = mapped(mapping, BAR_ROW | known | {"a": "correction", "c": "2.5"})
    cancelled = mapped(mapping, {**BAR_ROW, **known, "a": "cancel", "o": ""})
    assert corrected is not None
    assert cancelled is not None
    assert (corrected["ts"], corrected["seq"], corrected["close"]) == (ts, 0, 2.5)
    assert (cancelled["ts"], cancelled["seq"], cancelled["action"]) == (ts, 0, "cancel")
    assert corrected["known_at"] == cancelled["known_at"] == ts + 2 * MINUTE_US
    with pytest.raises(ValueError, match="has action, and no known_at"):
        bar(columns=BAR_COLUMNS | {"action": "a"})


@pytest.mark.parametrize("role", ["seq", "id", "original", "trades"])
def test_a_bar_has_no_number_and_no_count(role: str) -> None:
    with pytest.raises(ValueError, match=rf"\[columns\] has {role}; it may have"):
        bar(columns=BAR_COLUMNS | {role: "x"})


@pytest.mark.parametrize(
    ("interval", "sent"),
    [("1m", True), ("60s", True), ("1s", False), ("61s", False), ("5m", False), ("1d", False)],
)
def test_bars_of_one_minute_alone_are_sent(interval: str, sent: bool) -> None:
    assert (bar(interval=interval).unsent() is None) == sent
    assert trade().unsent() is None


@pytest.mark.parametrize(
    ("minutes", "other", "mapping"),
    [
        ("BTCUSDT-1m-2024-01-15.zip", "BTCUSDT-5m-2024-01-15.zip", "binance_klines"),
        ("es.ohlcv-1m.dbn.zst", "es.ohlcv-1s.dbn.zst", "databento_ohlcv"),
        (
            "EURUSD_Candlestick_1_M_BID_1.csv",
            "EURUSD_Candlestick_5_M_BID_1.csv",
            "dukascopy_candles",
        ),
        ("DAT_ASCII_EURUSD_M1_2024.csv", "DAT_ASCII_EURUSD_H1_2024.csv", "histdata_bars"),
    ],
)
def test_a_name_of_longer_bars_chooses_no_mapping_of_one_minute(
    minutes: str, other: str, mapping: str
) -> None:
    assert choose(Path(minutes), bundled()).name == mapping
    with pytest.raises(MappingError, match="no mapping fits the name"):
        choose(Path(other), bundled())


def checked(tmp_path: Path, mapping: Mapping, *starts: float) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        lines("t,s,o,h,l,c", *(f"{round(at * 1e6)},X,2,4,1,3" for at in starts))
        if mapping.kind == "bar"
        else lines("t,s,n,p,q,d", *(f"{round(at * 1e6)},X,5,1.5,2,buy" for at in starts))
    )
    file = SimpleNamespace(source=open_source(path, "csv"), mapping=mapping)
    check.check([file], 1, None, StreamConfig(kafka_bootstrap="k:1"), lambda: None)


@pytest.mark.parametrize(
    "starts",
    [
        [NOON],
        [NOON, NOON + 300],
        [NOON + 60 * n for n in (0, 5, 10, 11)],
        [NOON + 300 * n for n in range(10)],
    ],
)
def test_bars_that_may_be_of_one_minute_are_let_through(
    starts: list[float], tmp_path: Path
) -> None:
    checked(tmp_path, bar(), *starts)


@pytest.mark.parametrize(
    ("starts", "apart"),
    [
        ([NOON + 300 * n for n in range(11)], "300 s"),
        ([NOON + 3600 * n for n in range(40)], "3600 s"),
        ([NOON, NOON + 1, NOON + 5], "1 s"),
    ],
)
def test_bars_that_the_mapping_takes_for_shorter_ones_are_refused(
    starts: list[float], apart: str, tmp_path: Path
) -> None:
    """They would be known before they end."""
    words = rf"a\.csv holds bars that begin {apart} apart, and the mapping m says they are of 60s"
    with pytest.raises(check.CheckError, match=words):
        checked(tmp_path, bar(), *starts)


@pytest.mark.parametrize(
    ("kind", "bars_from", "said"),
    [
        ("bar", "bar", ""),
        (
            "bar",
            "trade",
            "these bars of X until bars_from is bar in seeds/instrument.csv, where it",
        ),
        ("bar", "quote", "where it is quote: change it and run make migrate"),
        ("trade", "bar", "these trades of X until bars_from is trade in seeds/instrument.csv"),
        ("trade", "trade", ""),
        ("trade", "quote", ""),
    ],
)
def test_rows_of_which_no_feature_is_made_are_said_before(
    kind: str,
    bars_from: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = Known(frozenset({1}), frozenset({"X"}))
    monkeypatch.setattr(check, "_known", lambda _: (known, {"X": bars_from}))
    checked(tmp_path, bar() if kind == "bar" else trade(), NOON)
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == bool(said)
    monkeypatch.setattr(check, "_known", lambda _: (Known(frozenset({1}), frozenset()), {}))
    with pytest.raises(check.CheckError, match=rf"X,X,UNKNOWN,.*,false,{kind}\n"):
        checked(tmp_path, bar() if kind == "bar" else trade(), NOON)
