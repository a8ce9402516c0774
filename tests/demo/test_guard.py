"""The demo writes beside nobody's data: it names what is there, and stops unless told otherwise."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from demo import __main__ as demo
from demo import guard
from embedded import broker as embedded_broker
from engine.errors import NotAgreed
from engine.resolve import Engine
from ingest.replay.synthetic_market import SYMBOLS, TENANTS

ROOT = Path(__file__).resolve().parents[2]
TICK = """
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)
    select 1, %s, now() - n * interval '1 minute', n, 1, 1, now() from generate_series(1, 3) as n
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("kafka")
    yield embedded_broker.start(directory).bootstrap
    embedded_broker.stop(directory)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """What a test puts there is gone at its end."""
    with (
        psycopg.connect(database, autocommit=True) as connected,
        connected.transaction(force_rollback=True),
    ):
        yield connected


def send(bootstrap: str, topic: str, *keys: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if topic not in admin.list_topics(timeout=10).topics:
        admin.create_topics([NewTopic(topic, 4, 1)])[topic].result(10)
    producer = Producer({"bootstrap.servers": bootstrap})
    for key in keys:
        producer.produce(topic, key=key, value=b"value", partition=1)
    assert producer.flush(10) == 0


def test_an_empty_database_and_a_demos_are_no_ones(
    empty_database: str, connection: psycopg.Connection
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as empty:
        assert guard.in_database(empty) == []
    assert guard.in_database(connection) == []
    for symbol in SYMBOLS:
        connection.execute(TICK, [symbol.name])
    assert guard.in_database(connection) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (TICK.replace("%s", "'ESH4'"), "3 rows of market.trade, of ESH4"),
        (
            "insert into market.quote_superseded select 1, 'ESH4', now(), 1, 1, 1, 1, 1, now(),"
            " null, null, null, now(), 'cancel'",
            "1 rows of market.quote_superseded, of ESH4",
        ),
        ("call access.set_tenant(7, 'acme')", "tenants 7"),
        ("create table public.orders (id int)", "1 tables of others: public.orders"),
        ("create schema shop create table a (i int)", "1 tables of others: shop.a"),
    ],
    ids=["ticks", "superseded", "a tenant", "a table", "a schema"],
)
def test_other_data_are_named(connection: psycopg.Connection, statement: str, said: str) -> None:
    connection.execute(statement.encode())
    assert guard.in_database(connection) == [said]


def test_many_rows_are_not_all_counted(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "COUNTED", 7)
    for n in range(8):
        connection.execute(TICK, [f"OTHER{n}"])
    (said,) = guard.in_database(connection)
    assert said.startswith("more than 7 rows of market.trade, of OTHER")


def test_a_broker_with_a_demos_topics_and_one_with_others(kafka: str) -> None:
    env = {"KAFKA_BOOTSTRAP": kafka}
    assert guard.on_broker(env) == []
    demos = [f"{tenant}:{symbol.name}" for tenant in TENANTS for symbol in SYMBOLS]
    send(kafka, "trades", *demos)
    send(kafka, "trades.dlq", "1:ESH4")
    send(kafka, "_schemas", "anything")
    assert guard.on_broker(env) == []
    send(kafka, "trades", "7:ESH4")
    send(kafka, "orders", "anything")
    assert guard.on_broker(env) == [
        "1 topics of others: orders",
        "topic trades with messages of 7:ESH4",
    ]
    renamed = {**env, "TRADE_TOPIC": "orders"}
    assert "topic orders with messages of anything" in guard.on_broker(renamed)


def test_make_demo_stops_before_it_writes(database: str, kafka: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TICK, ["ESH4"])
        before = connection.execute("select * from feature.clock").fetchall()
    send(kafka, "invoices", "anything")
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", "YES=no"],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name != "YES"},
            "ENGINE": "given",
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP": kafka,
            "COLUMNS": "200",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the database (given): 3 rows of market.trade, of ESH4" in done.stdout
    assert f"the broker at {kafka}: " in done.stdout
    assert "invoices" in done.stdout
    assert "YES=1 says yes. Nothing was changed" in done.stdout.replace("\n", " ")
    assert AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics.keys() == (
        topics.keys()
    )
    with psycopg.connect(database, autocommit=True) as connection:
        assert connection.execute("select count(*) from market.trade").fetchone() == (3,)
        assert connection.execute("select * from feature.clock").fetchall() == before


def test_beside_other_data_no_history_is_declared(modelled_database: str, kafka: str) -> None:
    """Told to write there: what readers of the other data were told does not change."""
    engine, env = Engine("given", modelled_database), {"KAFKA_BOOTSTRAP": kafka}
    with psycopg.connect(modelled_database, autocommit=True) as connection:
        connection.execute("update feature.clock set live_from = '2020-01-01'")
        connection.execute(TICK, ["SYN_ES"])
        connection.execute(TICK, ["ESH4"])
        assert demo.is_demos(engine, env, yes=True) is False
        demo.publish(modelled_database, history=False)
        live = connection.execute("select live_from = '2020-01-01' from feature.clock").fetchone()
        assert live == (True,)
        published = connection.execute("select count(*) > 0 from feature.log").fetchone()
        assert published == (True,)


@pytest.mark.parametrize("answer", ["", "no", "y"])
def test_on_a_terminal_it_asks(
    database: str, kafka: str, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table if not exists public.orders (id int)")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    engine, env = Engine("given", database), {"KAFKA_BOOTSTRAP": kafka}
    with pytest.raises(NotAgreed, match="the answer was not yes"):
        demo.is_demos(engine, env, yes=False)
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert demo.is_demos(engine, env, yes=False) is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nope.csv"], "nope.csv"),
        (["--data", "README.md", "--map", "nope.toml"], "nope.toml"),
        (["--data", "README.md"], "README.md"),
    ],
    ids=["no file", "no mapping", "none that fits"],
)
def test_files_are_checked_before_anything_is_started(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "start", lambda: pytest.fail("the engine was started"))
    assert demo.main(arguments) == 1
    assert said in capsys.readouterr().out


def test_files_that_fit_go_on_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Started(Exception):
        pass

    def start() -> None:
        raise Started

    monkeypatch.setattr(demo, "start", start)
    with pytest.raises(Started):
        demo.main(["--data", "examples/ticks.csv", "--map", "examples/ticks.toml"])


def test_quotes_alone_are_shown_where_they_make_bars(connection: psycopg.Connection) -> None:
    quote = (
        "insert into market.quote (tenant_id, symbol, ts, seq, bid, ask, known_at)"
        " values (1, %s, now(), 1, 1, 1.1, now())"
    )
    for kind in ("trade", "quote"):
        connection.execute(f"delete from market.{kind}".encode())
    connection.execute(quote, ["SYN_ES"])
    with pytest.raises(demo.StepFailed, match=r"no trade was stored.*bars_from quote"):
        demo.require_bars(connection)
    connection.execute(quote, ["USDJPY"])
    demo.require_bars(connection)


def test_a_trade_makes_a_bar(connection: psycopg.Connection) -> None:
    connection.execute(TICK, ["SYN_ES"])
    demo.require_bars(connection)
