"""feature_pit_snapshot(): its forms, its edges, its errors, and that an answer stays."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Databases
from tests.known import known_from_the_beginning
from tests.pit.conftest import SYMBOL, Scene

MICROSECOND = timedelta(microseconds=1)


def rows(scene: Scene, query: str, arguments: list[Any] | None = None) -> list[tuple[Any, ...]]:
    return scene.world.connection.execute(query.encode(), arguments or []).fetchall()


def test_every_way_to_call_it_gives_the_same_row(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    tenant = f"p_tenant_id => {scene.tenant}"
    found = [
        rows(scene, f"select * from feature_pit_snapshot({call}, {tenant})")
        for call in (
            f"array['{SYMBOL}'], '2024-03-04 10:01+00'",
            f"array['{SYMBOL}'], '2024-03-04 10:01+00', '2024-03-04 10:01+00'",
            f"array['{SYMBOL}'], '2024-03-04 10:01+00', null",
            f"array['{SYMBOL}'], timestamptz '2024-03-04 10:01+00'",
            f"array['{SYMBOL}'], timestamptz '2024-03-04 10:01+00', now()",
            f"array['{SYMBOL}'], array[timestamptz '2024-03-04 10:01+00']",
            f"array['{SYMBOL}'], array['2024-03-04 10:01+00']::timestamptz[], array[now()]",
            f"p_as_of => '2024-03-04 10:01+00', p_symbols => array['{SYMBOL}']",
        )
    ]
    assert found[0][0][8] == 100
    assert found == [found[0]] * len(found)


def test_the_columns_are_the_contracts_in_its_order(scene: Scene) -> None:
    cursor = scene.world.connection.execute("select * from feature_pit_snapshot('{}', now())")
    assert cursor.description is not None
    fields = rows(
        scene, "select field from market.contract where feature_set = 'market_1m' order by ordinal"
    )
    assert [column.name for column in cursor.description] == [
        *("symbol", "as_of", "known_as_of", "bucket", "known_at"),
        *(field for (field,) in fields),
        "is_stale",
    ]


def test_order_and_duplicates_are_kept(scene: Scene) -> None:
    scene.bars(5)
    scene.world.publish(scene.at(5))
    asked = [3, 1, 5, 3, 2, 5]
    found = scene.world.ask_each(
        [SYMBOL] * len(asked),
        [scene.at(minute) for minute in asked],
        [scene.at(9)] * len(asked),
        scene.tenant,
    )
    assert [row["bucket"] for row in found] == [scene.at(minute - 1) for minute in asked]


def test_one_moment_answers_as_its_pairs_do(scene: Scene) -> None:
    """Whichever symbols have a bar of the last minutes, and wherever they stand."""
    gone = scene.trade(scene.at(58, 30), 100, symbol="SYN_ETHUSD")
    for minute, symbol in ((58, SYMBOL), (57, "SYN_ETHUSD"), (2, "SYN_ES"), (57, "SYN_EURUSD")):
        scene.trade(scene.at(minute, 30), 100 + minute, symbol=symbol)
    scene.world.publish(scene.at(60))
    scene.amend(gone, "cancel", scene.at(60))
    scene.world.publish(scene.at(61))
    symbols = [SYMBOL, "SYN_ETHUSD", "SYN_ES", "SYN_EURUSD", SYMBOL, "SYN_GC"]
    for turn in range(len(symbols)):
        asked = symbols[turn:] + symbols[:turn]
        for moment, known in ((59, None), (60, 60), (60, 61), (61, None), (64, 61), (90, None)):
            as_of, then = scene.at(moment), None if known is None else scene.at(known)
            assert scene.world.ask(asked, as_of, then, scene.tenant) == scene.world.ask_each(
                asked,
                [as_of] * len(asked),
                None if then is None else [then] * len(asked),
                scene.tenant,
            )


def test_what_is_refused_is_refused_behind_good_symbols(scene: Scene) -> None:
    other = Scene(scene.world)
    for one in (scene, other):
        one.trade(one.at(0, 30), 100, symbol="SYN_NQ")
    scene.trade(scene.at(0, 30), 100, symbol="SYN_MINE")
    scene.world.publish(scene.at(1))
    query = "select * from feature_pit_snapshot(%s::text[], '2024-03-04 10:01+00')"
    with pytest.raises(psycopg.errors.AmbiguousParameter, match="SYN_NQ is held by the tenants"):
        rows(scene, query, [["SYN_MINE", "SYN_NQ"]])
    with pytest.raises(psycopg.errors.UndefinedObject, match="unknown symbols: 'NOPE'"):
        rows(scene, query, [["SYN_MINE", "SYN_MINE", "NOPE"]])
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match="NULL at position 2"):
        rows(scene, query, [["SYN_MINE", None]])
    found = rows(scene, "select * from feature_pit_snapshot('[0:0]={SYN_MINE}'::text[], %s)", [
        scene.at(1)
    ])  # fmt: skip
    assert found == rows(scene, query, [["SYN_MINE"]])


def test_a_bar_is_there_from_its_close_and_a_version_from_its_known_at(scene: Scene) -> None:
    scene.bars(2)
    scene.world.publish(scene.at(2))
    scene.world.publish(scene.at(9))
    known = scene.at(2)
    assert scene.ask(scene.at(2), known)["bucket"] == scene.at(1)
    assert scene.ask(scene.at(2) - MICROSECOND, known)["bucket"] == scene.at(0)
    assert scene.ask(scene.at(2), known - MICROSECOND)["bucket"] is None


def test_a_correction_shows_to_who_asks_with_todays_knowledge_only(scene: Scene) -> None:
    first = scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    scene.amend(first, "correction", scene.at(5), price=50)
    scene.world.publish(scene.at(6))
    assert scene.ask(scene.at(2))["close"] == 100
    assert scene.ask(scene.at(2), scene.at(6) - MICROSECOND)["close"] == 100
    assert scene.ask(scene.at(2), scene.at(6))["close"] == 50
    for known, close in ((None, 100), (scene.at(6) - MICROSECOND, 100), (scene.at(6), 50)):
        by_then = None if known is None else [known]
        pair = scene.world.ask_each([SYMBOL], [scene.at(1)], by_then, scene.tenant)
        many = scene.world.ask([SYMBOL] * 9, scene.at(1), known, scene.tenant)
        assert [row["close"] for row in pair + many] == [close] * 10


def test_the_latest_bar_wins_over_the_latest_knowledge(scene: Scene) -> None:
    first = scene.bars(2)[0]
    scene.world.publish(scene.at(2))
    scene.amend(first, "correction", scene.at(2), price=50)
    scene.world.publish(scene.at(3))
    assert scene.ask(scene.at(3))["bucket"] == scene.at(1)


def test_bars_that_have_gone_are_passed_over(scene: Scene) -> None:
    bars = scene.bars(12)
    scene.world.publish(scene.at(12))
    for bar in bars[2:]:
        scene.amend(bar, "cancel", scene.at(12))
    scene.world.publish(scene.at(13))
    assert scene.ask(scene.at(13))["bucket"] == scene.at(1)
    assert scene.ask(scene.at(13), scene.at(12))["bucket"] == scene.at(11)


def test_an_old_bar_is_found_in_the_chunk_before(scene: Scene) -> None:
    cut = datetime(2024, 2, 15, tzinfo=UTC)
    assert (cut - datetime(1970, 1, 1, tzinfo=UTC)).days % 28 == 0
    scene.world.set_clock(cut - timedelta(days=2), cut - timedelta(days=2))
    scene.trade(cut - timedelta(minutes=4), 100)
    scene.world.publish(cut)
    assert scene.ask(cut)["bucket"] == cut - timedelta(minutes=4)
    assert scene.ask(cut + timedelta(minutes=1))["close"] == 100


@pytest.mark.parametrize(
    ("age", "is_stale"),
    [(timedelta(minutes=15), False), (timedelta(minutes=15) + MICROSECOND, True)],
)
def test_a_bar_is_stale_after_fifteen_minutes_of_trading(
    scene: Scene, age: timedelta, is_stale: bool
) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    found = scene.ask(scene.at(1) + age)
    assert (found["is_stale"], found["close"], found["bucket"]) == (
        (True, None, None) if is_stale else (False, 100, scene.at(0))
    )


@pytest.mark.parametrize(
    ("as_of", "is_stale"),
    [
        # SYN_AAPL trades from 9:30 to 16:00 in New York: its last bar of Friday 1 March 2024
        (datetime(2024, 3, 1, 21, 30, tzinfo=UTC), False),
        (datetime(2024, 3, 4, 14, 30, tzinfo=UTC), False),
        (datetime(2024, 3, 4, 14, 45, tzinfo=UTC), False),
        (datetime(2024, 3, 4, 14, 45, 0, 1, tzinfo=UTC), True),
    ],
)
def test_a_weekend_does_not_age_a_market_that_is_closed(
    scene: Scene, as_of: datetime, is_stale: bool
) -> None:
    friday = datetime(2024, 3, 1, 20, 59, tzinfo=UTC)
    scene.world.set_clock(friday, friday)
    scene.trade(friday, 100, symbol="SYN_AAPL")
    scene.world.publish(friday + timedelta(minutes=1))
    found = scene.ask(as_of, symbol="SYN_AAPL")
    assert (found["is_stale"], found["close"]) == (is_stale, None if is_stale else 100)


def test_a_bar_outside_its_session_does_not_age_until_the_next(scene: Scene) -> None:
    evening = datetime(2024, 3, 1, 23, 0, tzinfo=UTC)
    scene.world.set_clock(evening, evening)
    scene.trade(evening, 100, symbol="SYN_AAPL")
    scene.world.publish(evening + timedelta(minutes=1))
    assert scene.ask(evening + timedelta(hours=9), symbol="SYN_AAPL")["close"] == 100


@pytest.mark.parametrize(
    "statement",
    ["delete from market.calendar_session; delete from market.calendar_holiday", None],
)
def test_where_nobody_knows_the_hours_the_clock_counts(scene: Scene, statement: str | None) -> None:
    friday = datetime(2024, 3, 1, 20, 59, tzinfo=UTC)
    scene.world.set_clock(friday, friday)
    scene.trade(friday, 100, symbol="SYN_AAPL")
    scene.world.publish(friday + timedelta(minutes=1))
    with scene.world.connection.transaction(force_rollback=True):
        scene.world.connection.execute(
            (statement or "delete from market.instrument where symbol = 'SYN_AAPL'").encode()
        )
        known_from_the_beginning(scene.world.connection)
        found = scene.ask(friday + timedelta(minutes=16), symbol="SYN_AAPL")
        assert (found["is_stale"], found["close"]) == (False, 100)
        found = scene.ask(friday + timedelta(minutes=16, microseconds=1), symbol="SYN_AAPL")
        assert (found["is_stale"], found["close"]) == (True, None)


def test_a_field_with_a_shorter_maximum_is_null_by_itself(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100, side="buy")
    scene.world.publish(scene.at(1))
    with scene.world.connection.transaction(force_rollback=True):
        rows_changed = scene.world.connection.execute(
            "update market.contract set max_staleness_s = 60 where field = 'order_imbalance'"
        ).rowcount
        assert rows_changed == 1
        known_from_the_beginning(scene.world.connection)
        found = scene.ask(scene.at(2) + MICROSECOND)
        assert (found["close"], found["order_imbalance"], found["is_stale"]) == (100, None, True)
        assert found["bucket"] == scene.at(0)


def test_a_bar_of_more_than_a_month_is_stale_whatever_the_calendar(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100, symbol="SYN_AAPL")
    scene.world.publish(scene.at(1))
    found = scene.ask(scene.at(0) + timedelta(days=33), symbol="SYN_AAPL")
    assert (found["is_stale"], found["bucket"]) == (True, None)


def test_a_symbol_that_is_known_and_has_no_data_is_a_stale_row(scene: Scene) -> None:
    other = Scene(scene.world)
    other.trade(other.at(0, 30), 100, symbol="SYN_ELSEWHERE")
    scene.world.publish(scene.at(1))
    for symbol in ("SYN_GC", "SYN_ELSEWHERE"):
        found = scene.ask(scene.at(1), symbol=symbol)
        assert (found["symbol"], found["is_stale"], found["close"]) == (symbol, True, None)


def test_of_a_symbol_that_two_tenants_have_one_must_be_chosen(scene: Scene) -> None:
    other = Scene(scene.world)
    for one, price in ((scene, 100), (other, 200)):
        one.trade(one.at(0, 30), price)
    scene.world.publish(scene.at(1))
    with pytest.raises(psycopg.errors.AmbiguousParameter, match=f"{SYMBOL} is held by the tenants"):
        rows(scene, f"select * from feature_pit_snapshot(array['{SYMBOL}'], '2024-03-04 10:01+00')")
    assert (scene.ask(scene.at(1))["close"], other.ask(scene.at(1))["close"]) == (100, 200)


@pytest.mark.parametrize(
    ("arguments", "sqlstate", "message"),
    [
        ("null::text[], now()", "22004", "must not be NULL"),
        (
            "array['A'], null::timestamptz",
            "22004",
            "must not be NULL|NULL at position 1 of p_as_of",
        ),
        ("array['A', null], now()", "22004", "NULL at position 2 of p_symbols"),
        ("array['A'], array[null]::timestamptz[]", "22004", "NULL at position 1 of p_as_of"),
        ("array['A'], array[now()], array[null]::timestamptz[]", "22004", "1 of p_known_as_of"),
        ("array['A', 'B'], array[now()]", "2202E", "2 symbols, 1 as_of, no known_as_of"),
        ("array['A'], array[now()], '{}'::timestamptz[]", "2202E", "1 as_of, 0 known_as_of"),
        ("array['A'], now() + interval '1 minute'", "22023", "a time in the future"),
        ("array['A'], now(), now() + interval '1 minute'", "22023", "a time in the future"),
        ("array['A'], 'infinity'", "22023", "a time in the future"),
        ("array['A'], '-infinity'", "22023", "before the year 1"),
        ("array['A'], '4714-11-24 00:00+00 BC'", "22023", "before the year 1"),
        ("array['A'], now(), '0001-12-31 BC'", "22023", "before the year 1"),
        ("array[['A'], ['B']], now()", "2202E", "several dimensions"),
        ("array['A'], array[[now()]]", "2202E", "several dimensions"),
    ],
)
def test_mistakes_are_errors(scene: Scene, arguments: str, sqlstate: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as caught:
        rows(scene, f"select * from feature_pit_snapshot({arguments})")
    assert caught.value.sqlstate == sqlstate


UNKNOWN = {
    "feature_pit_snapshot": "select * from feature_pit_snapshot(%s::text[], now(), null, %s)",
    "feature_pit_hash": "select feature_pit_hash(%s::text[], now(), null, %s)",
    "leakage": "select * from feature.leakage(%s, array_fill(now(), array[%s]), %s)",
    "explain_restatement": "select * from feature.explain_restatement(%s, '2024-03-04 10:00Z', %s)",
}


@pytest.mark.parametrize("function", UNKNOWN)
def test_a_name_that_nobody_knows_is_an_error_that_says_it(scene: Scene, function: str) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))

    def refused(symbols: list[str], tenant: int | None) -> str:
        given: list[Any] = [symbols, tenant]
        if function == "leakage":
            given = [symbols, len(symbols), tenant]
        elif function == "explain_restatement":
            given = [symbols[0], tenant]
        with pytest.raises(psycopg.errors.UndefinedObject) as caught:
            rows(scene, UNKNOWN[function], given)
        diag = caught.value.diag
        assert "with answer as" not in (diag.context or ""), "no text of a function"
        return f"{diag.message_primary} {diag.message_hint}"

    for tenant in (scene.tenant, None):
        assert refused(["NOPE"], tenant).startswith("unknown symbols: 'NOPE' ")
        assert f"Is '{SYMBOL}' meant?" in refused([f" {SYMBOL.lower()}"], tenant)
    assert refused([SYMBOL], 990_099).startswith("unknown tenant: 990099 ")
    if function != "explain_restatement":
        many = [SYMBOL, "G", "F", "E", "E", "D", "C", "B", "A", "SYN_GC"]
        said = refused(many, scene.tenant)
        assert said.startswith("unknown symbols: 'G', 'F', 'E', 'D', 'C' and 2 more ")


def test_of_a_symbol_of_several_tenants_the_error_is_short(scene: Scene) -> None:
    other = Scene(scene.world)
    for one in (scene, other):
        one.trade(one.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    with pytest.raises(psycopg.errors.AmbiguousParameter) as caught:
        rows(scene, f"select * from feature_pit_snapshot(array['{SYMBOL}'], '2024-03-04 10:01+00')")
    assert "with answer as" not in (caught.value.diag.context or "")


def test_no_pairs_give_no_rows(scene: Scene) -> None:
    assert rows(scene, "select * from feature_pit_snapshot('{}', '{}'::timestamptz[])") == []


def test_known_as_of_is_held_to_the_last_publish(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    assert scene.ask(scene.at(5))["known_as_of"] == scene.at(1)


def test_it_reads_in_a_read_only_transaction_and_in_any_time_zone(scene: Scene) -> None:
    scene.trade(scene.at(0, 30), 100)
    scene.world.publish(scene.at(1))
    with scene.world.connection.transaction(force_rollback=True):
        scene.world.connection.execute("set transaction read only")
        scene.world.connection.execute("set local time zone 'Asia/Kolkata'")
        assert scene.ask(scene.at(1))["close"] == 100


def test_an_answer_given_stays_whatever_commits_later(scene: Scene, databases: Databases) -> None:
    """Publishers that are slow to commit, and readers that ask again later what they asked."""
    if databases.kind == "embedded":
        pytest.skip("the embedded engine runs one transaction at a time")
    scene.bars(30)
    stop = threading.Event()
    failures: list[BaseException] = []

    def publish() -> None:
        with psycopg.connect(scene.world.url, autocommit=True) as connection:
            for price in range(8):
                with connection.transaction():
                    connection.execute(
                        "insert into market.trade"
                        " (tenant_id, symbol, ts, seq, price, size, known_at)"
                        " values (%s, %s, %s, %s, %s, 1, clock_timestamp())",
                        [scene.tenant, SYMBOL, scene.at(29, 59), 1000 + price, 200 + price],
                    )
                with connection.transaction():
                    connection.execute("call feature.publish()")
                    # stamped, but not committed yet
                    connection.execute("select pg_sleep(0.05)")

    question = "select * from feature_pit_snapshot(%s, %s::timestamptz[], %s, %s)"
    answers: list[tuple[list[Any], list[tuple[Any, ...]]]] = []

    def read() -> None:
        try:
            with psycopg.connect(scene.world.url, autocommit=True) as connection:
                while not stop.is_set():
                    asked: list[Any] = [[SYMBOL], [scene.at(30)], [datetime.now(UTC)], scene.tenant]
                    found = connection.execute(question, asked).fetchall()
                    answers.append(([*asked[:2], [found[0][2]], asked[3]], found))
                    time.sleep(0.002)
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    publishers = [threading.Thread(target=publish)]
    for thread in (*readers, *publishers):
        thread.start()
    for thread in publishers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert not failures
    assert len({tuple(map(str, found[0])) for _, found in answers}) > 4
    for asked, found in answers:
        again = scene.world.connection.execute(question, asked).fetchall()
        assert again == found
