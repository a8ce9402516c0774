"""What was answered before a rebuild is verified after it; who reads meanwhile is not misled."""

import threading
from datetime import timedelta

import psycopg
import pytest
from psycopg.errors import Diagnostic

from tests.conftest import Databases
from tests.pit.conftest import SYMBOL, Past
from tests.pit.oracle import MINUTE
from tests.pit.test_definitions_mixed import told
from tests.pit.test_rebuild import REBUILD, beside, formula, generation, rebuild, value

VERIFY = "select said from feature.verify(%s, %s, %s::timestamptz[], null, %s)"


def question(past: Past, minutes: int = 6) -> tuple[list[str], list[object], int]:
    """Of the first so many minutes, each asked as it was."""
    return [SYMBOL] * minutes, [past.at(minute) for minute in range(minutes)], past.tenant


def test_a_receipt_verifies_in_the_generation_that_gave_it(past: Past) -> None:
    past.bars(5)
    past.backfill()
    asked = question(past)
    receive = "select feature.receipt(%s, %s::timestamptz[], null, %s)"
    was, before = generation(past.world), value(past.world, receive, *asked)
    assert before.split(".")[1] == f"market_1m:{was}"
    past.quote(past.at(2, 20), 99, 101)
    rebuild(past.world)
    after = value(past.world, receive, *asked)
    assert after.split(".")[1] == f"market_1m:{was + 1}"
    assert value(past.world, VERIFY, before, *asked).startswith("equal: 6 rows")
    assert value(past.world, VERIFY, after, *asked).startswith("equal: 6 rows")
    # the answers are not the same: one of the line's own generation alone verifies
    parts = before.split(".")[:-1]
    check = "select feature.receipt_check(%s)"
    parts[1] = f"market_1m:{was + 1}"
    mixed = ".".join(parts)
    mixed += "." + value(past.world, check, mixed)
    assert "spread_bps" in value(past.world, VERIFY, mixed, *asked)
    # a line from before there were generations is of the first
    parts[1] = "market_1m"
    first = ".".join(parts)
    first += "." + value(past.world, check, first)
    said = value(past.world, VERIFY, first, *asked)
    assert said.startswith("equal" if was == 1 else "not equal")
    parts[1] = f"market_1m:{was + 9}"
    unknown = ".".join(parts)
    with pytest.raises(psycopg.errors.UndefinedObject, match=f"no generation {was + 9}"):
        value(past.world, VERIFY, unknown + "." + value(past.world, check, unknown), *asked)


def test_a_former_one_tells_of_several_definitions(databases: Databases, past: Past) -> None:
    if databases.kind == "embedded":
        pytest.skip("formulas that are replaced again and again end its WebAssembly engine")
    past.bars(5)
    past.backfill()
    was = generation(past.world)
    snapshot = "select count(*) from feature_pit_snapshot_in(%s, %s, %s::timestamptz[], null, %s)"
    asked = [SYMBOL] * 2, [past.at(2), past.live + MINUTE], past.tenant
    twice = "joined.volume * 2 as volume,"
    with formula(past.world, "intermediate.int_bar__own", "joined.volume,", twice):
        past.trade(past.live - timedelta(seconds=30), 107, past.live + timedelta(seconds=50))
        past.publish(1)
        rebuild(past.world)
        with told(past.world) as heard:
            assert value(past.world, snapshot, was, *asked) == 2
        assert [said.split(":")[0] for said in heard] == [
            "rows of market_1m are of several definitions"
        ]
        with told(past.world) as heard:
            assert value(past.world, snapshot, was + 1, *asked) == 2
        assert heard == []


def test_who_began_before_is_waited_for_and_named(databases: Databases, past: Past) -> None:
    """A repeatable read would find the new log and see none of its rows."""
    if databases.kind == "embedded":
        pytest.skip("one backend: nothing runs beside a rebuild")
    past.bars(5)
    past.backfill()
    was = generation(past.world)
    asked = question(past)
    digest = "select feature_pit_hash(%s, %s::timestamptz[], null, %s)"
    before = value(past.world, digest, *asked)
    past.quote(past.at(2, 20), 99, 101)
    named = threading.Event()
    heard: list[str] = []

    def hear(said: Diagnostic) -> None:
        heard.append(str(said.message_primary))
        if heard[-1].startswith("waits for transactions"):
            named.set()

    def run() -> None:
        with psycopg.connect(past.world.url, autocommit=True) as connection:
            connection.add_notice_handler(hear)
            connection.execute(REBUILD)

    with psycopg.connect(past.world.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("select 1")
        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert named.wait(120)
            assert str(reader.info.backend_pid) in heard[-1]
            assert generation(past.world) == was
            assert reader.execute(digest.encode(), asked).fetchone() == (before,)
        finally:
            reader.rollback()
            thread.join()
    assert generation(past.world) == was + 1
    assert value(past.world, digest, *asked) != before


def test_a_receipt_is_never_of_two_generations(databases: Databases, past: Past) -> None:
    """Where the last round ends in the same transaction nobody is waited for."""
    if databases.kind == "embedded":
        pytest.skip("one backend: nothing runs beside a rebuild")
    past.bars(5)
    past.backfill()
    run = past.world.connection.execute
    waits = "feature.await_snapshots(integer, text[])"
    text = value(past.world, f"select pg_get_functiondef('{waits}'::regprocedure)")
    run(text.replace("\nbegin\n", "\nbegin return array[]::text[];\n", 1))
    try:
        with psycopg.connect(past.world.url) as reader:
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reader.execute("select 1")
            rebuild(past.world)
            with pytest.raises(psycopg.errors.SerializationFailure, match="another generation"):
                reader.execute(
                    "select feature.receipt(%s, %s::timestamptz[], null, %s)", question(past)
                )
    finally:
        run(text)


def test_what_bars_are_made_of_does_not_change_meanwhile(databases: Databases, past: Past) -> None:
    if databases.kind == "embedded":
        pytest.skip("one backend: nothing runs beside a rebuild")
    past.bars(5)
    past.backfill()
    was = generation(past.world)
    change = "update market.instrument set bars_from = %s where symbol = %s"
    try:
        with beside(past.world) as rebuilt:
            past.world.connection.execute(change, ["quote", SYMBOL])
        (failed,) = rebuilt.failed
        assert isinstance(failed, psycopg.errors.ObjectNotInPrerequisiteState)
        assert "formulas or instruments have changed" in str(failed)
    finally:
        past.world.connection.execute(change, ["trade", SYMBOL])
    assert generation(past.world) == was
    rebuild(past.world)
    assert generation(past.world) == was + 1
