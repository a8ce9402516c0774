"""The demo from end to end on the session's engine, and its report in a real browser."""

import json
import random
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo import live
from demo.report.page import assemble, write
from tests.demo import following
from tests.demo.browsing import WHY, Page, chromium, moment, same_reasons
from tests.demo.conftest import Demo
from tests.documents import block, blocks
from tests.serving.world import running_triton

EXPECTED_REASONS = {
    "undecodable",
    "not_a_number",
    "negative_price",
    "zero_size",
    "time_in_future",
    "unknown_symbol",
}


RANGE = ("from", "to", "low", "high")
# all series have been compared at one moment
EQUAL = ("#served-verdict",)


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
    said = re.search(r"([\d,]+) of \1 values are the same", demo.output.replace("\n", " "))
    assert said is not None, demo.output
    # at least of those that trade around the clock; NULL on all sides is no value
    assert int(said[1].replace(",", "")) >= 3 * 10


def test_the_report_is_one_small_file_that_asks_the_network_for_nothing(demo: Demo) -> None:
    text = demo.report.read_text()
    assert len(text.encode()) < 2_000_000
    assert "default-src 'none'" in text
    assert "://" not in text
    assert not re.search(r"\b(src|srcset|action)=|<link (?!rel=.icon. href=.data:,)", text)


@pytest.fixture(scope="module")
def page(demo: Demo) -> Iterator[Page]:
    with chromium() as browser:
        yield Page(browser, demo.report, f"{demo.day:%Y-%m-%d}")


@pytest.mark.parametrize("width", [390, 800, 1440, 1920])
def test_the_report_fits_and_draws_dark_and_light(page: Page, width: int) -> None:
    drawn = set()
    for theme, series in (("light", "1 SYN_EURUSD"), ("dark", "1 SYN_AAPL")):
        page.open(f"series={series}", width=width, theme=theme)
        assert page.run("return innerWidth") == width
        assert (
            page.run(
                "const {scrollWidth, clientWidth} = document.documentElement;"
                "return scrollWidth - clientWidth"
            )
            == 0
        )
        inked = page.run(
            "return [...document.querySelectorAll('canvas')].slice(0, 2).map((canvas) =>"
            " new Set(new Uint32Array(canvas.getContext('2d')"
            ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size);"
        )
        assert min(inked) > 5
        drawn.add(page.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(drawn) == 2
    assert page.severe() == []


def test_at_any_two_moments_the_report_says_what_psql_says(demo: Demo, page: Page) -> None:
    page.open()
    dice = random.Random(18)  # noqa: S311
    differing = stale = 0
    for tenant_id, symbol in demo.rows("select tenant_id, symbol from feature.series"):
        page.choose(tenant_id, symbol)
        starts = demo.day
        pairs = [
            # mostly soon after, where knowledge changes
            (second, min(86_400, second + dice.choice([0, 1, 30, 90, 900, 7_200, -60, 86_400])))
            for second in dice.sample(range(86_401), 4)
        ]
        asked = [
            [starts + timedelta(seconds=at) for at in clock] for clock in zip(*pairs, strict=True)
        ]
        wanted = demo.rows(
            "select s.bucket, s.known_at, s.is_stale, to_jsonb(s) from feature_pit_snapshot("
            "array_fill(%s::text, array[4]), %s::timestamptz[], %s::timestamptz[], %s::int) as s",
            *(symbol, *asked, tenant_id),
        )
        for (as_of, known_by), (bucket, known_at, is_stale, fields) in zip(
            pairs, wanted, strict=True
        ):
            page.slide(as_of=as_of, known_by=known_by)
            at = f"{symbol} of {tenant_id} as of {as_of} s, known by {known_by} s"
            found = page.moment()
            assert found[:3] == (bucket, known_at, is_stale), at
            assert {name: one[0] for name, one in found[3].items()} == {
                name: fields[name] for name in found[3]
            }, at
            assert len(found[3]) == 11
            differing += any(then != now for then, _, now, _ in found[3].values())
            stale += is_stale
    assert differing >= 3
    assert stale >= 3


def test_what_is_known_now_is_the_end_of_the_second_slider(demo: Demo, page: Page) -> None:
    page.open("series=1 SYN_BTCUSD&asof=last&known=last")
    ((last,),) = demo.rows(
        "select to_jsonb(s) from feature_pit_snapshot(array['SYN_BTCUSD'],"
        " %s::timestamptz + interval '1 day', (select published_at from feature.clock), 1) as s",
        demo.day,
    )
    fields = page.moment()[3]
    assert all(then == now == last[name] for name, (then, _, now, _) in fields.items())
    assert page.text("#known-by-at").startswith("now: the last publish")


def test_the_statement_shown_answers_as_the_page_does(demo: Demo, page: Page) -> None:
    page.open("series=2 SYN_ES").slide(as_of=52_225, known_by=54_000)
    ((bucket, close),) = demo.rows(
        f"select bucket, close from ({page.text('#statement').rstrip(';')}) as s"
    )
    found = page.moment()
    assert (found[0], found[3]["close"][0]) == (bucket, close)
    # the address keeps it
    page.wait("location.hash.includes('asof=52225')")
    page.open(page.run("return location.hash.slice(1)"))
    assert page.moment() == found


def test_every_series_has_late_corrected_and_cancelled_ticks(demo: Demo, page: Page) -> None:
    page.open()
    for tenant_id, symbol in demo.rows("select tenant_id, symbol from feature.series"):
        page.choose(tenant_id, symbol)
        shown = dict(line.rsplit("\t", 1) for line in page.text("#counts").splitlines())
        ((corrections, cancels),) = demo.rows(
            "select count(*) filter (where cause = 'correction'), count(*) filter (where cause ="
            " 'cancel') from (select tenant_id, symbol, ts, cause from market.trade_superseded"
            " union all select tenant_id, symbol, ts, cause from market.quote_superseded) as s"
            " where tenant_id = %s and symbol = %s and ts >= %s and ts < %s",
            *(tenant_id, symbol, demo.day, demo.day + timedelta(days=1)),
        )
        assert (shown["corrections"], shown["cancels"]) == (str(corrections), str(cancels))
        assert min(int(shown["late ticks"]), corrections, cancels) > 0


def test_restated_bars_are_reached_by_tab_and_explained_as_psql_does(
    demo: Demo, page: Page
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page.open("series=1 SYN_CL")
    page.run("document.getElementById('chart').focus()")
    focus = page.browser.switch_to.active_element
    focus.send_keys(Keys.TAB)
    causes = set()
    for _ in range(25):
        page.browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        page.wait("document.activeElement.dataset.bar")
        label = page.run("return document.activeElement.ariaLabel")
        assert "restated" in label
        bucket = moment(page.run("return Number(why.dataset.bucket)"))
        assert label.startswith(f"Bar {bucket:%H:%M} UTC")
        with psycopg.connect(demo.url) as connection:
            same_reasons(page, connection, "SYN_CL", 1)
        causes |= {cause for _, cause, *_ in page.run(WHY)}
    assert causes >= {"close", "late", "correction"}
    # and by the mouse
    page.browser.find_elements(By.CSS_SELECTOR, "#lane button")[0].click()
    assert page.text("#why-at").startswith("Bar ")


def test_sliders_go_by_keys_and_known_by_follows_until_it_is_moved(page: Page) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page.open("series=1 SYN_ES").slide(as_of=50_000)
    as_of, known_by = (page.browser.find_element(By.ID, name) for name in ("as-of", "known-by"))

    def values() -> tuple[int, int]:
        return int(as_of.get_property("value")), int(known_by.get_property("value"))

    as_of.send_keys(Keys.ARROW_RIGHT)
    assert values() == (50_060, 50_060)
    as_of.send_keys(Keys.SHIFT + Keys.ARROW_LEFT)
    assert values() == (50_059, 50_059)
    as_of.send_keys(Keys.PAGE_DOWN)
    assert values() == (46_459, 46_459)
    known_by.send_keys(Keys.ARROW_UP)
    as_of.send_keys(Keys.ARROW_LEFT)
    assert values() == (46_399, 46_519)
    assert page.text("#as-of-at") == "12:53:19 UTC · 06:53:19 Chicago"


def test_prices_follow_the_zoom_and_a_click_explains_the_bar(page: Page) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    page.open("series=1 SYN_BTCUSD")
    chart = page.browser.find_element(By.ID, "chart")

    def shown() -> list[float]:
        return [float(chart.get_dom_attribute(f"data-{name}")) for name in RANGE]

    page.run("document.querySelector('[data-hours=\"0\"]').click()")
    from_day, to_day, low_day, high_day = shown()
    page.run("document.querySelector('[data-hours=\"1\"]').click()")
    begins, ends, low, high = shown()
    assert ends - begins == 3_600e6 < to_day - from_day
    assert low_day <= low < high <= high_day
    assert high - low < 0.7 * (high_day - low_day)

    ActionChains(page.browser).move_to_element_with_offset(chart, -100, -150).perform()
    page.wait("true")
    hovered = page.text("#readout .time dd")
    assert re.fullmatch(r"\d\d:\d\d UTC", hovered), "its exchange's clock is UTC"
    ActionChains(page.browser).click().perform()
    page.wait("true")
    assert page.text("#why-at").startswith(f"Bar {hovered}")
    page.choose(1, "SYN_AAPL")
    assert re.fullmatch(r"\d\d:\d\d UTC · \d\d:\d\d New York", page.text("#readout .time dd")), (
        "no hover: the last bar's"
    )


def test_the_selected_series_changes_every_part(page: Page) -> None:
    parts = (
        *("#title", "#subtitle", "#as-of-at", "#moment-at", "#moment tbody", "#statement"),
        *("#why-at", "#why", "#why-statement", "#levels tbody", "#sentences", "#served tbody"),
        *("#served-verdict", "#counts", "#refused tbody", "#readout"),
    )
    # whose markets are open, so that there is something of them online
    page.open("series=1 SYN_ETHUSD")
    before = {one: page.text(one) for one in parts}
    page.choose(2, "SYN_BTCUSD")
    assert [one for one in parts if page.text(one) == before[one] and one not in EQUAL] == []


def test_each_miss_has_a_sentence_and_the_staged_outage_is_named(page: Page) -> None:
    page.open("series=1 SYN_ES")
    said = page.text("#sentences")
    assert "No bar for 9 minutes, 11:17 to 11:26 UTC: the demo stages this outage" in said
    assert "changed after it was due" in said
    assert "Synthetic" in page.text(".source")
    page.choose(2, "SYN_BTCUSD")
    assert "04:41 to 04:47 UTC: the demo stages this outage" in page.text("#sentences")


def test_a_page_without_bars_says_so_and_names_cannot_break_out(page: Page, tmp_path: Path) -> None:
    facts = {"days": [], "left_out": 0, "contract": [], "refused": []}
    path = tmp_path / "report.html"
    path.write_text(assemble(facts, [], "</p><script>alert(1)</script>", datetime.now(UTC)))
    empty = Page(page.browser, path).open()
    assert empty.text("#empty") == (
        "No bar has closed. Bars are made of trades, or of quotes or a vendor's bars where the "
        "instrument's bars_from says so: seeds/instrument.csv."
    )
    assert empty.text(".source").startswith("</p><script>alert(1)</script>")
    assert empty.severe() == []


def test_no_line_of_the_summary_is_wider_than_the_terminal(demo: Demo) -> None:
    """But for what is there to be pasted, and paths."""
    begins = demo.output.index("newest features")
    pasted = re.compile(r"curl |make psql |  -d |  select |report: |live: ")
    lines = demo.output[begins:].splitlines()
    assert [line for line in lines if len(line) > 80 and not pasted.match(line)] == []
    assert "  tenant_id  symbol " in demo.output


def printed(demo: Demo, begin: str) -> str:
    """A command that the demo has printed, with the lines that it goes on in."""
    lines = demo.output.splitlines()
    last = first = next(n for n, line in enumerate(lines) if line.startswith(begin))
    while lines[last].endswith("\\"):
        last += 1
    return "\n".join(lines[first : last + 1])


def online(demo: Demo) -> dict[str, list[Any]]:
    """What the printed curl answers: for each feature a value of each symbol."""
    answer = json.loads(demo.shell(printed(demo, "curl -s ")))
    names = answer["metadata"]["feature_names"]
    return {name: result["values"] for name, result in zip(names, answer["results"], strict=True)}


def test_the_printed_lines_answer_with_numbers_that_go_on(demo: Demo) -> None:
    """At any hour of any day: the next bar is published by itself, and is online."""
    first = online(demo)
    assert first["symbol"] == ["SYN_BTCUSD", "SYN_ETHUSD"]
    for name in ("close", "volume", "vwap", "sma_20", "volatility_1h"):
        assert all(isinstance(value, float) for value in first[name]), first
    until = time.monotonic() + 120
    while min(online(demo)["bucket"]) <= max(first["bucket"]):
        assert time.monotonic() < until, (first, online(demo))
        time.sleep(2)
    rows = demo.shell(printed(demo, "make psql "))
    found = re.findall(r"^ (SYN_\w+) +\|.*\| +([\d.]+) +\| +([\d.]+) +\| +([\d.]+)", rows, re.M)
    assert [symbol for symbol, *_ in found] == first["symbol"], rows
    newest = "select max(known_at) > (select live_from from feature.clock) from feature.log"
    assert demo.rows(newest) == [(True,)]
    # nothing that became known between run-up and feed is left out
    assert demo.rows("select * from feature.history_waits()") == []


def test_the_report_is_made_anew(demo: Demo) -> None:
    made = demo.report.stat().st_mtime
    until = time.monotonic() + 150
    while demo.report.stat().st_mtime == made:
        assert time.monotonic() < until
        time.sleep(1)


def test_the_board_says_that_all_is_well(demo: Demo) -> None:
    said = demo.shell("make -s status")
    publish = r"last publish: \d+ s ago \([^)]*\)$"
    for line in ("migrations: all applied$", publish, "broker: ok, ", "Redis: ok, ", "disk: "):
        assert re.search(f"^{line}", said, re.M), said
    # on a machine that is late a member is missed, and joins again
    until = time.monotonic() + 60
    while not re.search(r"^ingest: [\d,]+ messages wait, an ingester runs$", said, re.M):
        assert time.monotonic() < until, said
        said = demo.shell(f"{sys.executable} -m ingest lag")


@pytest.mark.parametrize("document", following.ANSWERED)
def test_every_statement_of_the_documents_answers(demo: Demo, document: str) -> None:
    assert following.unanswered(demo, document) == []


def test_the_chain_holds_its_published_head(demo: Demo) -> None:
    command = block("docs/audit.md", "psql -XAt")
    seq, head, _ = demo.shell(command, following.for_psql(demo.url)).split(maxsplit=2)
    check = block("docs/audit.md", "select * from audit.verify(1")
    assert re.findall(r"\d{4}|…\w+…", check) == ["1234", "…hash…"]
    check = check.replace("1234", seq)
    assert demo.rows(check.replace("…hash…", head)) == []
    assert demo.rows(check.replace("…hash…", "00" * 32)) != []


def test_the_training_sets_of_the_documents(demo: Demo) -> None:
    frame = (
        "import pandas as pd\n"
        "entity_df = pd.DataFrame({'tenant_id': [1], 'symbol': ['SYN_BTCUSD'],"
        " 'event_timestamp': [pd.Timestamp.now('UTC') - pd.Timedelta('1 hour')]})\n"
    )
    ((one,), (other,)) = (blocks(document, "python") for document in ("README.md", "docs/feast.md"))
    program = (
        # a minute may have no quote, nor a trade whose side is known
        f"{frame}{one.text}\nsome = frame.drop(columns=['spread_bps', 'order_imbalance'])\n"
        "assert some.notna().all(axis=None), frame\n"
        f"{other.text}\nassert len(frame) > 1000, frame\n"
        "missing = frame[frame['bar__close'].isna()]\n"
        "print(*(f'{m.tenant_id} {m.symbol} {m.event_timestamp.value // 1000}'"
        " for m in missing.itertuples()), sep='\\n')"
    )
    said = demo.shell(f"{sys.executable} - <<'EOF'\n{program}\nEOF")
    # a bar whose first tick came later than its maximum age was never fresh
    late = demo.rows(
        "select concat_ws(' ', tenant_id, symbol, (extract(epoch from known_at) * 1000000)::bigint)"
        " from feature.log where cause = 'close' and known_at > bucket + interval '16 minutes'"
    )
    assert {line for line in said.splitlines() if line} <= {key for (key,) in late}


def test_the_request_of_the_document(demo: Demo) -> None:
    text = block("docs/feast.md", "KEY=")
    running = live.status(demo.report.parent / "live")
    assert running is not None
    # 6566, unless that was taken
    answer = json.loads(demo.shell(text.replace("localhost:6566", running.url[len("http://") :])))
    names = answer["metadata"]["feature_names"]
    assert all(answer["results"][names.index("close")]["values"]), answer


# three times ten thousand rows, of an engine that the live demo keeps busy
@pytest.mark.timeout(1500)
def test_the_example_goes_from_training_set_to_replay(
    demo: Demo,
    training_python: Path,
    serving_python: Path,
    tmp_path: Path,
) -> None:
    """And the next report has the model's card, with the digest that was trained on."""
    assert training_python.exists()
    assert serving_python.exists()
    with running_triton(tmp_path / "triton", tmp_path / "models") as triton:
        said = demo.shell(
            "make -s example",
            {
                "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
                "SERVING_REPOSITORY": str(tmp_path / "models"),
                "TRITON_URL": triton.url,
            },
        )
    assert "\n  reproduced\n" in said
    assert re.search(r"^  SYN_BTCUSD +0\.\d{6} by version 1, as of ", said, re.M), said
    assert said.endswith("\n  equal to the bit\n"), said
    digest = re.search(r"^  digest: (\w{64}) of ", said, re.M)
    assert digest is not None, said
    report = tmp_path / "report.html"
    with psycopg.connect(demo.url) as connection:
        write(report, connection, source="the demo", served=[])
    with chromium() as browser:
        page = Page(browser, report).open()
        (row,) = page.run(
            "return [...document.querySelectorAll('#models tbody tr')].map((row) => row.innerText)"
        )
        assert not page.run("return document.getElementById('models').hidden")
        assert page.severe() == []
    for part in ("direction_5m 1", "champion", "lightgbm", "auc 0.", digest[1]):
        assert part in row, row


def test_the_commands_of_dead_letters(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they stand there; of the letters that are asked for by number, two that can be mended."""
    for name, value in demo.env.items():
        monkeypatch.setenv(name, value)

    def say(command: str) -> str:
        return following.ingest(command, monkeypatch, capsys)

    lists, replays, drops = (
        block("docs/dead-letters.md", f"python -m ingest dlq {word}").splitlines()
        for word in ("list", "replay", "drop")
    )
    for command in lists:
        assert len(say(command).splitlines()) > 3, command
    bad = say("python -m ingest dlq list --reason negative_price --topic trades")
    two = " ".join(re.findall(r"^trades\.dlq@(\d+)\t", bad, re.M)[:2])
    kept, rehearsed, sent = (say(one.replace("17 18", two)) for one in replays)
    assert "add it to seeds/instrument.csv and run make migrate" in kept
    assert kept.endswith("nothing to send\n")
    assert re.search(r"\n\d+ would be sent back\n$", rehearsed)
    assert sent.endswith("2 sent back\n")
    for command, said in zip(drops, ("would be dropped", "2 dropped", "dropped"), strict=True):
        assert said in say(command)
    assert say(lists[0]).endswith("0 dead letters\n")


def test_the_way_of_an_own_file(demo: Demo) -> None:
    """The last one: like make down, it ends the live part, whose ingest would take the ticks."""
    live.stop(demo.report.parent / "live")
    text = block("README.md", "make up migrate")
    said = demo.shell(text)
    waits = re.search(r"wait for: (call feature\.backfill\([^)]*\))", said)
    assert waits is not None, said
    assert waits[1] in text
    assert re.search(r"^ 2024-07-01 14:59:00\+00 \| +[\d.]+ \| +\d+ \| +[\d.]+$", said, re.M), said
