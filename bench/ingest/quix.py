"""The peer's process: `python -m bench.ingest.quix URL BOOTSTRAP TOPIC NUMBER own|copy`.

At least once, as Quix Streams offers. Batches as large as ours; a cluster's topic has no schema
registry here, so the five bytes of the frame are cut off before its own Avro deserializer.
"""

from __future__ import annotations

import sys
import uuid
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from quixstreams import Application
from quixstreams.models.serializers.avro import AvroDeserializer
from quixstreams.sinks import BatchingSink, SinkBatch
from quixstreams.sinks.community.postgresql import PostgreSQLSink

from bench.ingest.peer import COLUMNS
from ingest.kinds import TRADE

COMMIT_EVERY = 10_000
FRAME = 5


class Framed(AvroDeserializer):  # type: ignore[misc]
    """Avro behind Confluent's frame; times become datetimes, which psycopg2 takes."""

    def __call__(self, value: bytes, ctx: Any) -> Any:
        """Decode one message."""
        record = super().__call__(value[FRAME:], ctx)
        del record["action"]
        return record


class CopySink(BatchingSink):  # type: ignore[misc]
    """COPY into a temporary table, then INSERT ... ON CONFLICT DO NOTHING."""

    def __init__(self, url: str) -> None:
        """url: the database."""
        super().__init__()
        self._url = url

    def setup(self) -> None:
        """Connect."""
        self._connection = psycopg.connect(self._url)
        self._connection.execute(
            "create temporary table incoming (like quix_trade) on commit delete rows"
        )
        self._connection.commit()

    def write(self, batch: SinkBatch) -> None:
        """Write what one partition has brought since the last commit, in one transaction."""
        with self._connection.transaction():
            cursor = self._connection.cursor()
            with cursor.copy("copy incoming from stdin") as copy:
                for item in batch:
                    copy.write_row([item.value[name] for name in COLUMNS])
            cursor.execute("insert into quix_trade select * from incoming on conflict do nothing")


def own_sink(url: str) -> PostgreSQLSink:
    """Quix Streams' own sink, inserting with ON CONFLICT DO NOTHING."""
    info = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return PostgreSQLSink(
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


def main(url: str, bootstrap: str, topic: str, number: int, sink: str) -> None:
    """Consume that many trades and end."""
    with TemporaryDirectory() as state:
        application = Application(
            broker_address=bootstrap,
            consumer_group=f"quix_{uuid.uuid4().hex[:8]}",
            auto_offset_reset="earliest",
            auto_create_topics=False,
            commit_every=COMMIT_EVERY,
            state_dir=state,
            loglevel="WARNING",
        )
        trades = application.topic(topic, value_deserializer=Framed(schema=TRADE.schema))
        application.dataframe(trades).sink(own_sink(url) if sink == "own" else CopySink(url))
        application.run(count=number, collect=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
