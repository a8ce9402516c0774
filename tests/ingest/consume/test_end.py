"""What `python -m ingest run --until-end` says at its end of what nobody sees yet."""

import psycopg
import pytest

from ingest.config import Config
from ingest.consume import run
from tests.ingest.consume.test_run import Make, produce


def test_the_end_says_what_waits_for_a_backfill_and_what_has_no_trades(
    config: Config,
    trade: Make,
    quote: Make,
    database: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The jobs run, or do not: either way it is said."""
    produce(
        config,
        *(("trade", trade(60 * minute, symbol="SYN_CL")) for minute in range(3)),
        ("trade", trade(1, symbol="SYN_CL")),
        ("quote", quote(0, symbol="SYN_CL")),
        ("quote", quote(0, symbol="SYN_NQ")),
        # its bars are made of quotes
        *(("quote", quote(60 * minute, symbol="USDJPY")) for minute in range(2)),
    )
    environment = {
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "KAFKA_GROUP": config.kafka_group,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
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
    assert said[0].startswith("8 messages: 8 applied")
    assert said[1:] == [
        f"history: 5 bars of 2 series wait for: call feature.backfill('{day}', '{after}')",
        "quotes alone make no bar: without a trade so far: SYN_NQ of tenant 1. For bars of "
        "their mids set bars_from to quote in seeds/instrument.csv, run make migrate, then call "
        "feature.backfill()",
    ]
