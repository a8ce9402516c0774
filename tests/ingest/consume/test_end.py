"""What `python -m ingest run --until-end` says at its end of what nobody sees yet."""

from dataclasses import replace

import psycopg
import pytest

from engine import history
from ingest.config import Config
from ingest.consume import run
from tests.ingest.consume.test_run import Make, produce


def test_the_end_says_what_waits_for_a_backfill_and_what_has_no_trades(
    config: Config,
    trade: Make,
    quote: Make,
    bar: Make,
    database: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The jobs run, or do not: either way it is said."""
    config = replace(config, topics={**config.topics, "bar": f"bars_{config.kafka_group}"})
    with psycopg.connect(database) as connection:
        connection.execute("update market.instrument set bars_from = 'bar' where symbol = 'SYN_GC'")
    produce(
        config,
        *(("trade", trade(60 * minute, symbol="SYN_CL")) for minute in range(3)),
        ("trade", trade(1, symbol="SYN_CL")),
        ("quote", quote(0, symbol="SYN_CL")),
        ("quote", quote(0, symbol="SYN_NQ")),
        # its bars are made of quotes
        *(("quote", quote(60 * minute, symbol="USDJPY")) for minute in range(2)),
        # its bars are a vendor's, and those of SYN_ES are not
        ("trade", trade(0, symbol="SYN_GC")),
        ("bar", bar(0, symbol="SYN_ES")),
    )
    environment = {
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "KAFKA_GROUP": config.kafka_group,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
        "BAR_TOPIC": config.topics["bar"],
    }
    # signals are the whole process's
    monkeypatch.setattr(run, "stop_on_signals", lambda _: None)
    assert run.main(["--until-end"], environment, lambda: database) == 0
    said = capsys.readouterr().out.splitlines()
    with psycopg.connect(database) as connection:
        ((day, after),) = connection.execute(
            "select min(ts)::date::text, (min(ts)::date + 1)::text from market.trade"
            " where symbol = 'SYN_CL'"
        ).fetchall()
    assert said[0].startswith("10 messages: 10 applied")
    expected = [
        f"history: 5 bars of 2 series wait for: call feature.backfill('{day}', '{after}')",
        "quotes alone make no bar: without a trade so far: SYN_NQ of tenant 1. For bars of "
        "their mids set bars_from to quote in seeds/instrument.csv, run make migrate, then call "
        "feature.backfill()",
        "trades and quotes make no bar where bars_from is bar: without a vendor's bar so far: "
        "SYN_GC of tenant 1. For bars of its trades set bars_from to trade in "
        "seeds/instrument.csv, run make migrate, then call feature.backfill()",
        "a vendor's bars make features where bars_from is bar: of SYN_ES of tenant 1 set it so in "
        "seeds/instrument.csv, run make migrate, then call feature.backfill()",
    ]
    assert said[1:] == expected
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("call feature.publish()")
        assert history.waiting(connection) == expected
