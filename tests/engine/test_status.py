"""What `make status` says: of a database that works, of one that does not, and of none."""

import json
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from embedded import broker, daemon
from engine import board, ending
from engine.__main__ import main
from engine.errors import EngineUnsuitable
from engine.status import report
from feast_repo import environment
from tests.paused import pause_jobs

Status = Callable[[str], tuple[int, list[str], str]]


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Status:
    """status(url): exit code, the lines behind the address, and what is on stderr."""

    def run(url: str) -> tuple[int, list[str], str]:
        monkeypatch.setenv("ENGINE", "given")
        monkeypatch.setenv("DATABASE_URL", url)
        code = main(["status"])
        told = capsys.readouterr()
        # of the machine and the server that the tests run on, which they say nothing about
        others = ("warning: ", "disk: ", "broker: ", "Redis: ", "feature API: ")
        lines = [line for line in told.out.splitlines()[2:] if not line.startswith(others)]
        return code, lines, told.err

    return run


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A session whose database runs no job by itself, and has the jobs' failures forgotten."""
    with psycopg.connect(database, autocommit=True) as connected:
        pause_jobs(connected)
        yield connected


def test_a_database_that_works(
    status: Status, database: str, connection: psycopg.Connection
) -> None:
    connection.execute("update feature.clock set live_from = now(), published_at = now()")
    code, lines, _ = status(database)
    assert code == 0
    assert lines[0].startswith("PostgreSQL 1")
    assert ", TimescaleDB 2." in lines[0]
    assert lines[1:] == [
        "migrations: all applied",
        "last publish: none yet",
        "jobs: 0 scheduled, none failing",
        "dead letters: none",
    ]


def test_what_the_sets_are_computed_by(status: Status, modelled_database: str) -> None:
    line = "definitions: market_1m 1, daily 2, momentum_1m 3"
    assert line in status(modelled_database)[1]
    with psycopg.connect(modelled_database) as connection:
        connection.execute(
            "insert into feature.definition values (4, 'daily', repeat('0', 64), '', '{}', now())"
        )
    told = "answers that mix them warn, `select * from feature.definition` says what they are"
    assert f"{line.replace('daily 2', 'daily 2 (of 2)')}: {told}" in status(modelled_database)[1]


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        ("90 seconds", r"9\d s ago"),
        ("50 minutes", r"50 min ago"),
        ("30 hours", r"30 h ago"),
        ("3 days", r"3 days ago"),
        ("-1 hour", r"3[56]\d\d s ahead of the server's clock"),
    ],
)
def test_the_age_of_the_last_publish(
    status: Status, database: str, connection: psycopg.Connection, ago: str, said: str
) -> None:
    connection.execute(
        "update feature.clock set live_from = '-infinity',"
        " published_at = clock_timestamp() - %s::interval",
        [ago],
    )
    found, _, late = status(database)[1][2].partition(": late. ")
    assert re.fullmatch(rf"last publish: {said} \(\d+-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", found), found
    assert bool(late) is not ago.startswith("-")


def test_a_job_that_fails_and_dead_letters(
    status: Status, database: str, connection: psycopg.Connection
) -> None:
    """Noted as TimescaleDB does: whether it notes them is the business of the jobs' own tests."""
    (job,) = connection.execute(
        "select job_id from timescaledb_information.jobs where proc_name = 'publish_job'"
    ).fetchall()[0]
    connection.execute(
        "select alter_job(%s, scheduled => true, next_start => 'infinity',"
        " initial_start => now() + interval '1 day')",
        [job],
    )
    fail(connection, job)
    connection.execute(
        'insert into market.dead_letter (topic, partition, "offset", reason, message)'
        " select 'trades', 0, n, case when n < 3 then 'late' else 'unknown_symbol' end, 'words'"
        " from generate_series(1, 5) as n"
    )
    code, lines, _ = status(database)
    assert code == 0
    assert lines[-3:] == [
        "jobs: 1 scheduled, 1 failing",
        f"  {job} feature.publish_job: no models. Run dbt",
        "dead letters: unknown_symbol 3, late 2",
    ]
    connection.execute("select alter_job(%s, scheduled => false)", [job])
    assert "jobs: 0 scheduled, none failing" in status(database)[1]


def fail(connection: psycopg.Connection, job: int) -> None:
    """Note a failed run of the job, with its words; without a run noted it would be due at once."""
    with connection.transaction():
        connection.execute(
            "delete from _timescaledb_internal.bgw_job_stat where job_id = %s", [job]
        )
        connection.execute(
            "insert into _timescaledb_internal.bgw_job_stat values (%s, now(), now(), 'infinity',"
            " '-infinity', false, 1, '1 s', '1 s', 0, 1, 0, 1, 0)",
            [job],
        )
        connection.execute(
            "insert into _timescaledb_internal.bgw_job_stat_history"
            " (job_id, execution_start, execution_finish, succeeded, data) values (%s, now(),"
            ' now(), false, \'{"error_data": {"message": "no models", "hint": "Run dbt"}}\')',
            [job],
        )


def test_a_calendar_that_ends_within_90_days_is_named_with_the_remedy(
    connection: psycopg.Connection,
) -> None:
    remedy = ": what comes later is no session. Renew it: make calendars, then make migrate"
    today = "(now() at time zone time_zone)::date"
    with connection.transaction(force_rollback=True):
        connection.execute(f"update market.calendar set ends_on = {today} + 90".encode())
        assert ending.warnings(connection) == []
        end = f"update market.calendar set ends_on = {today} + %s where calendar_id = %s".encode()
        # no instrument has the last one
        for name, days in (("XNAS", 89), ("fx_24x5", 0), ("crypto_24x7", -1), ("XETR", 1)):
            connection.execute(end, [days, name])
        found = connection.execute("select calendar_id, ends_on from market.calendar").fetchall()
        ends: dict[str, date] = dict(found)
        assert ending.warnings(connection) == [
            f"calendar crypto_24x7 ended on {ends['crypto_24x7']}{remedy}",
            f"calendar fx_24x5 ends on {ends['fx_24x5']}{remedy}",
            f"calendar XNAS ends on {ends['XNAS']}, in 89 days{remedy}",
        ]


def test_the_board_warns_of_a_calendar_that_ends(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "AHEAD_DAYS", 100_000)
    found = [line for line in report(database) if line.startswith("warning: calendar ")]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        ("5 s", ""),
        ("20 min", ": left half-made. `call feature.rebuild()` begins anew"),
    ],
)
def test_a_rebuild_and_one_that_was_left(
    status: Status, database: str, connection: psycopg.Connection, ago: str, said: str
) -> None:
    connection.execute(
        "insert into feature.rebuild_run (feature_sets, known_to, kept_from, inputs, begun_at,"
        " stepped_at, versions) values ('{market_1m,daily}', now(), '-infinity', 'x',"
        " now() - interval '3 h', now() - %s::interval, 12345)",
        [ago],
    )
    try:
        (line,) = (line for line in status(database)[1] if line.startswith("rebuild"))
    finally:
        connection.execute("delete from feature.rebuild_run")
    step = ago if said else r"\d+ s"
    assert re.fullmatch(
        rf"rebuild of market_1m, daily: begun 3 h ago, last step {step} ago,"
        rf" 12,345 versions so far{re.escape(said)}",
        line,
    )


def test_what_is_pending_is_named_and_nothing_is_applied(
    status: Status, database: str, connection: psycopg.Connection
) -> None:
    connection.execute("drop function api.latest_quote(text[])")
    for _ in range(2):
        code, lines, _ = status(database)
        assert code == 0
        assert lines[1] == "migrations: 1 pending, run make migrate: functions/api/latest_quote"


def test_a_database_without_anything(status: Status, empty_database: str) -> None:
    code, lines, _ = status(empty_database)
    assert code == 0
    assert " pending, run make migrate: 0001_create_schemas, " in lines[1]
    assert len(lines) == 2
    with psycopg.connect(empty_database) as connection:
        made = connection.execute("select count(*) from pg_tables where schemaname = 'public'")
        assert made.fetchone() == (0,)


def test_before_the_first_migrate_one_line_says_what_to_do(
    empty_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE", "given")
    monkeypatch.setenv("DATABASE_URL", empty_database)
    assert main(["tenant", "list"]) == 1
    assert capsys.readouterr().err == (
        "tenant: this database knows no tenants yet: run make migrate\n"
    )
    assert main(["dbt", "run"]) == 1
    assert re.fullmatch(
        "dbt: database .* has none of this project's tables yet: run make migrate, .*\n",
        capsys.readouterr().err,
    )
    with pytest.raises(EngineUnsuitable, match="run make migrate, then make dbt"):
        environment.prepare({"DATABASE_URL": empty_database, "REDIS_URL": "redis://127.0.0.1:1/0"})


def test_none_that_answers(status: Status) -> None:
    code, lines, error = status("postgresql://nobody@127.0.0.1:1/nowhere")
    assert (code, lines) == (1, [])
    assert error.startswith("status: no connection to 127.0.0.1:1, database 'nowhere'")


def test_a_login_that_may_not_read_it(
    status: Status, database: str, connection: psycopg.Connection
) -> None:
    login = f"stranger_{uuid.uuid4().hex[:12]}"
    connection.execute(f"create role {login} login".encode())
    try:
        code, _, error = status(database.replace("postgres@", f"{login}@"))
    finally:
        connection.execute(f"drop role {login}".encode())
    assert code == 1
    assert error.startswith("status: ")


def test_history_that_waits_and_quotes_without_trades(
    status: Status, database: str, connection: psycopg.Connection
) -> None:
    connection.execute("update feature.clock set live_from = now(), published_at = now()")
    for kind, columns, values in (
        ("trade", "price, size", "100, 1"),
        ("quote", "bid, ask", "99, 101"),
    ):
        connection.execute(
            f"insert into market.{kind} (tenant_id, symbol, ts, seq, known_at, {columns})"
            f" select 1, 'SYN_{kind}', ts, 1, ts, {values}"
            " from generate_series(timestamptz '2024-03-04 00:00Z', '2024-03-04 00:59:00Z',"
            " '30 seconds') as ts".encode()
        )
    connection.execute(
        "insert into feature.birth (feature_set, field, born_at) values ('market_1m', 'x', now())"
    )
    connection.execute(
        "insert into feature.waiting_field values"
        " ('market_1m', 1, 'SYN_trade', 'x', '-infinity', now(), '{[2024-03-04, 2024-03-05]}')"
    )
    lines = status(database)[1]
    connection.execute(
        "truncate market.trade, market.quote, feature.changed_bar, feature.birth,"
        " feature.waiting_field"
    )
    assert lines[-4:-1] == [
        "history: 60 bars of 1 series wait for: call feature.backfill('2024-03-04', '2024-03-05')",
        "history: field market_1m.x of 1 series waits for: "
        "call feature.backfill('2024-03-04', '2024-03-06')",
        "quotes alone make no bar: without a trade so far: SYN_quote of tenant 1. For bars of "
        "their mids set bars_from to quote in seeds/instrument.csv, run make migrate, then call "
        "feature.backfill()",
    ]


def test_what_runs_beside_the_database_is_on_the_board(
    status: Status,
    database: str,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each line says ok and where, or what is wrong and what starts it; none ends the others."""
    monkeypatch.setattr(board, "STATE_DIR", tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(broker, "status", lambda: None)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "")
    nothing, ended = free_port(), free_port()
    monkeypatch.setattr(board, "API_PORT", nothing)
    live = tmp_path / "live" / "live.json"
    live.parent.mkdir()
    state = {"pid": os.getpid(), "port": ended, "log_file": "live.log"}
    live.write_text(json.dumps({**state, "birth": "of an earlier process"}))
    assert board.services() == [
        "broker: not running: make up",
        "Redis: not running: make up",
        f"feature API: not running at http://127.0.0.1:{nothing}: make serve, or make demo",
    ]
    live.write_text(json.dumps({**state, "birth": daemon.birth(os.getpid())}))
    assert f"at http://127.0.0.1:{ended}:" in board.services()[2]
    monkeypatch.setenv("KAFKA_BOOTSTRAP", f"127.0.0.1:{nothing}")
    monkeypatch.setenv("REDIS_URL", f"redis://me:hush@127.0.0.1:{nothing}/0")
    down = board.services()
    assert down[0].startswith(f"broker: does not answer at 127.0.0.1:{nothing}: ")
    assert down[1].startswith(f"Redis: does not answer at 127.0.0.1:{nothing}/0 (")
    assert "hush" not in down[1]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("KAFKA_BOOTSTRAP", f"127.0.0.1:{nothing},{address}")
        assert board.services()[0] == f"broker: ok, 127.0.0.1:{nothing},{address}"
    disk = board.disk(connection)
    assert re.fullmatch(r"disk: database \d+ .B, \.state 0 MB, [\d.,]+ GB free there", disk), disk
    monkeypatch.setattr(board, "services", lambda: ["broker: ok"])
    assert status(database)[0] == 0
    assert status("postgresql://nobody@127.0.0.1:1/nowhere")[0] == 1
    main(["status"])
    assert capsys.readouterr().out.splitlines()[-1] == "broker: ok"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
