"""The demo and its report follow the contract: a field more or one less, without new code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo import contract as contracts
from demo import queries
from demo.report import page as assembly
from demo.report import queries as of_report
from demo.report.pack import pack
from demo.report.read import CAUSES, versions
from tests.contracts import RSI, contract
from tests.demo.browsing import Page, chromium

STARTS = datetime(2026, 3, 4, tzinfo=UTC)
STARTS_US = int(STARTS.timestamp()) * 1_000_000
MINUTE = 60_000_000
BARS = 40
PANELS = ["price", "volume", "order_imbalance", "volatility_1h", "spread_bps"]
WORD = {**RSI, "field": "session", "data_type": "text", "unit": "early, main, late, closed"}
WORDS = ["volatile", "trend_up", "trend_down", "range"]


def described(*without: str, more: dict[str, str] | None = None) -> Any:
    """A contract as the demo reads it of a database."""
    return [
        contracts.described(
            {
                **{name: line[name] for name in ("field", "data_type", "unit", "formula")},
                "is_derived": bool(line["inputs"]),
                "is_window": "close" in line["inputs"].split(),
                "due_s": int(line["available_after_s"]),
                "stale_s": int(line["max_staleness_s"]),
            }
        )
        for line in contract(*without, more=more)
        if line["feature_set"] == "market_1m"
    ]


def promised() -> list[dict[str, Any]]:
    """The lines of all sets as the report's table has them."""
    return [
        {
            **{name: line[name] for name in ("feature_set", "field", "unit", "formula")},
            "grain": "any",
            "due_s": int(line["available_after_s"]),
            "stale_s": int(line["max_staleness_s"]),
        }
        for line in contract()
    ]


def test_what_the_terminal_shows_of_todays_contract() -> None:
    fields = described()
    assert contracts.lead(fields) == "close"
    assert contracts.listed(fields) == [
        *("close", "volume", "vwap", "sma_20", "volatility_1h", "regime_tag", "spread_bps"),
        "order_imbalance",
    ]
    assert contracts.compared(fields) == ["close", "vwap", "sma_20", "volatility_1h", "regime_tag"]


def test_the_queries_have_a_field_more_and_without_the_close_another_leads() -> None:
    more = described(more=RSI)
    names = [one["field"] for one in more]
    for query in (queries.newest(more), queries.restated(more), of_report.versions(names)):
        assert '."rsi_14"' in query.as_string()
    less = described("close")
    assert contracts.lead(less) == "low"
    names = [one["field"] for one in less]
    for query in (queries.newest(less), queries.restated(less), of_report.versions(names)):
        assert '."close"' not in query.as_string()


def test_a_word_that_its_unit_does_not_name_is_told_too() -> None:
    fields = described()
    values = [tuple("calm" if one["kind"] == "word" else 1.0 for one in fields)]
    columns, words = versions([(STARTS_US, STARTS_US, "late", *row) for row in values], fields)
    assert words == {"regime_tag": [*WORDS, "calm"]}
    assert (columns["regime_tag"].tolist(), columns["cause"].tolist()) == ([4.0], [1.0])
    assert versions([], fields)[1] == {"regime_tag": WORDS}


def report(path: Path, fields: Any) -> None:
    """The page of forty bars, the last of which was restated."""

    def value(one: Any, bar: int) -> Any:
        if one["kind"] == "word":
            return one["words"][bar // 10]
        return 0.5 if one["bounds"] else 100.0 + bar

    found = [
        *(
            (
                *(STARTS_US + bar * MINUTE, STARTS_US + (bar + 1) * MINUTE, "close"),
                *(value(one, bar) for one in fields),
            )
            for bar in range(BARS)
        ),
        (
            *(STARTS_US + (BARS - 1) * MINUTE, STARTS_US + (BARS + 5) * MINUTE, "late"),
            *(value(one, BARS - 1 if one["kind"] == "word" else 55) for one in fields),
        ),
    ]
    columns, words = versions(found, fields)
    day = {
        **{"tenant_id": 1, "symbol": "ESH6", "description": "", "venue": "", "currency": "USD"},
        **{"tick_size": 0.25, "zone": "UTC", "starts_us": STARTS_US, "names": list(columns)},
        **{"words": words, "versions": len(found), "sessions": None, "earlier": [], "events": []},
        **{"levels": [], "sentences": [], "counts": {}, "refused": []},
        "served": [["2026-03-04", fields[-1]["field"], *[value(fields[-1], 1)] * 3]],
    }
    facts = {
        **{"days": [[1, "ESH6", f"{STARTS:%Y-%m-%d}"]], "made_us": STARTS_US, "left_out": 0},
        **{"contract": fields, "lead": contracts.lead(fields), "causes": CAUSES},
        **{"reach": {"minutes": 60, "bars": 20}, "refused": [], "verdict": ""},
        **{"sets": promised(), "models": []},
        "published_us": STARTS_US + (BARS + 10) * MINUTE,
    }
    packed = [pack(day, list(columns.values()))]
    path.write_text(assembly.assemble(facts, packed, "made up", STARTS), encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(
    ("without", "more", "panels"),
    [
        ((), None, PANELS),
        ((), RSI, [*PANELS, "rsi_14"]),
        ((), {**RSI, "field": "microprice", "unit": "price"}, PANELS),
        ((), {**RSI, "field": "trades", "unit": "units"}, [*PANELS[:3], "trades", *PANELS[3:]]),
        (("volatility_1h",), None, [*PANELS[:3], "spread_bps"]),
        (("regime_tag",), None, PANELS),
        (("close",), None, PANELS),
        # there is one word behind its number already
        (("spread_bps", "order_imbalance"), WORD, ["price", "volume", "volatility_1h", "session"]),
        (("open", "high", "low", "close", "vwap", "sma_20"), None, PANELS[1:]),
    ],
    ids=[
        *("today", "rsi_14", "microprice", "trades", "no volatility", "no regime", "no close"),
        *("two words", "no prices"),
    ],
)
def test_the_report_draws_what_the_contract_has(
    browser: Any,
    tmp_path: Path,
    without: tuple[str, ...],
    more: dict[str, str] | None,
    panels: list[str],
) -> None:
    fields = described(*without, more=more)
    report(tmp_path / "report.html", fields)
    page = Page(browser, tmp_path / "report.html").open("asof=last&known=last")
    assert page.run("return chart.dataset.panels").split() == panels
    names = [one["field"] for one in fields]
    shown = page.moment()[3]
    assert list(shown) == names
    assert all(shown[name][1] != "–" for name in names)
    readout = "return [...document.querySelectorAll('#readout dt')].map((one) => one.textContent)"
    assert page.run(readout) == ["bar", *names]
    changed = "return [...document.querySelectorAll('#why li:last-child td:first-child')].map("
    assert page.run(f"{changed}(one) => one.textContent)") == [
        one["field"] for one in fields if one["kind"] != "word" and not one["bounds"]
    ]
    listed = "return [...document.querySelectorAll('#contract tbody tr')].map("
    assert page.run(f"{listed}(one) => [one.dataset.set, one.dataset.field])") == [
        [one["feature_set"], one["field"]] for one in promised()
    ]
    if more == RSI:
        assert shown["rsi_14"][1] == "0.50"
    assert page.severe() == []
