"""Roles, settings, temporary tables and transactions of one client stay its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest

Pair = tuple[psycopg.Connection, psycopg.Connection]
READS_ONLY = "current_setting('transaction_read_only')"

KILLED = """
import psycopg, sys, time
client = psycopg.connect(sys.argv[1])
client.execute("insert into item values (1)")
client.execute("lock table item")
print("ready", flush=True)
time.sleep(60)
"""


def _value(client: psycopg.Connection, expression: str) -> object:
    row = client.execute(f"select {expression}").fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def pair(url: str) -> Iterator[Pair]:
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as two:
        yield one, two


def test_settings_stay_with_their_client(pair: Pair) -> None:
    one, two = pair
    one.execute("set timezone = 'Europe/Berlin'")
    one.execute("set work_mem = '7MB'")
    one.execute("select set_config('conformance.secret', 'mine', false)")
    for _ in range(2):
        assert _value(two, "current_setting('timezone')") != "Europe/Berlin"
        assert _value(two, "current_setting('work_mem')") != "7MB"
        assert _value(two, "current_setting('conformance.secret', true)") in (None, "")
        assert _value(one, "current_setting('timezone')") == "Europe/Berlin"
        assert _value(one, "current_setting('work_mem')") == "7MB"
        assert _value(one, "current_setting('conformance.secret', true)") == "mine"
    assert one.info.parameter_status("TimeZone") == "Europe/Berlin"


def test_a_setting_that_was_refused_hinders_nobody(pair: Pair) -> None:
    one, two = pair
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"timescaledb\.license"):
        one.execute("set timescaledb.license = 'apache'")
    for client in (one, two, one):
        client.execute("set work_mem = '7MB'")
        assert _value(client, "current_setting('work_mem')") == "7MB"


def test_prepared_set_stays_with_its_client(pair: Pair) -> None:
    one, two = pair
    one.prepare_threshold = 0
    for name in ("Asia/Tokyo", "Europe/Paris"):
        one.execute("select set_config('timezone', %s, false)", (name,))
        assert _value(two, "current_setting('timezone')") not in ("Asia/Tokyo", "Europe/Paris")
        assert _value(one, "current_setting('timezone')") == name


def test_set_local_and_rolled_back_settings_vanish(pair: Pair) -> None:
    one, two = pair
    before = _value(one, "current_setting('work_mem')")
    with one.transaction():
        one.execute("set local work_mem = '9MB'")
    with one.transaction(force_rollback=True):
        one.execute("set work_mem = '11MB'")
    assert _value(two, "1") == 1
    assert _value(one, "current_setting('work_mem')") == before


@pytest.mark.parametrize("reset", ["reset all", "discard all"])
def test_reset_returns_to_start_up_values(url: str, reset: str) -> None:
    with psycopg.connect(url, application_name="conformance", autocommit=True) as client:
        path = _value(client, "current_setting('search_path')")
        assert str(path).startswith("conformance_")
        client.execute("set search_path = pg_catalog")
        client.execute("set application_name = 'other'")
        client.execute(reset)
        assert _value(client, "current_setting('search_path')") == path
        assert _value(client, "current_setting('application_name')") == "conformance"
        assert client.info.parameter_status("application_name") == "conformance"


def test_start_up_user_is_the_session_user(server_url: str, role: str, pair: Pair) -> None:
    one, _ = pair
    one.execute("create table secret (n int)")
    table = f"{_value(one, 'current_schema()')}.secret"
    with psycopg.connect(server_url, user=role, autocommit=True) as client:
        assert _value(client, "session_user") == role
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(f"select * from {table}")
        assert _value(one, "session_user") != role
        client.execute("discard all")
        assert _value(client, "current_user") == role
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("set session authorization postgres")
        client.execute("reset session authorization")
        assert _value(client, "session_user") == role


def test_set_role_stays_with_its_client(pair: Pair, role: str) -> None:
    one, two = pair
    one.execute(f"set role {role}")
    assert _value(two, "current_user") != role
    assert _value(one, "current_user") == role
    one.execute("reset role")
    assert _value(two, "1") == 1
    assert _value(one, "current_user") == _value(two, "current_user")


def test_temporary_tables_stay_with_their_client(pair: Pair) -> None:
    one, two = pair
    one.execute("create temporary table scratch (n int primary key)")
    one.execute("insert into scratch values (1)")
    with pytest.raises(psycopg.errors.UndefinedTable):
        two.execute("select * from scratch")
    two.execute("create temporary table scratch (n int primary key, m int)")
    two.execute("insert into scratch values (2, 2)")
    for _ in range(2):
        assert one.execute("select * from scratch").fetchall() == [(1,)]
        assert two.execute("select * from scratch").fetchall() == [(2, 2)]
    one.close()
    two.execute("drop table scratch")
    assert _value(two, "to_regclass('scratch')") is None


@pytest.mark.parametrize("reader", [0, 1])
def test_temporary_tables_stay_beside_a_client_that_reads_only(pair: Pair, reader: int) -> None:
    """Its setting is no matter of the engine, which puts tables away and back in between."""
    one, two = pair
    one.execute("create temporary table scratch (n int)")
    one.execute("insert into scratch values (1)")
    pair[reader].execute("set default_transaction_read_only = on")
    for _ in range(2):
        reads_only = [_value(one, READS_ONLY), _value(two, READS_ONLY)]
        assert reads_only == (["off", "on"] if reader else ["on", "off"])
        assert _value(one, "(select n from scratch)") == 1


def test_a_client_that_reads_only_and_has_temporary_tables_may_end(url: str, pair: Pair) -> None:
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("create temporary table scratch (n int)")
        client.execute("set default_transaction_read_only = on")
    assert _value(pair[0], "to_regclass('pg_temp.scratch') is null") is True
    found = "select count(*) from pg_class where relname ~ '^c[0-9]+_t[0-9]+$'"
    assert pair[0].execute(found).fetchone() == (0,)


def test_temporary_tables_end_with_their_client(url: str) -> None:
    for _ in range(2):
        with psycopg.connect(url) as client:
            client.execute("create temporary table scratch (n int primary key)")


@pytest.mark.parametrize("discard", ["discard all", "discard temp"])
def test_discard_concerns_its_client_only(pair: Pair, discard: str) -> None:
    one, two = pair
    for client in pair:
        client.execute("create temporary table scratch (n int)")
        client.execute("prepare mine as select 1")
    one.execute(discard)
    with pytest.raises(psycopg.errors.UndefinedTable):
        one.execute("select * from scratch")
    assert two.execute("select * from scratch").fetchall() == []
    assert two.execute("execute mine").fetchone() == (1,)


def test_settings_of_a_role_apply_at_its_login(server_url: str, role: str, pair: Pair) -> None:
    one, _ = pair
    one.execute(f"alter role {role} set work_mem = '5MB'")
    one.execute(f"alter role {role} set timezone = 'Asia/Tokyo'")
    with psycopg.connect(server_url, user=role, options="-c work_mem=6MB") as client:
        assert _value(client, "current_setting('work_mem')") == "6MB"
        assert client.info.parameter_status("TimeZone") == "Asia/Tokyo"
    assert _value(one, "current_setting('timezone')") != "Asia/Tokyo"


def test_dropped_role_cannot_log_in(server_url: str, pair: Pair) -> None:
    one, _ = pair
    name = f"conformance_{uuid.uuid4().hex[:12]}"
    one.execute(f"create role {name} login")
    psycopg.connect(server_url, user=name).close()
    one.execute(f"drop role {name}")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(server_url, user=name)


def test_incoming_rows_by_way_of_a_temporary_table(pair: Pair) -> None:
    one, two = pair
    one.execute("create table item (n int)")
    for client in pair:
        client.execute("create temporary table incoming (n int) on commit delete rows")
    for number in range(4):
        client = pair[number % 2]
        with client.transaction():
            with client.cursor().copy("copy pg_temp.incoming from stdin") as copy:
                copy.write_row((number,))
            client.execute("insert into item select n from pg_temp.incoming")
    assert two.execute("select n from item order by n").fetchall() == [(0,), (1,), (2,), (3,)]


def test_eight_clients_with_transactions_at_once(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("create table counter (n int)")
        client.execute("insert into counter values (0)")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with psycopg.connect(url) as client:
                for turn in range(20):
                    with client.transaction():
                        client.execute("update counter set n = n + 1")
                        client.execute("create temporary table mine (n int) on commit drop")
                        client.execute("insert into mine values (%s)", (number,))
                        assert client.execute("select n from mine").fetchall() == [(number,)]
                        if turn % 4 == 3:
                            raise psycopg.Rollback
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(url) as client:
        assert _value(client, "n from counter") == 8 * 15


def test_client_killed_in_a_transaction_leaves_nothing(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as client:
        client.execute("create table item (n int)")
        process = subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait()
        process.stdout.close()
        client.execute("set lock_timeout = '20s'")
        client.execute("insert into item values (2)")
        assert client.execute("select n from item").fetchall() == [(2,)]
