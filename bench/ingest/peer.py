"""Quix Streams with its own PostgreSQL sink, as its documentation says: the peer.

`python -m bench.ingest.peer URL BOOTSTRAP TOPIC NUMBER` consumes a topic of trades.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ingest.registry import schema_text

ROOT = Path(__file__).resolve().parents[2]
COMMIT_EVERY = 10_000
COMMIT_S = 0.1
COLUMNS = ("tenant_id", "symbol", "ts", "seq", "price", "size", "side", "known_at")
TABLE = """
    create table quix_trade as select {columns} from market.trade with no data;
    alter table quix_trade add unique (tenant_id, symbol, ts, seq);
    select create_hypertable('quix_trade', 'ts', chunk_time_interval => interval '1 day')
"""


def create_table(url: str) -> None:
    """Make the peer's table: market.trade's columns, key and chunks, none of its checks."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists quix_trade")
        connection.execute(TABLE.format(columns=", ".join(COLUMNS)))
        connection.execute("checkpoint")


def drain(url: str, bootstrap: str, topic: str, number: int) -> float:
    """Have the peer consume `number` trades in a process; return trades a second once they flow.

    Raises RuntimeError when it fails.
    """
    command = [sys.executable, "-m", "bench.ingest.peer", url, bootstrap, topic]
    running = subprocess.Popen([*command, str(number)], cwd=ROOT)
    first: tuple[float, int] | None = None
    with psycopg.connect(url, autocommit=True) as connection:
        while running.poll() is None:
            row = connection.execute("select count(*) from quix_trade").fetchone()
            done, now = (row[0] if row else 0), time.monotonic()
            if done and first is None:
                first = now, done
            if done >= number:
                break
            time.sleep(0.1)
    if running.wait(60) != 0 or first is None or done < number or done == first[1]:
        raise RuntimeError("the peer failed: see what it said above")
    return float((done - first[1]) / (now - first[0]))


def consume(url: str, bootstrap: str, topic: str, number: int, directory: str) -> None:
    """Consume that many trades: Avro decoded by fastavro, times as datetimes, then the sink."""
    import fastavro
    from quixstreams import Application
    from quixstreams.sinks.community.postgresql import PostgreSQLSink

    schema = fastavro.parse_schema(json.loads(schema_text("trade")))
    info = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    application = Application(
        broker_address=bootstrap,
        consumer_group=f"quix_{uuid.uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        commit_every=COMMIT_EVERY,
        commit_interval=COMMIT_S,
        auto_create_topics=False,
        state_dir=directory,
        loglevel="WARNING",
    )
    sink = PostgreSQLSink(
        host=info.get("host", "localhost"),
        port=int(info.get("port", "5432")),
        dbname=info["dbname"],
        user=info.get("user", "postgres"),
        password=info.get("password", ""),
        table_name="quix_trade",
        schema_auto_update=False,
        include_metadata=False,
        on_conflict_do_nothing=True,
    )

    def row(payload: bytes) -> dict[str, Any]:
        record: Any = fastavro.schemaless_reader(BytesIO(payload[5:]), schema)
        return {name: record[name] for name in COLUMNS}

    frame = application.dataframe(application.topic(topic, value_deserializer="bytes"))
    frame.apply(row).sink(sink)
    application.run(count=number)


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        consume(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), scratch)
