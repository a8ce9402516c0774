"""A declaration says all that a model is, and each mistake in it is named."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from training import declaration
from training.bundle import Column
from training.declaration import MODELS, parse, read
from training.errors import DeclarationError

TEXT = (MODELS / "direction_5m.toml").read_text()
LABEL = (MODELS / "direction_5m.sql").read_text()


def refused(old: str, new: str) -> str:
    assert old in TEXT
    with pytest.raises(DeclarationError) as raised:
        parse("direction_5m", TEXT.replace(old, new), LABEL)
    return str(raised.value)


def test_the_shipped_models_are_what_they_say() -> None:
    assert declaration.names() == ["direction_5m", "direction_5m_linear"]
    found = read("direction_5m")
    assert found.sets == ("market_1m", "momentum_1m")
    assert found.columns[1] == Column(
        "market_1m", "regime_tag", ("range", "trend_down", "trend_up", "volatile")
    )
    assert found.horizon == timedelta(minutes=5)
    assert found.learner.name == "lightgbm"
    other = read("direction_5m_linear")
    assert other.learner.name == "logistic_regression"
    # the same question, asked in the same way
    assert (other.columns, other.label, other.symbols) == (
        found.columns,
        found.label,
        found.symbols,
    )
    assert _statements(other.label_sql) == _statements(found.label_sql)


def _statements(query: str) -> str:
    return "\n".join(line for line in query.splitlines() if not line.startswith("--"))


def test_a_period_is_the_newest_rows_or_from_and_to() -> None:
    dated = TEXT.replace(
        "newest_rows = 10000", "from = 2026-01-05T01:00:00+01:00\nto = 2026-01-06T00:00:00Z"
    )
    period = parse("m", dated, LABEL).period
    assert (period.since, period.until) == (
        datetime(2026, 1, 5, tzinfo=UTC),
        datetime(2026, 1, 6, tzinfo=UTC),
    )
    assert period.newest_rows > 10**6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"market_1m.spread_bps"', '"market_1m.sprad"', "market_1m has no field 'sprad': it has"),
        ('"market_1m.spread_bps"', '"markt.close"', "'markt.close' is of no set: there are daily"),
        ('"market_1m.spread_bps"', '"momentum_1m.rsi_14"', "names momentum_1m.rsi_14 twice"),
        ('"market_1m.regime_tag" = [', '"market_1m.vwap" = [', "market_1m.vwap, which is no col"),
        (
            '"market_1m.regime_tag" = ["range", ',
            '"momentum_1m.rsi_14" = ["range", ',
            "market_1m.regime_tag is a text: list each of its values",
        ),
        ("tenant_id = 1", "tenant_id = 1.5", "universe.tenant_id is 1.5; write a whole number"),
        ("tenant_id = 1", "tenant_id = true", "universe.tenant_id is True; write a whole number"),
        ("tenant_id = 1", "tenant_id = 0", "universe.tenant_id is 0; write a number from 1"),
        ("tenant_id = 1\n", "", r"lacks tenant_id in \[universe\]"),
        ('"SYN_NQ"', '"SYN_ES"', "list each symbol once"),
        ("horizon_s = 300", "horizon_s = nan", "label.horizon_s is nan; write a number from 1"),
        ("horizon_s = 300", "horizon_s = 0", "label.horizon_s is 0; write a number from 1"),
        ("embargo_s = 60", "embargo_s = -1", "split.embargo_s is -1; write a number from 0"),
        ("folds = 4", "folds = 0", "split.folds is 0; write a number from 1 to 100"),
        ("folds = 4", "fold = 4", r"nobody reads split.fold; a model has \[universe\]"),
        ("[split]", "[splits]", "nobody reads splits"),
        ('name = "lightgbm"', 'name = "xgboost"', "use one of lightgbm, logistic_regression"),
        ("num_leaves = 7", "num_threads = 8", "not num_threads; what makes it deterministic"),
        ("num_leaves = 7", 'num_leaves = "x"', "learner.parameters.num_leaves is 'x'; write a n"),
        ("newest_rows = 10000", "", "says newest_rows, or from and to, or all three"),
        ("newest_rows = 10000", "from = 2026-01-05T00:00:00", "period.from is .* with its zone"),
        (
            "newest_rows = 10000",
            "from = 2026-01-06T00:00:00Z\nto = 2026-01-06T00:00:00Z",
            "it is not after from",
        ),
        ('metric = "log_loss"', 'metric = "sharpe"', "use one of log_loss, brier, auc"),
        ('price = "market_1m.close"', 'price = "market_1m.regime_tag"', "regime_tag is a text"),
        ("psi = 0.25", 'psi = "high"', "thresholds.psi is 'high'; write a number"),
        ("psi = 0.25\n", "", r"lacks psi in \[thresholds\]"),
        ("[universe]", "[universe", "is no TOML"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, said: str) -> None:
    found = refused(old, new)
    assert re.search(said, found), found
    assert "direction_5m" in found


@pytest.mark.parametrize("name", ["../x", "", "A", "x" * 64, "direction-5m", "a\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match="is no name: use lower-case"):
        read(name)


def test_a_model_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"no model nobody: .*5m, direction_5m_lin"):
        read("nobody")
    (tmp_path / "half.toml").write_text(TEXT)
    with pytest.raises(DeclarationError, match=r"half has no label: write training/models/half"):
        read("half", tmp_path)
    (tmp_path / "half.sql").write_text(" \n")
    with pytest.raises(DeclarationError, match=r"half\.sql is empty"):
        read("half", tmp_path)
