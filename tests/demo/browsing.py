"""The report in a real Chromium: what a person does with it, and what is read there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT = """
    const table = document.getElementById("moment");
    const rows = [...table.tBodies[0].rows].map((row) => [row.dataset.field,
        ...[...row.cells].slice(1).flatMap((cell) => [cell.dataset.value, cell.textContent])]);
    return [table.dataset.bucket, table.dataset.knownAt, table.dataset.stale, rows];
"""
WHY = """
    return [...document.querySelectorAll("#why li")].map((item) => [
        Number(item.dataset.known), item.dataset.cause,
        [...item.querySelectorAll("tr")].map((row) => row.cells[0].textContent),
        [...item.querySelectorAll(".event")].map((one) => ["kind", "action", "seq", "offset"]
            .map((name) => one.dataset[name] ?? "")),
    ]);
"""


def moment(micros: float) -> datetime:
    """Microseconds since 1970 as a time."""
    return EPOCH + timedelta(microseconds=micros)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser; skips the test where there is none."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--window-size=1440,1000"),
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


class Page:
    """One report, open."""

    def __init__(self, browser: Any, path: Path, day: str = "") -> None:
        """day: which one is opened where the address does not say; the newest without it."""
        self.browser = browser
        self.address = path.as_uri()
        self.day = day

    def open(self, address: str = "", width: int = 1440, theme: str = "light") -> Page:
        """Load it anew, in a window of that width; address: what follows the #."""
        for command, arguments in (
            (
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False},
            ),
            (
                "Emulation.setEmulatedMedia",
                {"features": [{"name": "prefers-color-scheme", "value": theme}]},
            ),
        ):
            self.browser.execute_cdp_cmd(command, arguments)
        if self.day and "day=" not in address:
            address = f"{address}&day={self.day}"
        self.browser.get("about:blank")
        self.browser.get(self.address + (f"#{address}" if address else ""))
        return self.wait("performance.getEntriesByName('drawn').length || !empty.hidden")

    def wait(self, condition: str) -> Page:
        """Until a JavaScript expression holds, and what it led to is drawn."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 60).until(
            lambda driver: driver.execute_script(f"return Boolean({condition})")
        )
        self.browser.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        )
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns, once all that it did is drawn."""
        answer = self.browser.execute_script(script, *arguments)
        self.wait("true")
        return answer

    def choose(self, tenant_id: int, symbol: str) -> Page:
        """Select a series."""
        self.run(
            "series.value = arguments[0]; series.dispatchEvent(new Event('change'));",
            f"{tenant_id} {symbol}",
        )
        return self.wait(f"document.title.startsWith('{symbol}, tenant {tenant_id},')")

    def slide(self, **steps: int) -> Page:
        """Put sliders on seconds of the day: as_of=, known_by=."""
        for name, step in steps.items():
            self.run(
                "const slider = document.getElementById(arguments[0]); slider.value = arguments[1];"
                "slider.dispatchEvent(new Event('input'));",
                name.replace("_", "-"),
                step,
            )
        return self

    def moment(self) -> tuple[Any, Any, bool, dict[str, tuple[Any, str, Any, str]]]:
        """bucket, known_at, is_stale and of each field: known then, its text, now, its text."""
        bucket, known_at, stale, rows = self.run(MOMENT)
        return (
            moment(float(bucket)) if bucket else None,
            moment(float(known_at)) if known_at else None,
            stale == "true",
            {
                field: (_value(then), then_text, _value(now), now_text)
                for field, then, then_text, now, now_text in rows
            },
        )

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def severe(self) -> list[str]:
        """What the browser holds to be an error, since it was asked last."""
        log = self.browser.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]


def _value(text: str) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def same_reasons(page: Page, connection: psycopg.Connection[Any], symbol: str, tenant: int) -> None:
    """The bar that is explained has the versions, causes, fields and ticks that psql names."""
    bucket = moment(page.run("return Number(why.dataset.bucket)"))
    told = page.run(WHY)
    wanted = connection.execute(
        "select known_at, cause, changes, events from feature.explain_restatement(%s, %s, %s)",
        [symbol, bucket, tenant],
    ).fetchall()
    assert len(told) == len(wanted) > 1
    for (known, cause, fields, events), (known_at, why, changes, ticks) in zip(
        told, wanted, strict=True
    ):
        assert (moment(known), cause) == (known_at, why), bucket
        if fields:
            assert set(fields) == set(changes), bucket
        assert sorted(events) == sorted(
            [one["kind"], one["action"], str(one["seq"]), str(one["offset"] or "")]
            for one in ticks or ()
        ), bucket
