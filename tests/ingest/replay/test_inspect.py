"""inspect: what it finds out of files of no known vendor, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.__main__ import main
from ingest.errors import IngestError
from ingest.replay import inspect
from ingest.replay.inspect import toml
from ingest.replay.mapper import mapper
from ingest.replay.mapping import Mapping, load
from ingest.replay.sources import open_source
from tests.ingest.replay.vendor_samples import NOON, NOON_US, lines

Look = Callable[..., tuple[str, Mapping, list[dict[str, Any]]]]
TRADES = "time,pair,px,qty"


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """look(text, *options): what inspect says, the mapping it writes and that one's records."""

    def run(
        text: str | bytes, *options: str, name: str = "a.csv"
    ) -> tuple[str, Mapping, list[dict[str, Any]]]:
        path, out = tmp_path / name, tmp_path / "out.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        assert inspect.main([str(path), "--out", str(out), "--force", *options]) == 0
        mapping = load(out)
        source = open_source(path, mapping.format, mapping.dialect)
        mapping.check(source)
        map_row = mapper(mapping, source, 1)
        rows = [row for batch in source.batches(mapping.asked()) for row in batch.rows]
        found = [record for row in rows if (record := map_row(row)) is not None]
        return capsys.readouterr().out, mapping, found

    return run


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """refused(text, *options): why inspect writes nothing."""

    def run(text: str | bytes, *options: str, name: str = "a.csv") -> str:
        path, out = tmp_path / name, tmp_path / "out.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(IngestError) as error:
            inspect.main([str(path), "--out", str(out), *options])
        assert not out.exists()
        assert "\n" not in str(error.value)
        return str(error.value)

    return run


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (str(NOON), ()),
        (f"{NOON}.000", ()),
        (f"{NOON}000", ()),
        (f"{NOON_US}", ()),
        (f"{NOON_US}000", ()),
        ("2024-01-15T12:00:00Z", ()),
        ("2024-01-15 12:00:00.000 UTC", ()),
        ("2024-01-15 07:00:00", ("--zone", "America/New_York")),
        ("01/15/2024 12:00 PM", ("--zone", "UTC")),
        ("15.01.2024 12:00:00,000", ("--zone", "UTC")),
        ("15 Jan 2024 12:00:00", ("--zone", "UTC")),
        ("2024/01/15 13:00:00 +0100", ()),
        ("20240115 120000000", ("--zone", "UTC")),
    ],
)
def test_clocks(cell: str, options: tuple[str, ...], look: Look) -> None:
    said, _, records = look(lines(TRADES, f'"{cell}",ESH4,4800.25,3'), *options)
    assert records[0] | {"ts": NOON_US, "symbol": "ESH4", "price": 4800.25} == records[0]
    assert repr(cell) in said


@pytest.mark.parametrize(
    ("text", "encoding", "keys"),
    [
        (
            "Zeit;Größe;Kurs;Zeichen\n2024-01-15 12:00:00Z;1.000,5;4.800,25;ESH4\n",
            "latin-1",
            {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "latin-1"},
        ),
        (
            'Zeit,Größe,Kurs,Zeichen\n2024-01-15 12:00:00Z,"1,000.5","4,800.25",ESH4\n',
            "utf-8-sig",
            {"thousands": ","},
        ),
        (
            "Zeit\tGröße\tKurs\tZeichen\r\n2024-01-15 12:00:00Z\t1000.5\t4800.25\tESH4\r\n",
            "utf-16",
            {"delimiter": "\t", "encoding": "utf-16"},
        ),
        (
            "Zeit\tGröße\tKurs\tZeichen\n2024-01-15 12:00:00Z\t1000.5\t4800.25\tESH4\n",
            "utf-16-be",
            {"delimiter": "\t", "encoding": "utf-16-be"},
        ),
        (
            "Zeit, Größe, Kurs, Zeichen\n2024-01-15 12:00:00Z, 1000.5, 4800.25, ESH4\n",
            "cp1252",
            {"skip_blanks": True},
        ),
    ],
)
def test_encodings_delimiters_and_marks(
    text: str, encoding: str, keys: dict[str, Any], look: Look
) -> None:
    columns = ("ts=Zeit", "size=Größe", "price=Kurs", "symbol=Zeichen")
    options = [part for column in columns for part in ("--column", column)]
    _, mapping, records = look(text.encode(encoding), *options)
    assert {key: getattr(mapping, key) for key in keys} == keys
    assert (records[0]["price"], records[0]["size"]) == (4800.25, 1000.5)
    assert (records[0]["ts"], records[0]["symbol"]) == (NOON_US, "ESH4")


def test_a_date_and_a_time_beside_it(look: Look) -> None:
    text = lines("Date,Time,Last,Volume", "01/15/2024,07:00:00.250,4800.25,3")
    said, mapping, records = look(text, "--symbol", "ESH4", "--zone", "America/New_York")
    assert mapping.columns["ts"] == ("Date", "Time")
    assert records[0]["ts"] == NOON_US + 250_000
    assert "ts is Date, Time: %m/%d/%Y %H:%M:%S.%f" in said


def test_a_file_of_quotes_without_a_header(look: Look) -> None:
    text = lines(f"EURUSD,{NOON},1.0951,1.0952", f"EURUSD,{NOON + 1},1.0952,1.0954")
    said, mapping, records = look(text)
    assert mapping.names == ("c1", "c2", "c3", "c4")
    assert "no header: the first line has values ('EURUSD', ...)" in said
    assert (records[0]["bid"], records[0]["ask"], records[0]["symbol"]) == (
        1.0951,
        1.0952,
        "EURUSD",
    )


def test_side_words_in_any_case_and_words_that_say_nothing(look: Look) -> None:
    text = lines(f"{TRADES},side", *(f"{NOON},X,1.5,1,{w}" for w in ("BUY", "Sell", "B", "Z")))
    said, _, records = look(text)
    assert [record["side"] for record in records] == ["buy", "sell", "buy", None]
    assert "side 'Z' is stored as none: --side Z=buy" in " ".join(said.split())
    assert look(text, "--side", "Z=sell")[2][3]["side"] == "sell"


def test_corrections_of_a_capture_in_the_words_of_its_own(look: Look) -> None:
    text = lines(
        "time,received,symbol,trade_id,price,qty,status",
        f"{NOON},{NOON},X,f3-1,10.5,1,N",
        f"{NOON},{NOON + 5},X,f3-1,10.25,1,corrected",
        f"{NOON},{NOON + 9},X,f3-1,,,BUSTED",
    )
    said, mapping, records = look(text, "--column", "known_at=received")
    assert mapping.action == {"N": "new", "corrected": "correction", "BUSTED": "cancel"}
    assert [record["action"] for record in records] == ["new", "correction", "cancel"]
    assert len({(record["ts"], record["seq"]) for record in records}) == 1
    assert [record["known_at"] - NOON_US for record in records] == [0, 5_000_000, 9_000_000]
    assert "action is status" in said


def test_words_for_none(look: Look) -> None:
    text = lines("time,symbol,bid,ask", f"{NOON},X,null,1.5", f"{NOON + 1},X,1.25,1.5")
    _, mapping, records = look(text)
    assert mapping.null_values == {"bid": ["null"]}
    assert [record["bid"] for record in records] == [None, 1.25]


def test_a_header_of_common_words_brings_no_vendors_zone(look: Look) -> None:
    text = lines(
        "time,open,high,low,close,volume",
        *(f"2024-01-15 12:0{minute}:00,1.5,2.0,1.0,1.75,9" for minute in range(3)),
    )
    with pytest.raises(IngestError, match="names no zone: say it with --zone"):
        look(text, "--symbol", "X")
    said, mapping, _ = look(text, "--symbol", "X", "--zone", "Europe/Berlin")
    assert (mapping.time_zone, mapping.columns["volume"]) == ("Europe/Berlin", "volume")
    assert "laid out as" not in said


def test_bars_are_bars_and_no_trades(look: Look) -> None:
    text = lines(
        "date,open,high,low,close,volume",
        *(f"2024-01-{day},1.5,2.0,1.0,1.75,9" for day in (15, 16, 17)),
    )
    said, mapping, records = look(text, "--symbol", "X", "--zone", "UTC")
    assert (mapping.kind, mapping.interval) == ("bar", "1d")
    assert records[0]["known_at"] - records[0]["ts"] == 86_400_000_000
    assert "+1 day" in said
    mixed = ("--kind", "trade", "--column", "price=close", "--column", "size=volume")
    intraday = text.replace("2024-01-1", str(NOON)[:-1])
    wrong = r"holds bars .*makes a trade of column close.*Say kind = .bar.*bars_from bar in seeds"
    with pytest.raises(IngestError, match=wrong):
        look(intraday, "--symbol", "X", *mixed)


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (["2024-01-15 12:00:00,X,1.5,1"], (), "names no zone: say it with --zone"),
        (["03/04/2024 12:00:00,X,1.5,1"], ("--zone", "UTC"), "--time-format '%m/%d/%Y %H:%M:%S'"),
        (["2024-01-15,X,1.5,1"], ("--zone", "UTC"), "a date without a time"),
        (["tomorrow,X,1.5,1"], (), "ts is 'tomorrow', no clock that is known"),
        ([f"{NOON},X,dear,1"], (), "not one of its first rows becomes a trade"),
        ([f'{NOON},X,"1,500",1'], (), 'say --decimal "," or --decimal "."'),
        (
            [f"{NOON},X,1.5,1"],
            ("--zone", "Mars/Olympus", "--kind", "bar"),
            "no mapping can be made",
        ),
        ([f"{NOON},X,1.5,1"], ("--column", "price=gone"), "has no column gone"),
    ],
)
def test_what_it_cannot_know_it_asks_for(
    rows: list[str], options: tuple[str, ...], words: str, refused: Callable[..., str]
) -> None:
    assert words in refused(lines(TRADES, *rows), *options)


def test_a_symbol_that_nothing_says(refused: Callable[..., str]) -> None:
    text = lines("time,price,size", f"{NOON},1.5,1")
    assert "neither a column nor the name says the symbol: say --symbol" in refused(text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "blank lines alone"),
        (b"\x89PNG\r\n\x1a\n\0\0", "none of DBN, CSV, JSON lines and Parquet"),
        (b"hello\nworld\n", "is no table: no comma, semicolon, tab or bar"),
        (b"a,b\n", "has no rows"),
        (b"fruit,colour\napple,red\n", "are not those of a"),
        (b'[\n {"a": 1}\n]\n', "its first line alone is none"),
        (b"\x1f\x8b\x08nonsense", "cannot be unpacked"),
        (b"PK\x03\x04nonsense", "cannot be unpacked"),
        (b"PAR1 nonsense", "is not a complete Parquet file"),
        (b"DBN\x01nonsense", "is not a readable DBN file"),
    ],
)
def test_what_is_no_capture(data: bytes, words: str, refused: Callable[..., str]) -> None:
    said = refused(data)
    assert words in said
    assert "a.csv" in said


def test_a_mapping_that_is_there_stays(look: Look, tmp_path: Path) -> None:
    text = lines(TRADES, f"{NOON},X,1.5,1")
    look(text)
    out = tmp_path / "out.toml"
    assert inspect.main([str(tmp_path / "a.csv"), "--out", str(out)]) == 0, "it is the same"
    out.write_text("# mine\n")
    with pytest.raises(IngestError, match=r"out\.toml is there already: name another --out"):
        inspect.main([str(tmp_path / "a.csv"), "--out", str(out)])
    assert out.read_text() == "# mine\n"


def test_all_files_of_a_folder_have_to_be_of_one_form(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(lines(TRADES, f"{NOON},X,1.5,1"))
    (tmp_path / "b.csv").write_text(lines("time,pair,last,qty", f"{NOON},X,1.5,1"))
    with pytest.raises(IngestError, match=r"b\.csv has no column px"):
        inspect.main([str(tmp_path), "--out", str(tmp_path / "out.toml")])


def test_lines_for_instruments_that_are_not_there(look: Look) -> None:
    said, _, _ = look(lines(TRADES, f"{NOON},NEW,1.125,1", f"{NOON},SYN_ES,4800.25,1"))
    assert "NEW,NEW,UNKNOWN,future,USD,crypto_24x7,0.001,false,trade\n" in said
    assert "SYN_ES,SYN_ES" not in said


def test_an_instrument_of_quotes_alone_gets_bars_of_their_mids(look: Look) -> None:
    said, _, _ = look(lines("time,pair,bid,ask", f"{NOON},NEW,1.125,1.25"))
    assert "crypto_24x7,0.001,false,quote\n" in said
    assert "write trade if you load its trades, too" in said


def test_keys_and_values_of_any_text_come_back(tmp_path: Path) -> None:
    keys = {
        "kind": "trade",
        "format": "csv",
        "symbol": 'a"b\\c\x7f',
        "price_scale": 1e9,
        "columns": {"ts": ["date", "a time"], "price": "Größe €", "size": "=", "side": "s"},
        "side": {"": "buy", "-1": "sell", "ü": "unknown"},
        "null_values": {"price": [-1, 0.5, "\t"]},
    }
    path = tmp_path / "m.toml"
    path.write_text(toml(keys), encoding="utf-8")
    found = load(path).model_dump(exclude_unset=True, exclude={"name"})
    assert found | {"columns": keys["columns"]} == keys
    assert found["columns"]["ts"] == ("date", "a time")


@pytest.mark.parametrize(("word", "meant"), [("replya", "replay"), ("inspct", "inspect")])
def test_a_command_that_is_none(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"there is no command '{word}': did you mean {meant}?\n")
    assert "inspect    find out what a captured file is" in said
