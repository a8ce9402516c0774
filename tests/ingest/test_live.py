"""From Kafka to psql by itself: ticks of now, an ingester, and nobody who calls anything."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.__main__ import psql_path
from engine.dbt import environment
from ingest.config import Config
from ingest.wire.producer import TickProducer

ROOT = Path(__file__).resolve().parents[2]
MINUTE = timedelta(minutes=1)
DUE = timedelta(seconds=30)
LAST = "select close, volume, bucket, known_at from feature.log where symbol = 'SYN_BTCUSD'"


@pytest.fixture(scope="module")
def database(modelled_database: str) -> str:
    """With dbt's models, without which nothing is published; its jobs run as they do anywhere."""
    return modelled_database


@pytest.fixture
def ingester(config: Config) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m ingest run`, as the README says."""
    settings = {
        "DATABASE_URL": config.database_url,
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "KAFKA_GROUP": config.kafka_group,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
    }
    command = [sys.executable, "-m", "ingest", "run"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings)
    yield process
    process.terminate()
    process.wait(30)


def now(url: str) -> datetime:
    """The server's clock, by which a minute ends."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0].astimezone(UTC)


def psql(url: str, query: str) -> str:
    """What psql prints."""
    return subprocess.run(
        [psql_path(), "-XAtc", query],
        env=environment(url) | {"PGTZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_bar_of_now_is_in_psql_within_30_seconds_of_its_close(
    config: Config, ingester: subprocess.Popen[bytes], trade: Callable[..., dict[str, Any]]
) -> None:
    url = config.database_url
    began = now(url)
    if began.second > 45:
        time.sleep(61 - began.second)
    ts = now(url)
    with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as ticks:
        for seq, price in enumerate((100.0, 107.5)):
            at = int(ts.timestamp() * 1_000_000) + seq
            tick = trade(seq, symbol="SYN_BTCUSD", ts=at, known_at=at, price=price, size=2.0)
            ticks.send("trade", tick)
    bucket = ts.replace(second=0, microsecond=0)
    while not (found := psql(url, LAST)):
        assert ingester.poll() is None
        assert now(url) < bucket + MINUTE + 2 * DUE, "the bar never came"
        time.sleep(0.5)
    close, volume, of, known = found.split("|")
    assert (close, volume, datetime.fromisoformat(of)) == ("107.5", "4", bucket)
    assert datetime.fromisoformat(known) <= bucket + MINUTE + DUE
    queue = psql(url, "select count(*) from feature.changed_bar where symbol = 'SYN_BTCUSD'")
    assert queue == "0"
