"""What a database and a broker hold that no demo has put there."""

import csv
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from engine.migrate import BOOKKEEPING
from engine.objects import TABLE
from engine.settings import Env
from ingest.config import StreamConfig
from ingest.errors import KafkaUnavailableError
from ingest.kinds import KINDS
from ingest.replay.synthetic import UNKNOWN_SYMBOL
from ingest.replay.synthetic_market import SYMBOLS, TENANTS
from ingest.wire.topics import ANSWER_S, CLIENT, dead_letter_topic

TENANT_SEED = Path(__file__).resolve().parent.parent / "seeds" / "tenant.csv"
OURS = (
    *("market", "feature", "staging", "intermediate", "audit", "access", "api", "model", "feast"),
    *("timescaledb_information", "timescaledb_experimental", "information_schema"),
)
COUNTED = 100_000
NAMED = 5
# of Kafka, of a Schema Registry, of Apicurio
INTERNAL = ("_", "kafkasql-")

TABLES = """
    select format('%%s.%%s', n.nspname, c.relname)
    from pg_catalog.pg_class as c
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where c.relkind in ('r', 'p', 'f')
        and n.nspname <> all(%(ours)s) and n.nspname !~ '^(pg_|_timescaledb_)'
        and not (n.nspname = 'public' and c.relname = any(%(bookkeeping)s))
        and not exists (
            select from pg_catalog.pg_depend as d
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
    order by 1
"""
OTHER_SYMBOLS = """
    select count(*), (array_agg(distinct t.symbol))[1:%(named)s]
    from (
        select symbol from {table} where symbol <> all(%(symbols)s) limit %(counted)s
    ) as t
"""
WITH_SYMBOLS = (
    *(table for kind in KINDS.values() for table in (kind.table, kind.superseded)),
    "feature.log",
)
OTHER_TENANTS = "select array_agg(tenant_id order by 1) from api.tenant where tenant_id <> all(%s)"
# a demo makes a login, <name>_<8 hex digits>, and keys for a tenant of seeds/tenant.csv
OF_DEMO = """
    select l.login from access.login as l
    inner join market.tenant as t on l.tenant_id = t.tenant_id
    where t.tenant_id = any(%(seeded)s) and l.login ~ ('^' || t.name || '_[0-9a-f]{8}$')
"""
OF_USERS = {
    f"access.login where login not in ({OF_DEMO})": "logins of tenants",
    f"api.api_key where login not in ({OF_DEMO})": "API keys",
    "api.prediction": "predictions",
}


def in_database(connection: psycopg.Connection[Any]) -> list[str]:
    """Say what is there, a line each; nothing where the database is empty or a demo's alone.

    A demo's are the ticks and features of the synthetic day's instruments, and reference rows.
    """
    bookkeeping = [*BOOKKEEPING, TABLE]
    found = connection.execute(TABLES, {"ours": list(OURS), "bookkeeping": bookkeeping}).fetchall()
    lines = [f"{len(found)} tables of others: {_some([t for (t,) in found])}"] if found else []
    arguments = {
        "symbols": [one.name for one in SYMBOLS],
        "named": NAMED + 1,
        "counted": COUNTED + 1,
    }
    for table in filter(lambda one: _is_there(connection, one), WITH_SYMBOLS):
        query = OTHER_SYMBOLS.format(table=table).encode()
        rows, symbols = connection.execute(query, arguments).fetchall()[0]
        if rows:
            number = f"more than {COUNTED:,}" if rows > COUNTED else f"{rows:,}"
            lines.append(f"{number} rows of {table}, of {_some(symbols)}")
    with TENANT_SEED.open() as file:
        seeded = [int(row["tenant_id"]) for row in csv.DictReader(file)]
    for rows_of, what in OF_USERS.items():
        if _is_there(connection, rows_of.partition(" ")[0]):
            query = f"select count(*) from {rows_of}".encode()
            ((rows,),) = connection.execute(query, {"seeded": seeded}).fetchall()
            lines += [f"{rows:,} {what}"] if rows else []
    if _is_there(connection, "api.tenant"):
        ((tenants,),) = connection.execute(OTHER_TENANTS, (seeded,)).fetchall()
        lines += [f"tenants {_some([str(one) for one in tenants])}"] if tenants else []
    return lines


def _is_there(connection: psycopg.Connection[Any], table: str) -> bool:
    return connection.execute("select to_regclass(%s) is not null", (table,)).fetchone() == (True,)


def _some(names: list[str]) -> str:
    return ", ".join([*names[:NAMED], *(["..."] if len(names) > NAMED else [])])


def on_broker(env: Env) -> list[str]:
    """Say which topics are there, a line each; nothing where they are a demo's alone.

    A demo's are the topics of all kinds, as long as their first and last messages are of the
    synthetic day. Raises KafkaUnavailableError.
    """
    config = StreamConfig.from_env(env)
    ours = list(config.topics.values())
    dead = [dead_letter_topic(topic) for topic in ours]
    try:
        admin = AdminClient({"bootstrap.servers": config.kafka_bootstrap, **CLIENT})
        topics = admin.list_topics(timeout=ANSWER_S).topics
        others = sorted(t for t in topics if t not in (*ours, *dead) and not t.startswith(INTERNAL))
        lines = [f"{len(others)} topics of others: {_some(others)}"] if others else []
        for topic in ours:
            if topic in topics:
                keys = _keys(config.kafka_bootstrap, topic, list(topics[topic].partitions))
                strange = sorted(keys - _demo_keys())
                lines += [f"topic {topic} with messages of {_some(strange)}"] if strange else []
    except KafkaException as error:
        raise KafkaUnavailableError.at(config.kafka_bootstrap, error.args[0].str()) from None
    return lines


def _demo_keys() -> set[str]:
    symbols = [UNKNOWN_SYMBOL, *(one.name for one in SYMBOLS)]
    return {"malformed", *(f"{tenant}:{symbol}" for tenant in TENANTS for symbol in symbols)}


def _keys(bootstrap: str, topic: str, partitions: list[int]) -> set[str]:
    """Keys of the first and the last message of each partition."""
    consumer = Consumer(
        {
            **CLIENT,
            "bootstrap.servers": bootstrap,
            "group.id": "demo",
            "enable.auto.commit": False,
        }
    )
    found: set[str] = set()
    try:
        for number in partitions:
            ends = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_S)
            first, end = ends or (0, 0)
            for offset in {first, end - 1} if end > first else ():
                consumer.assign([TopicPartition(topic, number, offset)])
                message = consumer.poll(ANSWER_S)
                if message is not None and message.error() is None:
                    key = message.key()
                    found.add("no key" if key is None else bytes(key).decode(errors="replace"))
    finally:
        consumer.close()
    return found
