"""The report: one HTML file that needs no network."""

import html
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from plotly import graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

REGIME_COLOURS = {
    "volatile": "rgba(214, 69, 65, 0.18)",
    "trend_up": "rgba(38, 145, 90, 0.18)",
    "trend_down": "rgba(219, 143, 33, 0.18)",
    "range": "rgba(120, 130, 145, 0.12)",
}
BAR = timedelta(minutes=1)
Row = Mapping[str, Any]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1180px; padding: 1rem;
  color: #1c2430; background: #fff; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
.label {{ background: #fff4d6; border-left: 4px solid #db8f21; padding: .5rem .8rem; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #e3e7ec; }}
th:first-child, td:first-child {{ text-align: left; }} td.text, th.text {{ text-align: left; }}
.ok {{ color: #1d7a4a; }} .late {{ color: #b3261e; font-weight: 600; }}
.key span {{ display: inline-block; padding: 0 .6rem; margin-right: .4rem; }}
select {{ font: inherit; padding: .2rem .4rem; }}
</style><script>{plotly}</script></head><body>
<h1>{title}</h1><p>{subtitle}</p><p class="label">{label}</p>
<h2><label for="series">Tenant and symbol</label> <select id="series">{options}</select></h2>
<p class="key">Regime: {key}</p>
<div id="chart" style="height: 900px"></div>
<h2>Freshness against the contract</h2>
<p>A bar is in time when the last tick it is made from was known no later than the contract allows
after the bar's close.</p>{freshness}
<h2>One moment, three readers</h2>
<p id="served">{served_verdict}</p>{served}
<h2>What was rejected, and why</h2>{rejected}
<h2>What arrived</h2>{counts}
<script>
const figures = {figures};
const chart = document.getElementById("chart");
const series = document.getElementById("series");
const show = () => {{
  const figure = figures[series.value];
  if (!figure) {{
    chart.textContent = "No bar has closed: features need trades.";
    return;
  }}
  Plotly.react(chart, figure.data, figure.layout, {{responsive: true, displaylogo: false}});
}};
series.addEventListener("change", show);
show();
</script></body></html>
"""


def write(
    path: Path,
    *,
    title: str,
    subtitle: str,
    label: str,
    series: Mapping[str, Sequence[Row]],
    freshness: Sequence[Row],
    rejected: Sequence[Row],
    counts: Sequence[Row],
    served: Sequence[Row],
) -> None:
    """Write the report to path.

    series: feature rows by "tenant N, SYMBOL", oldest first, with the columns of queries.FEATURES.
    freshness, rejected, counts: rows of the queries of those names. served: rows of
    demo.served.compare(). label says where data is from.
    """
    figures = {name: figure(rows).to_plotly_json() for name, rows in series.items()}
    options = "".join(f"<option>{html.escape(name)}</option>" for name in series)
    key = "".join(
        f'<span style="background: {colour}">{name}</span>'
        for name, colour in REGIME_COLOURS.items()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        PAGE.format(
            title=html.escape(title),
            subtitle=html.escape(subtitle),
            label=html.escape(label),
            plotly=get_plotlyjs(),
            options=options,
            key=key,
            figures=_script_json(figures),
            freshness=_table(_with_verdict(freshness)),
            rejected=_table(rejected),
            counts=_table(counts),
            served_verdict=html.escape(verdict(served)),
            served=_table(_first_series(served)),
        ),
        encoding="utf-8",
    )


def verdict(served: Sequence[Row]) -> str:
    """How many of the values are the same from psql, offline and online, in a sentence."""
    equal = sum(row["psql"] == row["offline"] == row["online"] for row in served)
    return (
        f"{equal:,} of {len(served):,} values are the same, to the bit, from "
        "feature_pit_snapshot() in psql, from Feast's training set and from the online store."
    )


def _first_series(served: Sequence[Row]) -> list[dict[str, Any]]:
    """One series' rows, with whether the three are the same; a difference of any other, too."""
    rows = [
        {
            "field": row["field"],
            "tenant and symbol": f"{row['tenant_id']}, {row['symbol']}",
            "as of": str(row["as_of"]),
            **{name: _exact(row[name]) for name in ("psql", "offline", "online")},
            "same": "yes" if row["psql"] == row["offline"] == row["online"] else "no",
        }
        for row in served
    ]
    first = rows[0]["tenant and symbol"] if rows else None
    return [row for row in rows if row["tenant and symbol"] == first or row["same"] == "no"]


def _exact(value: Any) -> str:
    """A double with all its digits."""
    return "NULL" if value is None else str(value)


def figure(rows: Sequence[Row]) -> go.Figure:
    """Candles, sma_20, volume, volatility_1h with regime bands and spread on one time axis."""
    at = [row["bucket"].isoformat() for row in rows]
    column = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    drawn = make_subplots(
        rows=4,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.03,
        row_heights=[0.46, 0.14, 0.22, 0.18],
        subplot_titles=("price and sma_20", "volume", "volatility_1h (fraction)", "spread_bps"),
    )
    prices = {name: column.get(name) for name in ("open", "high", "low", "close")}
    drawn.add_trace(go.Candlestick(x=at, name="price", **prices), row=1, col=1)
    for name, at_row in (("sma_20", 1), ("volatility_1h", 3), ("spread_bps", 4)):
        drawn.add_trace(
            go.Scatter(x=at, y=column.get(name), name=name, line={"width": 1.4}), row=at_row, col=1
        )
    drawn.add_trace(go.Bar(x=at, y=column.get("volume"), name="volume"), row=2, col=1)
    drawn.update_layout(
        template="plotly_white",
        margin={"l": 60, "r": 20, "t": 40, "b": 30},
        legend={"orientation": "h", "y": 1.06},
        shapes=_regime_bands(rows),
    )
    drawn.update_xaxes(rangeslider_visible=False)
    return drawn


def _regime_bands(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One rectangle behind the volatility for each run of bars with the same regime_tag."""
    bands: list[dict[str, Any]] = []
    previous = None
    for row in rows:
        tag, at = row["regime_tag"], row["bucket"].isoformat()
        closed = (row["bucket"] + BAR).isoformat()
        if tag is not None and tag == previous:
            bands[-1]["x1"] = closed
        elif tag is not None:
            band = {"type": "rect", "xref": "x3", "yref": "y3 domain", "y0": 0, "y1": 1}
            style = {"fillcolor": REGIME_COLOURS[tag], "line": {"width": 0}, "layer": "below"}
            bands.append({**band, **style, "x0": at, "x1": closed, "name": tag})
        previous = tag
    return bands


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    from plotly.utils import PlotlyJSONEncoder

    return json.dumps(value, cls=PlotlyJSONEncoder).replace("</", "<\\/")


def _with_verdict(freshness: Sequence[Row]) -> list[dict[str, Any]]:
    found = []
    for row in freshness:
        share = row["bars_in_time"] / row["bars"]
        verdict = "in time" if row["p99_late_s"] <= row["available_after_s"] else "late at p99"
        found.append({**row, "share_in_time": f"{share:.2%}", "verdict": verdict})
    return found


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "<p>Nothing.</p>"

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"<td>{value:,.3f}</td>"
        if isinstance(value, int):
            return f"<td>{value:,}</td>"
        mark = {"in time": "ok", "late at p99": "late"}.get(str(value), "")
        mark = f"text {mark}".strip()
        return f'<td class="{mark}">{html.escape(str(value))}</td>'

    head = "".join(
        f'<th class="{"text" if isinstance(value, str) else ""}">{html.escape(name)}</th>'
        for name, value in rows[0].items()
    )
    body = "".join(f"<tr>{''.join(cell(v) for v in row.values())}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
