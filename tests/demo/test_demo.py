"""The demo from end to end on the session's engine, and its report in a real browser."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded import broker as embedded_broker
from embedded import redis as embedded_redis
from tests.conftest import Databases

ROOT = Path(__file__).resolve().parents[2]
EXPECTED_REASONS = {
    "undecodable",
    "not_a_number",
    "negative_price",
    "zero_size",
    "time_in_future",
    "unknown_symbol",
}


class Demo:
    """A finished demo: what it printed, where it wrote, and the database it filled."""

    def __init__(self, output: str, report: Path, url: str) -> None:
        self.output = output
        self.report = report
        self.url = url

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def demo(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo")
    url, drop = databases.create("empty")
    kafka = embedded_broker.start(directory / "kafka")
    redis = embedded_redis.start(directory / "redis")
    report = directory / "report.html"
    finished = subprocess.run(
        [sys.executable, "-m", "demo", "--report", report],
        cwd=ROOT,
        env={
            **os.environ,
            "ENGINE": "given",
            "DATABASE_URL": url,
            "KAFKA_BOOTSTRAP": kafka.bootstrap,
            "REDIS_URL": redis.url,
            "FEAST_REGISTRY": f"sqlite:///{directory / 'registry.db'}",
            "COLUMNS": "200",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    yield Demo(finished.stdout, report, url)
    embedded_broker.stop(directory / "kafka")
    embedded_redis.stop(directory / "redis")
    drop()


def test_the_day_is_as_large_and_as_varied_as_promised(demo: Demo) -> None:
    ((ticks, symbols, tenants),) = demo.rows(
        "select count(*), count(distinct symbol), count(distinct tenant_id) from ("
        " select tenant_id, symbol from market.trade"
        " union all select tenant_id, symbol from market.quote) as tick"
    )
    assert ticks >= 200_000
    assert symbols >= 8
    assert tenants == 2
    assert {cause for (cause,) in demo.rows("select cause from market.trade_superseded")} == {
        "correction",
        "cancel",
    }
    assert demo.rows("select sum(late_trades) > 0 from market.latency_1m") == [(True,)]


def test_every_kind_of_malformed_event_was_refused_with_its_reason(demo: Demo) -> None:
    reasons = {reason for (reason,) in demo.rows("select reason from market.dead_letter")}
    assert reasons >= EXPECTED_REASONS
    for reason in EXPECTED_REASONS:
        assert reason in demo.output


def test_all_four_regimes_appear(demo: Demo) -> None:
    tags = {tag for (tag,) in demo.rows("select distinct regime_tag from feature.feature_1m")}
    assert tags == {None, "volatile", "trend_up", "trend_down", "range"}


def test_it_says_how_to_go_on(demo: Demo) -> None:
    assert "make psql" in demo.output
    assert "make down" in demo.output


def test_psql_feast_and_redis_give_the_same(demo: Demo) -> None:
    ((series,),) = demo.rows("select count(*) from feature.series")
    everything = 11 * series
    sentence = f"{everything:,} of {everything:,} values are the same"
    assert sentence in demo.output.replace("\n", " ")
    assert sentence in demo.report.read_text()


def test_the_report_needs_no_network(demo: Demo) -> None:
    text = demo.report.read_text()
    head, _, tail = text.partition("</script>")
    assert "<script src" not in text
    assert "<link" not in text
    # Plotly's own source names addresses of maps and fonts; the page around it names none
    assert "://" not in head.partition("<script>")[0]
    assert "://" not in tail


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--window-size=1280,2200"),
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def test_the_report_draws_in_a_browser(demo: Demo, browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

    browser.get(demo.report.as_uri())
    WebDriverWait(browser, 60).until(
        lambda page: page.find_elements(By.CSS_SELECTOR, "#chart .main-svg")
    )
    series = Select(browser.find_element(By.ID, "series"))
    assert len(series.options) >= 10
    series.select_by_visible_text("tenant 1, SYN_BTCUSD")
    drawn = browser.execute_script(
        "const chart = document.getElementById('chart');"
        "return chart.data.map(t => [t.name, t.type, (t.x || []).length]);"
    )
    names = {name for name, _, points in drawn if points > 100}
    assert names == {"price", "sma_20", "volatility_1h", "spread_bps", "volume"}
    assert [kind for name, kind, _ in drawn if name == "price"] == ["candlestick"]
    bands = browser.execute_script(
        "return document.getElementById('chart').layout.shapes.map(s => s.name);"
    )
    assert set(bands) <= {"volatile", "trend_up", "trend_down", "range"}
    assert bands
    tables = browser.find_elements(By.TAG_NAME, "table")
    assert "sma 20" not in tables[0].text
    assert tables[0].text.count("\n") == 11
    assert "Synthetic" in browser.find_element(By.CLASS_NAME, "label").text
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
