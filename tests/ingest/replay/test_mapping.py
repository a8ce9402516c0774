"""Mappings: which rows become which records, and what is refused with which words."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import TABLES, Mapping, MappingError, bundled, choose, load, made
from ingest.replay.sources import Batch, Ragged, Source
from tests.documents import block

COLUMNS = {"symbol": "s", "ts": "t", "seq": "n", "price": "p", "size": "q", "side": "d"}
ROW = {"s": "X", "t": "1700000000000000", "n": "5", "p": "1.5", "q": "2", "d": "buy", "k": "0"}


def no_batches(_: list[str]) -> Iterator[Batch]:
    return iter(())


def source(*columns: str, **clocks: Literal["us", "ns"]) -> Source:
    return Source(Path("x.csv"), columns or tuple(ROW), clocks, no_batches)


def trade(**changes: Any) -> Mapping:
    return Mapping(
        **{"name": "m", "kind": "trade", "format": "csv", "columns": COLUMNS, "time_unit": "us"}
        | changes
    )


def mapped(mapping: Mapping, row: dict[str, Any]) -> dict[str, Any] | None:
    return mapper(mapping, source(), 1)(row)


def test_a_row_becomes_a_record() -> None:
    assert mapped(trade(), ROW) == {
        **{"tenant_id": 1, "symbol": "X", "ts": 1_700_000_000_000_000, "seq": 5, "price": 1.5},
        **{"size": 2.0, "side": "buy", "action": "new", "known_at": 1_700_000_000_000_000},
    }


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("ns", "1700000000123456999", 1_700_000_000_123_456),
        ("ns", 1_700_000_000_123_456_999, 1_700_000_000_123_456),
        ("us", 1_700_000_000_123_456, 1_700_000_000_123_456),
        ("ms", "1700000000123", 1_700_000_000_123_000),
        ("ms", 1_700_000_000_123.25, 1_700_000_000_123_250),
        ("iso", "2023-11-14T22:13:20.123456Z", 1_700_000_000_123_456),
        ("iso", "2023-11-14T22:13:20.123456999Z", 1_700_000_000_123_456),
        ("iso", "2023-11-14 22:13:20.5Z", 1_700_000_000_500_000),
        ("s", "1700000000.123456999", 1_700_000_000_123_456),
        ("s", 1_700_000_000.25, 1_700_000_000_250_000),
        ("iso", "2023-11-15T00:13:20+02:00", 1_700_000_000_000_000),
    ],
)
def test_clocks_are_microseconds_rounded_down(unit: str, value: object, expected: int) -> None:
    record = mapped(trade(time_unit=unit), ROW | {"t": value})
    assert record is not None
    assert record["ts"] == expected


def test_a_typed_timestamp_column_ignores_the_unit() -> None:
    map_row = mapper(trade(time_unit="ns"), source(t="us"), 1)
    record = map_row(ROW | {"t": 1_700_000_000_123_456})
    assert record is not None
    assert record["ts"] == 1_700_000_000_123_456


@given(st.integers(0, 4_000_000_000_000_000))
def test_iso_text_of_any_moment_comes_back(ts: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ts)
    record = mapped(trade(time_unit="iso"), ROW | {"t": moment.isoformat()})
    assert record is not None
    assert record["ts"] == ts


@pytest.mark.parametrize(("known_at", "expected"), [(-1, 0), (0, 0), (7, 7)])
def test_the_capture_clock_is_kept_but_never_before_ts(known_at: int, expected: int) -> None:
    base = int(ROW["t"])
    mapping = trade(columns=COLUMNS | {"known_at": "k"})
    record = mapped(mapping, ROW | {"k": base + known_at})
    assert record is not None
    assert record["known_at"] == base + expected


WITHOUT_SEQ = {role: name for role, name in COLUMNS.items() if role != "seq"}


def keys(mapping: Mapping, rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """(ts, seq) of the rows of one file."""
    map_row = mapper(mapping, source(), 1)
    records = [map_row(row) for row in rows]
    return [(record["ts"], record["seq"]) for record in records if record]


def test_without_a_seq_column_a_row_has_the_same_key_in_any_file_that_has_it() -> None:
    t = int(ROW["t"])
    rows = [ROW | {"t": t + at // 3, "p": price} for at, price in enumerate([1, 2, 2, 1, 3, "1.0"])]
    mapping = trade(columns=WITHOUT_SEQ)
    whole = keys(mapping, rows)
    assert len(set(whole)) == len(rows), "equal rows of one instant are as many as there are"
    assert all(0 <= seq < 2**53 for _, seq in whole)
    for first in range(len(rows)):
        assert set(keys(mapping, rows[first:])) <= set(whole)
        assert set(keys(mapping, rows[:first])) <= set(whole)
    assert keys(mapping, rows[3:]) == whole[3:]
    assert keys(mapping, [row | {"s": "Y"} for row in rows]) == whole
    capture = trade(columns=WITHOUT_SEQ | {"known_at": "k"})
    assert keys(capture, [row | {"k": t + 9} for row in rows]) == whole, "whoever captured it"


def test_more_equal_rows_than_can_be_told_apart_say_what_to_do() -> None:
    map_row = mapper(trade(columns=WITHOUT_SEQ), source(), 1)
    for _ in range(1024):
        map_row(ROW)
    with pytest.raises(Unmappable, match=r"more than 1,024 equal rows at one ts; give .* a seq"):
        map_row(ROW)


NANOSECOND = 1_700_000_000_000_000_000


@pytest.mark.parametrize("columns", [COLUMNS, WITHOUT_SEQ], ids=["seq", "no seq"])
def test_nanoseconds_do_not_collide_and_keep_their_order(columns: dict[str, str]) -> None:
    rows = [(100, 0, 100), (900, 0, 101), (900, 1, 102), (999, 2**53 - 1, 103), (1000, 0, 104)]
    ticks = [ROW | {"t": NANOSECOND + ns, "n": seq, "p": price} for ns, seq, price in rows]
    found = keys(trade(time_unit="ns", columns=columns), ticks)
    assert [ts - NANOSECOND // 1000 for ts, _ in found] == [0, 0, 0, 0, 1]
    assert len(set(found)) == len(rows)
    assert all(seq < 2**63 for _, seq in found)
    by_ns = sorted(zip(found, rows, strict=True))
    assert [ns for _, (ns, _, _) in by_ns] == [ns for ns, _, _ in rows]
    if columns is COLUMNS:
        assert found == sorted(found)
        assert found[-1] == (NANOSECOND // 1000 + 1, 0), "whole microseconds keep their seq"


def test_nanoseconds_are_kept_whatever_the_clock_is_written_in() -> None:
    text = "2023-11-14T22:13:20.123456"
    micros = 1_700_000_000_123_456
    seq = 789 * 2**53 + 5
    for unit, value in [
        ("ns", micros * 1000 + 789),
        ("ns", str(micros * 1000 + 789)),
        ("us", f"{micros}.789"),
        ("ms", f"{micros // 1000}.{micros % 1000}789"),
        ("iso", f"{text}789Z"),
        ("iso", f"{text}789123+00:00"),
    ]:
        assert keys(trade(time_unit=unit), [ROW | {"t": value}]) == [(micros, seq)], (unit, value)
    record = mapper(trade(), source(t="ns"), 1)(ROW | {"t": micros * 1000 + 789})
    assert record is not None
    assert (record["ts"], record["seq"]) == (micros, seq)


def test_a_seq_that_leaves_no_room_for_nanoseconds_is_refused() -> None:
    row = ROW | {"t": NANOSECOND + 1, "n": 2**53}
    with pytest.raises(Unmappable, match=r"seq is 9007199254740992: with a ts in nanoseconds"):
        mapped(trade(time_unit="ns"), row)
    assert keys(trade(time_unit="ns"), [row | {"t": NANOSECOND}]) == [(NANOSECOND // 1000, 2**53)]


def test_repeated_keys_are_numbered_in_the_order_of_the_file() -> None:
    map_row = mapper(trade(number_repeats=True), source(), 1)
    rows = [ROW, ROW, ROW | {"n": "6"}, ROW, ROW | {"s": "Y"}]
    records = [map_row(row) for row in rows]
    numbers = [record["seq"] for record in records if record]
    assert numbers == [5_000_000, 5_000_001, 6_000_000, 5_000_002, 5_000_000]


def test_the_filter_leaves_other_rows_out() -> None:
    mapping = trade(filter={"d": "buy"})
    assert mapped(mapping, ROW) is not None
    assert mapped(mapping, ROW | {"d": "sell"}) is None
    # a line of JSON that has no such name
    assert mapped(mapping, {name: value for name, value in ROW.items() if name != "d"}) is None


def test_sides_are_translated() -> None:
    mapping = trade(side={"B": "buy", "True": "sell", "N": "unknown"})
    sides = [mapped(mapping, ROW | {"d": value}) for value in ("B", True, "N", "", None)]
    assert [record["side"] for record in sides if record] == ["buy", "sell", None, None, None]


def test_the_price_scale_divides_prices_and_not_sizes() -> None:
    record = mapped(trade(price_scale=1e9), ROW | {"p": 4_800_250_000_000})
    assert record is not None
    assert (record["price"], record["size"]) == (4800.25, 2.0)


def test_an_empty_side_of_a_quote_is_null() -> None:
    mapping = Mapping(
        name="m",
        kind="quote",
        format="csv",
        symbol="X",
        time_unit="us",
        columns={"ts": "t", "bid": "p", "ask": "q"},
    )
    record = mapped(mapping, ROW | {"p": ""})
    assert record is not None
    assert {name: record[name] for name in ("bid", "bid_size", "ask", "ask_size")} == {
        **{"bid": None, "bid_size": None, "ask": 2.0, "ask_size": None}
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"p": "abc"}, "price is 'abc', not a number"),
        ({"p": "1_0"}, "price is '1_0', not a number"),
        ({"p": ""}, "price is empty"),
        ({"q": None}, "size is empty"),
        ({"t": "nan"}, "ts is 'nan'"),
        ({"t": float("nan")}, "ts is nan"),
        ({"t": float("inf")}, "ts is inf"),
        ({"t": "yesterday"}, "ts is 'yesterday'"),
        ({"t": None}, "ts is empty"),
        ({"t": 2**63}, "ts is 9223372036854775808, beyond 64 bits"),
        ({"n": "1.5"}, "seq is '1.5'"),
        ({"d": "up"}, "side is 'up'; [side] knows buy, sell"),
        ({"s": " "}, "symbol is empty; --symbol"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Unmappable) as refused:
        mapped(trade(), ROW | change)
    assert words in str(refused.value)


def test_a_row_of_another_length_is_unmappable() -> None:
    with pytest.raises(Unmappable, match="the header's 7 fields"):
        mapped(trade(), Ragged(ROW))


def test_wrong_prices_are_left_to_the_ingester() -> None:
    record = mapped(trade(), ROW | {"p": "-1.5"})
    assert record is not None
    assert record["price"] == -1.5


QUOTE = {"ts": "t", "bid": "b", "bid_size": "v", "ask": "a"}
NO_QUOTE: dict[str, list[float | str]] = {"bid": [0, -1, "N/A"], "ask": [0, -1]}


def quote(**changes: Any) -> Mapping:
    columns = {"kind": "quote", "columns": QUOTE, "symbol": "X"}
    return trade(**columns | changes)


@pytest.mark.parametrize("word", [0, 0.0, "0", "0.00", -1, "-1.0", "N/A", "", None, "nan"])
def test_a_feeds_words_for_no_quote_make_it_one_sided(word: object) -> None:
    mapping = quote(null_values=NO_QUOTE)
    row = {"t": "1700000000000000", "b": word, "v": 0, "a": "1.5"}
    record = mapper(mapping, source("t", "b", "v", "a"), 1)(row)
    assert record is not None
    assert (record["bid"], record["bid_size"], record["ask"]) == (None, 0.0, 1.5)


def test_without_being_told_only_nan_is_a_word_for_none() -> None:
    mapping = quote(format="parquet")
    row = {"t": 1_700_000_000_000_000, "b": 0.0, "v": float("nan"), "a": float("nan")}
    record = mapper(mapping, source("t", "b", "v", "a"), 1)(row)
    assert record is not None
    assert (record["bid"], record["bid_size"], record["ask"]) == (0.0, None, None)


@pytest.mark.parametrize("price", [float("nan"), "NaN", ""])
def test_a_trade_without_a_price_is_none(price: object) -> None:
    with pytest.raises(Unmappable, match="price is empty"):
        mapped(trade(), ROW | {"p": price})


def test_words_for_none_are_of_columns_that_are_numbers_and_there() -> None:
    with pytest.raises(ValueError, match=r"\[null_values\] has symbol; it may have price, .*size"):
        trade(null_values={"symbol": ["?"]})


def test_a_symbol_given_by_hand_goes_first() -> None:
    record = mapper(trade(), source(), 2, "MINE")(ROW)
    assert record is not None
    assert (record["tenant_id"], record["symbol"]) == (2, "MINE")


def test_unknown_columns_list_what_there_is_and_what_is_wanted() -> None:
    with pytest.raises(MappingError) as refused:
        trade().check(source("s", "t", "n", "volume", "d", "q"))
    for words in ("no column p.", "It has s, t, n, volume", "wants s, t, n, p, q, d", "--map"):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = ", "is not TOML"),
        ('kind = "tick"\nformat = "csv"\n[columns]\nts = "t"', "kind: Input should be"),
        ('kind = "trade"\nformat = "csv"\nsymbol = "X"\nspeed = 1\n[columns]\nts = "t"', "speed"),
        ('kind = "trade"\nformat = "csv"\nsymbol = "X"\n[columns]\nts = "t"', "lacks price, size"),
        ('kind = "quote"\nformat = "csv"\nsymbol = "X"\n[columns]\nts = "t"', "neither bid nor"),
        (
            'kind = "quote"\nformat = "csv"\nsymbol = "X"\n[columns]\n'
            'ts = "t"\nbid = "b"\nsymbol = "s"',
            'wrong: either say symbol = "..."',
        ),
        (
            'kind = "quote"\nformat = "csv"\nsymbol = "X"\n[columns]\n'
            'ts = "t"\nbid = "b"\nprice = "p"',
            "[columns] has price; it may have action, ask, ask_size, bid, bid_size, id, known_at,",
        ),
    ],
)
def test_a_wrong_mapping_names_the_file_and_the_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(MappingError) as refused:
        load(path)
    assert str(path) in str(refused.value)
    assert words in str(refused.value)


def test_a_missing_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"gone.toml cannot be read"):
        load(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("esh4-20231225.mbo.dbn.zst", "databento_mbo"),
        ("glbx.trades.dbn", "databento_trades"),
        ("btcusdt-trades.parquet", "binance_trades"),
        ("btcusdt-quotes.parquet", "binance_quotes"),
        ("usdjpy-quotes.csv", "usdjpy_quotes"),
    ],
)
def test_the_name_of_the_file_chooses_the_mapping(file: str, name: str) -> None:
    assert choose(Path(file), bundled()).name == name


def test_a_name_that_fits_no_mapping_lists_them_all() -> None:
    with pytest.raises(MappingError) as refused:
        choose(Path("ticks.csv"), bundled())
    assert "no mapping fits the name ticks.csv" in str(refused.value)
    for mapping in bundled():
        assert (mapping.name in str(refused.value)) == bool(mapping.files)
    assert "`python -m ingest inspect ticks.csv` writes one" in str(refused.value)


def test_a_name_that_fits_two_mappings_is_refused() -> None:
    two = [trade(name="a", files=("*.csv",)), trade(name="b", files=("t*",))]
    with pytest.raises(MappingError, match=r"several mappings fit the name ticks.csv: a .*; b"):
        choose(Path("ticks.csv"), two)


def test_the_documented_mapping_works(tmp_path: Path) -> None:
    path = tmp_path / "quotes.toml"
    path.write_text(block("docs/replay.md", "# quotes.toml"))
    row = {"time": "1700000000123", "pair": "EURUSD", "b": "1.0911", "a": "1.0912"}
    record = mapper(load(path), source(*row), 1)(row)
    assert record is not None
    assert (record["symbol"], record["bid"], record["ts"]) == ("EURUSD", 1.0911, 1700000000123000)


def test_the_documented_words_for_no_quote_work(tmp_path: Path) -> None:
    text = block("docs/replay.md", "# quotes.toml") + "\n" + block("docs/replay.md", "[null_val")
    (tmp_path / "quotes.toml").write_text(text)
    row = {"time": "1700000000123", "pair": "EURUSD", "b": "-1", "a": "1.0912"}
    record = mapper(load(tmp_path / "quotes.toml"), source(*row), 1)(row)
    assert record is not None
    assert (record["bid"], record["ask"]) == (None, 1.0912)


def test_the_documented_corrections_work(tmp_path: Path) -> None:
    path = tmp_path / "corrections.toml"
    path.write_text(block("docs/replay.md", "# corrections.toml"))
    first = {
        "time": "2024-01-15 09:30:00",
        "status": "N",
        "trade": "f3-1",
        "price": "9",
        "size": "1",
    }
    second = first | {"time": "2024-01-15 09:30:05", "status": "C", "price": "10.25"}
    map_row = mapper(load(path), source(*first), 1)
    new, correction = map_row(first), map_row(second)
    assert new is not None
    assert correction == new | {
        **{"action": "correction", "price": 10.25, "known_at": new["ts"] + 5_000_000}
    }
    with pytest.raises(
        Unmappable, match="original is 'f3-2', an id that no row before this one has"
    ):
        map_row(second | {"trade": "f3-2"})


def test_a_text_that_names_a_tick_is_told_to_be_an_id() -> None:
    with pytest.raises(Unmappable, match=r"seq is 'f3-1', .*: a text that names a tick is an `id`"):
        mapped(trade(), ROW | {"n": "f3-1"})
    by_id = trade(columns=WITHOUT_SEQ | {"id": "n"})
    uuids = ["3f2b0c1e-0000-4000-8000-000000000001", "3f2b0c1e-0000-4000-8000-000000000002"]
    first, second, again = keys(by_id, [ROW | {"n": name} for name in (*uuids, uuids[0])])
    assert first == again != second
    assert 0 <= first[1] < 2**53
    assert keys(by_id, [ROW | {"n": ""}]) == keys(trade(columns=WITHOUT_SEQ), [ROW])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": COLUMNS | {"action": "a"}}, "neither known_at nor original"),
        ({"columns": WITHOUT_SEQ | {"action": "a", "known_at": "k"}}, "neither seq nor id"),
        ({"columns": COLUMNS | {"action": "a", "original": "o"}}, "original needs the id"),
        ({"cancel": {"original": "o"}}, "need an action"),
        ({"columns": COLUMNS | {"price": ("p", "q")}}, "several columns for price: name one"),
        ({"symbol_from_name": "("}, "no regular expression"),
        ({"symbol_from_name": "x"}, "must have one .group."),
        ({"delimiter": "||"}, "delimiter: String should have at most 1 character"),
    ],
)
def test_mappings_of_which_corrections_or_names_cannot_be_read(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        made("m", {"kind": "trade", "format": "csv", "columns": COLUMNS} | changes)
    assert "Value error" not in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("1.234,5", 1234.5), ("12,25", 12.25), ("1.234.567", 1234567.0), ("-,5", -0.5)],
)
def test_decimal_commas(cell: str, expected: float) -> None:
    record = mapped(trade(decimal=",", thousands="."), ROW | {"p": cell})
    assert record is not None
    assert record["price"] == expected


@pytest.mark.parametrize("cell", ["1.5", "12.34,5", "1,2,3", ",", "1.2345", "--1", "1 000"])
def test_a_mark_at_the_wrong_place_is_no_number(cell: str) -> None:
    with pytest.raises(Unmappable, match="not a number"):
        mapped(trade(decimal=",", thousands="."), ROW | {"p": cell})


def test_rows_that_are_skipped_and_filters_of_several_words() -> None:
    mapping = trade(skip={"s": ["Y", "Z"]}, filter={"d": ["buy", "sell"]})
    rows = [ROW, ROW | {"s": "Y"}, ROW | {"d": "sell"}, ROW | {"d": "none"}]
    assert [mapped(mapping, row) is not None for row in rows] == [True, False, True, False]


def test_sizes_have_a_scale_of_their_own() -> None:
    record = mapped(trade(price_scale=1e2, size_scale=1e3), ROW | {"p": "150", "q": "2000"})
    assert record is not None
    assert (record["price"], record["size"]) == (1.5, 2.0)


def test_every_key_and_column_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "replay.md").read_text()
    for key in set(Mapping.model_fields) - {"name", *TABLES}:
        assert f"`{key}`" in text, key
    for table in TABLES:
        assert f"| `[{table}]` |" in text, table
