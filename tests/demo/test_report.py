"""The report's edges: no bar at all, and texts that would break a page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo import report

BAR: dict[str, Any] = {
    "bucket": datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap", "sma_20"), 1.0),
    **dict.fromkeys(("volatility_1h", "spread_bps", "order_imbalance")),
    "regime_tag": "range",
}


def page(
    path: Path,
    series: dict[str, list[dict[str, Any]]],
    label: str = "made up",
    served: list[dict[str, Any]] | None = None,
) -> str:
    report.write(
        path / "report.html",
        title="t",
        subtitle="s",
        label=label,
        series=series,
        freshness=[],
        rejected=[],
        counts=[],
        served=served or [],
    )
    return (path / "report.html").read_text().partition("</script></head>")[2]


def test_a_day_without_bars_says_so(tmp_path: Path) -> None:
    text = page(tmp_path, {})
    assert "const figures = {};" in text
    assert text.count("Nothing.") == 4


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    text = page(tmp_path, {"</script><b>": [BAR]}, label="<i>")
    assert "</script><b>" not in text
    assert "<option>&lt;/script&gt;&lt;b&gt;</option>" in text
    assert "&lt;i&gt;" in text


def test_a_regime_band_spans_its_bars_to_their_close() -> None:
    later = {**BAR, "bucket": datetime(2026, 3, 2, 10, 1, tzinfo=UTC)}
    (band,) = report.figure([BAR, later]).layout.shapes
    assert (band.x0, band.x1) == ("2026-03-02T10:00:00+00:00", "2026-03-02T10:02:00+00:00")


def test_readers_that_differ_are_counted_and_shown(tmp_path: Path) -> None:
    at = BAR["bucket"]

    def row(symbol: str, online: float | None) -> dict[str, Any]:
        values = {"psql": 0.1, "offline": 0.1, "online": online}
        return {"tenant_id": 1, "symbol": symbol, "as_of": at, "field": "close", **values}

    text = page(tmp_path, {}, served=[row("A", 0.1), row("B", 0.1), row("C", 0.1 + 2e-17 + 1e-16)])
    assert "2 of 3 values are the same" in text
    assert text.count('<td class="text">1, A</td>') == 1, "the first series is shown"
    assert "1, B" not in text, "others only where they differ"
    assert '<td class="text">1, C</td>' in text
    assert "0.10000000000000012" in text
