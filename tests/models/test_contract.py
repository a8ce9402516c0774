"""What stands beside the contract agrees with it; a contract that cannot hold is refused."""

import csv
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import yaml

from engine.errors import EngineUnavailable

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = list(csv.DictReader((ROOT / "seeds" / "smartdb_contract.csv").open()))


@pytest.mark.parametrize("table", ["trade", "quote"])
def test_freshness_follows_from_the_contract(table: str) -> None:
    made_from = [row for row in CONTRACT if (row["field"] == "spread_bps") == (table == "quote")]
    written = yaml.safe_load((ROOT / "models" / "staging" / "sources.yml").read_text())
    tables = {entry["name"]: entry for entry in written["sources"][0]["tables"]}
    freshness = tables[table]["config"]["freshness"]
    warn = math.ceil(max(int(row["available_after_s"]) for row in made_from) / 60)
    error = min(int(row["max_staleness_s"]) for row in made_from) // 60
    assert freshness["warn_after"] == {"count": warn, "period": "minute"}
    assert freshness["error_after"] == {"count": error, "period": "minute"}


def test_every_model_has_its_yml() -> None:
    models = {path.with_suffix("") for path in (ROOT / "models").rglob("*.sql")}
    assert len(models) > 10
    assert [m for m in sorted(models) if not m.with_suffix(".yml").exists()] == []


def test_dbt_builds_with_all_its_tests_and_its_docs(
    database: str, run_dbt: Callable[..., str]
) -> None:
    assert "ERROR=0" in run_dbt(database, "build")
    run_dbt(database, "docs", "generate", "--quiet")


def test_dbt_refuses_a_contract_that_cannot_hold(
    modelled_database: str, run_dbt: Callable[..., str]
) -> None:
    with psycopg.connect(modelled_database) as connection:
        connection.execute("update market.contract set available_after_s = 29 where field = 'vwap'")
        connection.execute("update market.contract set data_type = 'text' where field = 'open'")
        connection.execute(
            "insert into market.trade (tenant_id, symbol, ts, seq, price, size, known_at)"
            " values (1, 'UNKNOWN', '2024-03-05 10:00+00', 0, 1, 1, '2024-03-05 10:00+00')"
        )
        connection.execute("update market.calendar set ends_on = now()::date + 80")
    with pytest.raises(EngineUnavailable) as refused:
        run_dbt(modelled_database, "test", "--select", "test_type:singular")
    for name in [
        "no_field_is_due_before_its_inputs",
        "feature_1m_is_the_contract",
        "every_symbol_is_an_instrument",
    ]:
        assert f"Failure in test {name} " in str(refused.value)
    assert "ERROR=3" in str(refused.value)
    # a calendar that ends soon fails no build
    assert "Warning in test calendars_last_90_days_more " in str(refused.value)


@pytest.mark.parametrize(
    ("calendar", "at", "is_open"),
    [
        ("cme_equity", datetime(2023, 12, 25, 23, 0, tzinfo=UTC), True),
        ("cme_equity", datetime(2023, 12, 25, 22, 59, tzinfo=UTC), False),
        ("cme_equity", datetime(2024, 3, 5, 22, 30, tzinfo=UTC), False),
        ("cme_equity", datetime(2024, 7, 4, 18, 0, tzinfo=UTC), False),
        ("XNYS", datetime(2024, 11, 29, 17, 59, tzinfo=UTC), True),
        ("XNYS", datetime(2024, 11, 29, 18, 0, tzinfo=UTC), False),
        ("XNYS", datetime(2025, 12, 25, 16, 0, tzinfo=UTC), False),
        ("fx_24x5", datetime(2013, 1, 1, 22, 0, tzinfo=UTC), True),
        ("fx_24x5", datetime(2024, 3, 9, 12, 0, tzinfo=UTC), False),
        ("crypto_24x7", datetime(2024, 3, 9, 0, 0, tzinfo=UTC), True),
    ],
)
def test_the_calendars_know_when_a_market_is_open(
    database: str, calendar: str, at: datetime, is_open: bool
) -> None:
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "select count(*) from market.trading_session(%s, %s, %s + interval '1 microsecond')",
            [calendar, at, at],
        ).fetchone()
    assert found == (int(is_open),)
