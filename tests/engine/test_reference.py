"""seeds/: a wrong line is refused with file and number; readers never see half of a load."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from engine import reference
from engine.errors import ReferenceRefused
from engine.server import connect
from tests.conftest import Databases


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A copy of seeds/ that a test may edit."""
    return Path(shutil.copytree(reference.SEEDS, tmp_path / "seeds"))


@pytest.fixture
def loaded(database: str) -> Iterator[str]:
    """A database that holds what seeds/ say, before and after."""
    reference.load(database)
    yield database
    reference.load(database)


def rows(url: str) -> dict[str, list[tuple[str, str]]]:
    """Every row of the reference tables, with the transaction that wrote it."""
    with connect(url) as connection:
        return {
            table: connection.execute(
                f"select t.xmin::text, t::text from market.{table} as t order by 2".encode()
            ).fetchall()
            for table in reference.TABLES.values()
        }


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        (
            "instrument",
            "X,a,V,future,USD,cme_globx,1,false,trade",
            "calendar_id 'cme_globx' is in no line of ",
        ),
        (
            "instrument",
            "X ,a,V,future,USD,cme_equity,1,false,trade",
            "symbol 'X ' begins or ends with a blank",
        ),
        ("instrument", "X,a,V,future,USD,,1,false,trade", "calendar_id is empty"),
        (
            "instrument",
            "X,a,V,future,USD,cme_equity,0,false,trade",
            "breaks the rule (tick_size > ",
        ),
        (
            "instrument",
            "X,a,V,future,USD,cme_equity,1 cent,false,trade",
            "tick_size '1 cent' is no double ",
        ),
        ("instrument", "X,a,V,future,USD,cme_equity,1,,trade", "allows_negative_price is empty"),
        (
            "instrument",
            "X,a,V,fx,USD,fx_24x5,1,false,mid",
            "breaks the rule (bars_from = ANY ",
        ),
        ("instrument", "X,a,V,future,USD", "5 cells under 9 columns"),
        (
            "instrument",
            "SYN_ES,a,V,future,USD,cme_equity,1,false,trade",
            "symbol 'SYN_ES' stands in line 2 ",
        ),
        (
            "calendar",
            "mars,Mars/Olympus,a,b,2027-12-31",
            "breaks the rule market.is_time_zone(time_zone)",
        ),
        ("calendar", "posix,ABC5,a,b,2027-12-31", "breaks the rule market.is_time_zone(time_zone)"),
        ("calendar", "mars,UTC,a,b,", "breaks the rule (ends_on IS NOT NULL)"),
        ("calendar", "mars,UTC,a,,2027-12-31", "breaks the rule (source IS NOT NULL)"),
        ("calendar_session", "nope,,1,00:00,24:00", "calendar_id 'nope' is in no line of "),
        ("calendar_session", "cme_equity,,8,00:00,24:00", "breaks the rule ((iso_weekday >= 1)"),
        ("calendar_holiday", "cme_equity,2024-02-30,a,,,", "day '2024-02-30' is no date"),
        ("calendar_holiday", "cme_equity,2024-02-29,a,09:00,,", "breaks the rule ((opens IS NULL)"),
        ("tenant", "3,demo_a", "name 'demo_a' stands in line 2 already"),
        ("smartdb_contract", 'daily,12,"x', "unexpected end of data"),
        (
            "feature_set",
            "prediction,1 minute,m,b,tick,0,0,x",
            "feature_set 'prediction': the name is taken by api.prediction",
        ),
        (
            "feature_set",
            "feature,1 minute,m,b,tick,0,0,x",
            "feature_set 'feature': the name is taken by the functions of market_1m",
        ),
        (
            "feature_set",
            "daily,1 hour,m,b,market_1m,0,0,x",
            "feature_set 'daily' stands in line 4 ",
        ),
        ("feature_set", "Two,1 hour,m,b,market_1m,0,0,x", "breaks the rule (feature_set ~ "),
        ("feature_set", "two,2 hours,m,b,market_1m,0,0,x", "breaks the rule (grain = ANY "),
        ("feature_set", "two,1 hour,m,b,tick,0,0,x", "breaks the rule ((made_of = 'tick'"),
        ("feature_set", "two,1 hour,m,b,market_1m,-1,0,x", "breaks the rule ((reach_bars >= 0)"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_loaded(
    loaded: str, seeds: Path, file: str, line: str, said: str
) -> None:
    path = seeds / f"{file}.csv"
    number = len(path.read_text().splitlines()) + 1
    path.write_text(path.read_text() + line + "\n")
    before = rows(loaded)
    # a good line of another file is not loaded either
    with (seeds / "tenant.csv").open("a") as tenants:
        tenants.write("7,seventh\n")
    with pytest.raises(ReferenceRefused) as refused:
        reference.load(loaded, seeds)
    assert f"seeds/{file}.csv line {number}: {said}" in str(refused.value)
    assert rows(loaded) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "market_1m,3,low,double precision",
            "market_1m,3,low,text",
            "line 4: data_type 'text' of 'low' is 'double precision' in feature.log, which keeps ",
        ),
        (
            "market_1m,11,order_imbalance",
            "market_1m,1,order_imbalance",
            "line 12: feature_set, ordinal 'market_1m, 1' stands in line 2 ",
        ),
        (
            "momentum_1m,2,sma_50",
            "momentum_1m,2,rsi_14",
            "line 14: feature_set, field 'momentum_1m, rsi_14' stands in line 13 ",
        ),
        (
            "market_1m,1,open",
            "market_1m,12,open",
            "line 3: field 'high' comes before 'open', which the answers of market_1m have had ",
        ),
        (
            "daily,7,gap",
            "daily,7,jump",
            "line 24: field 'jump' comes before 'atr_14', which the answers of daily have had ",
        ),
        (
            "market_1m,11,order_imbalance",
            "market_1m,11,known_at",
            "line 12: field 'known_at': the name is taken: every log and answer has a column of it",
        ),
        (
            "market_1m,11,order_imbalance",
            "market_1m,11,Imbalance",
            "line 12: field 'Imbalance': a name has small letters, digits and _",
        ),
        (
            "market_1m,11,order_imbalance,double precision",
            "market_1m,11,sides,integer",
            "line 12: data_type 'integer': a field is double precision or text",
        ),
        (
            "momentum_1m,5,microprice",
            "momentum,5,microprice",
            "line 17: feature_set 'momentum' is in no line of seeds/feature_set.csv",
        ),
    ],
)
def test_the_contract_names_what_the_log_holds(
    loaded: str, seeds: Path, old: str, new: str, said: str
) -> None:
    path = seeds / "smartdb_contract.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    before = rows(loaded)
    with pytest.raises(ReferenceRefused) as refused:
        reference.load(loaded, seeds)
    assert f"seeds/smartdb_contract.csv {said}" in str(refused.value)
    assert rows(loaded) == before


def test_every_wrong_line_is_named_at_once(loaded: str, seeds: Path) -> None:
    with (seeds / "instrument.csv").open("a") as file:
        file.writelines(f"X{number},a,V,future,USD,nope,1,true,trade\n" for number in range(30))
    (seeds / "calendar_session.csv").write_text("calendar_id,weekday\n")
    with pytest.raises(ReferenceRefused) as refused:
        reference.load(loaded, seeds)
    said = str(refused.value).splitlines()
    assert said[0] == "nothing was loaded:"
    assert "calendar_session.csv line 1: its columns are calendar_id, weekday; they may " in said[1]
    assert said[2].startswith("seeds/instrument.csv line ")
    assert said[-1] == "... and 11 more"


def test_what_did_not_change_is_not_touched(loaded: str, seeds: Path) -> None:
    before = rows(loaded)
    assert reference.load(loaded, seeds) == []
    assert rows(loaded) == before
    path = seeds / "instrument.csv"
    text = path.read_text().replace("SYN_ES,Synthetic: b", "SYN_ES,Synthetic: B")
    # as spreadsheets write it
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    with path.open("a") as file:
        file.write("NEW,new,V,future,USD,cme_equity,1,false,quote\r\n")
    count = len(before["instrument"])
    assert reference.load(loaded, seeds) == ["instrument: 1 added, 1 changed"]
    after = rows(loaded)
    assert len(set(after["instrument"]) & set(before["instrument"])) == count - 1
    del before["instrument"], after["instrument"]
    assert after == before


@pytest.mark.parametrize("way", ["make migrate", "dbt seed"])
def test_a_reader_sees_all_of_the_former_rows_or_all_of_the_new(
    loaded: str,
    seeds: Path,
    databases: Databases,
    way: str,
    run_dbt: Callable[..., str],
) -> None:
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    query = (
        "select array[(select count(*) from market.contract), (select count(*)"
        " from market.instrument inner join market.calendar_session using (calendar_id))]"
    )
    path = seeds / "calendar.csv"
    path.write_text(path.read_text().replace("Every minute", "each minute"))
    seen = set()
    stop = threading.Event()

    def read() -> None:
        with psycopg.connect(loaded, autocommit=True) as connection:
            while not stop.is_set():
                row = connection.execute(query.encode()).fetchone()
                assert row is not None
                seen.add(tuple(row[0]))

    with psycopg.connect(loaded) as early:
        early.execute("set transaction isolation level repeatable read")
        before = early.execute(query.encode()).fetchone()
        reader = threading.Thread(target=read)
        reader.start()
        try:
            if way == "dbt seed":
                run_dbt(loaded, "seed", "--quiet")
            else:
                for directory in (seeds, reference.SEEDS) * 5:
                    reference.load(loaded, directory)
        finally:
            stop.set()
            reader.join()
        assert early.execute(query.encode()).fetchone() == before
    assert before is not None
    assert seen == {tuple(before[0])}


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("update market.instrument set calendar_id = 'x'", psycopg.errors.ForeignKeyViolation),
        ("delete from market.calendar", psycopg.errors.ForeignKeyViolation),
        ("update market.calendar set time_zone = 'x'", psycopg.errors.CheckViolation),
        ("update market.instrument set symbol = symbol || ' '", psycopg.errors.CheckViolation),
    ],
)
def test_whoever_changes_them_is_held_to_the_same(
    loaded: str, statement: str, refused: type[psycopg.Error]
) -> None:
    with pytest.raises(refused), connect(loaded) as connection:
        connection.execute(statement.encode())


def test_wrong_rows_of_an_older_release_are_put_right(loaded: str) -> None:
    with connect(loaded) as connection:
        connection.execute(
            "alter table market.instrument drop constraint instrument_calendar_id_fkey"
        )
        connection.execute("update market.instrument set calendar_id = 'x' where symbol = 'SYN_ES'")
        connection.execute(
            "alter table market.instrument add constraint instrument_calendar_id_fkey foreign key"
            " (calendar_id) references market.calendar deferrable initially deferred not valid"
        )
    said = reference.load(loaded)
    assert [line.split(":")[0] for line in said] == ["instrument"]
    with connect(loaded) as connection:
        assert connection.execute(
            "select bool_and(convalidated) from pg_constraint"
            " where conrelid = 'market.instrument'::regclass"
        ).fetchone() == (True,)
