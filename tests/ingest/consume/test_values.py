"""What a tick's values may be, between a real broker and a real database."""

import psycopg
import pytest

from ingest import reference
from ingest.config import Config
from ingest.consume.run import open_ingester
from tests.ingest.consume.test_run import Make, Query, consume, produce


def test_a_symbol_may_trade_below_zero_from_when_its_instrument_says_so(
    config: Config, trade: Make, database: str, monkeypatch: pytest.MonkeyPatch, query: Query
) -> None:
    monkeypatch.setattr(reference, "REREAD_S", 0.0)
    topic = config.topics["trade"]
    prices = [10.0, 0.01, 0.0, -0.01, -37.63, -40.32, 1.0]
    crude = [
        ("trade", trade(5000 + place, symbol="SYN_CL", price=price))
        for place, price in enumerate(prices)
    ]
    produce(config, *crude)
    with open_ingester(config) as ingester:
        ingester.run_until_end()
        assert (ingester.counts.refused, ingester.counts.applied) == ({"negative_price": 4}, 3)
        ((message,),) = query(
            "select last_message from market.dead_letter_count where topic = %s", topic
        )
        assert message.startswith("price=-40.32 in trade of 'SYN_CL'")
        assert "set allows_negative_price in its line of seeds/instrument.csv" in message
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "update market.instrument set allows_negative_price = true where symbol = 'SYN_CL'"
            )
        produce(config, *crude, ("trade", trade(5900, symbol="SYN_CL", price=float("nan"))))
        ingester.run_until_end()
        assert (ingester.counts.applied, ingester.counts.duplicates) == (7, 3)
        assert ingester.counts.refused == {"negative_price": 4, "not_a_number": 1}


def test_feeds_words_for_no_value_are_dead_letters_and_stop_nothing(
    config: Config, trade: Make, quote: Make
) -> None:
    """What the database would not add up: Interactive Brokers' "unset", and as bad ones."""
    unset = 1.7976931348623157e308
    bad = [{"price": 1e200, "size": 1e200}, {"price": unset}, {"size": 1e308}, {"price": 5e-324}]
    produce(
        config,
        *(("trade", trade(6000 + place, **values)) for place, values in enumerate(bad)),
        *(("quote", quote(6000 + place, ask=ask)) for place, ask in enumerate([unset, 1e305])),
        ("trade", trade(6100)),
    )
    counts = consume(config)
    assert (counts.applied, counts.refused) == (1, {"out_of_range": 6})


def test_what_a_retention_would_delete_is_a_dead_letter_that_names_it(
    config: Config, trade: Make, database: str, monkeypatch: pytest.MonkeyPatch, query: Query
) -> None:
    """An ingester that runs takes up what an operator changes."""
    monkeypatch.setattr(reference, "RENEW_S", 0.0)
    old = trade(7000)
    with (
        psycopg.connect(database, autocommit=True) as connection,
        open_ingester(config) as ingester,
    ):
        produce(config, ("trade", old))
        ingester.run_until_end()
        assert ingester.counts.applied == 1
        connection.execute(
            "insert into market.policy_setting (relation, policy, span, reason)"
            " values ('trade', 'retention', '30 days', 'a small disk')"
        )
        try:
            produce(config, ("trade", trade(7001)))
            ingester.run_until_end()
        finally:
            connection.execute("delete from market.policy_setting where policy = 'retention'")
        assert (ingester.counts.applied, ingester.counts.refused) == (1, {"beyond_retention": 1})
        ((message,),) = query(
            "select last_message from market.dead_letter_count where topic = %s",
            config.topics["trade"],
        )
        assert "retention of its table in market.policy_setting" in message
        produce(config, ("trade", trade(7001)))
        ingester.run_until_end()
        assert ingester.counts.applied == 2
