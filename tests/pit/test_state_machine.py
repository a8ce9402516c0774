"""Random streams, published as they come and rebuilt afterwards, against the oracle."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import Databases
from tests.pit import sessions
from tests.pit.oracle import (
    FIELDS,
    LONGEST_AGE,
    MINUTE,
    Event,
    Oracle,
    Quote,
    Snapshot,
    Stream,
    Trade,
    differences,
    floor_minute,
    same,
)
from tests.pit.world import BACKFILL, PUBLISH, Row, World

ALWAYS_OPEN = "SYN_BTCUSD"
WITH_GAPS = ("SYN_AAPL", "SYN_ES", "SYN_EURUSD")
# a Friday some hours before the sessions with gaps end; each example has a week of its own
FIRST = datetime(2024, 1, 5, 17, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
WEEKS = 140
LONGEST = timedelta(days=4)
MOST_EVENTS = 2500  # the oracle looks at each of them for each answer
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
STALE_AFTER = timedelta(minutes=15)
SOONER = timedelta(seconds=90)
TICK = 1 / 64

# mean and standard deviation of a minute's move in ticks, share of minutes without a trade
STYLES = {
    "calm": (0.0, 2.0, 0.03),
    "up": (5.0, 2.0, 0.03),
    "down": (-5.0, 2.0, 0.03),
    "wild": (0.0, 40.0, 0.03),
    "flat": (0.0, 0.0, 0.1),
    "thin": (0.0, 4.0, 0.6),
}
seeds = st.integers(0, 2**32 - 1)
lags = st.one_of(
    st.integers(0, 5 * 10**6),
    st.integers(0, 600 * 10**6),
    st.integers(0, 8 * 3600 * 10**6),
).map(lambda us: timedelta(microseconds=us))


class PointInTime(RuleBasedStateMachine):
    """Two tenants with two symbols each: what is published is what the oracle says."""

    def __init__(self, world: World) -> None:
        """world: the database; the example takes the next free week of it."""
        super().__init__()
        self.world = world
        self.start = FIRST + WEEK * (world.examples % WEEKS)
        world.examples += 1
        self.live_from = self.start - MINUTE
        world.set_clock(self.live_from, self.live_from)
        self.now = self.start
        self.tenants = [world.tenant(), world.tenant()]
        self.symbols = [ALWAYS_OPEN, WITH_GAPS[0]]
        self.prices: dict[Stream, float] = {}
        self.events: list[Event] = []
        self.seq = 0
        self.seen: Counter[str] = Counter()
        self.begin(WITH_GAPS[0])

    @initialize(
        symbol=st.sampled_from(WITH_GAPS),
        seed=seeds,
        style=st.sampled_from(["calm", "wild", "up"]),
        history=st.booleans(),
        sooner=st.sampled_from(FIELDS),
    )
    def begin_with_some_bars(
        self, symbol: str, seed: int, style: str, history: bool, sooner: str
    ) -> None:
        """Enough of them for most windows: published, or known before there were publishes."""
        self.begin(symbol, sooner)
        self.block(seed, 25 + seed % 120, style, 1)
        if not history:
            self.publish()
            return
        # in the middle of a bar, too
        self.live_from = self.now - (seed % 3) * 31 * SECOND
        self.world.set_clock(self.live_from, self.live_from)
        self.world.backfill(self.start - timedelta(days=1), self.start + WEEK)
        self.oracle.backfilled(self.live_from)

    def begin(self, symbol: str, sooner: str = "vwap") -> None:
        """Choose the symbol whose market closes, and the field that is stale before the others."""
        self.symbols = [ALWAYS_OPEN, symbol]
        days = (self.start - WEEK).date(), (self.start + 6 * WEEK).date()
        self.oracle = Oracle({s: sessions.of_symbol(s, *days) for s in self.symbols})
        self.oracle.max_staleness = {
            name: SOONER if name == sooner else STALE_AFTER for name in FIELDS
        }
        self.world.set_staleness(int(STALE_AFTER / SECOND), field=sooner, less=int(SOONER / SECOND))

    @property
    def streams(self) -> list[Stream]:
        return [(tenant, symbol) for tenant in self.tenants for symbol in self.symbols]

    # events

    def apply(self, events: Sequence[Event]) -> None:
        self.world.apply(events)
        self.oracle.apply(events)
        self.events += events

    def price(self, stream: Stream, move: float) -> float:
        """The stream's next price, on the tick grid and well above zero."""
        last = self.prices.get(stream, 100.0)
        self.prices[stream] = max(8.0, last + round(move) * TICK)
        return self.prices[stream]

    def trade(self, rng: random.Random, stream: Stream, ts: datetime, lag: timedelta) -> Event:
        self.seq += 1
        size, side = 2.0 ** rng.randint(-3, 5), rng.choice(["buy", "sell", None])
        values = Trade(self.price(stream, rng.gauss(0, 3)), size, side)
        return Event("new", *stream, ts, self.seq, values, ts + lag)

    def quote(self, rng: random.Random, stream: Stream, ts: datetime, lag: timedelta) -> Event:
        self.seq += 1
        bid: float | None = self.prices.get(stream, 100.0) - rng.randint(-1, 6) * TICK
        ask: float | None = self.prices.get(stream, 100.0) + rng.randint(-1, 6) * TICK
        if rng.random() < 0.1:
            bid, ask = rng.choice([(bid, None), (None, ask)])
        values = Quote(bid, 1.0 if bid else None, ask, 2.0 if ask else None)
        return Event("new", *stream, ts, self.seq, values, ts + lag)

    @rule(
        seed=seeds,
        minutes=st.integers(25, 400),
        style=st.sampled_from(sorted(STYLES)),
        lag=st.sampled_from([0, 1, 90]),
    )
    def block(self, seed: int, minutes: int, style: str, lag: int) -> None:
        """Many one-minute bars at once, in order, of some or all streams."""
        if len(self.events) > MOST_EVENTS or self.now + minutes * MINUTE > self.start + LONGEST:
            return
        rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        chosen = self.streams if rng.random() < 0.5 else rng.sample(self.streams, 2)
        first = floor_minute(self.now) + MINUTE
        drift, deviation, quiet = STYLES[style]
        events = []
        for minute in range(minutes):
            for stream in chosen:
                if rng.random() < quiet:
                    continue
                self.price(stream, rng.gauss(drift, deviation) if deviation else 0)
                for second in sorted(rng.choices([0, 7, 7, 30, 59.999999], k=rng.randint(1, 2))):
                    ts = first + minute * MINUTE + second * SECOND
                    delay = rng.random() * lag * SECOND
                    made = self.trade(rng, stream, ts, delay)
                    if not deviation:
                        made = self.flat(stream, made)
                    events.append(made)
                    if rng.random() < 0.3:
                        events.append(self.quote(rng, stream, ts, delay))
        self.apply(events)
        self.now = first + minutes * MINUTE + lag * SECOND

    def flat(self, stream: Stream, made: Event) -> Event:
        """The same trade at a price that never moves."""
        self.prices[stream] = 100.0
        assert isinstance(made.values, Trade)
        return replace(made, values=replace(made.values, price=100.0))

    @rule(seed=seeds, which=st.integers(0, 3), number=st.integers(1, 6))
    def ticks_now(self, seed: int, which: int, number: int) -> None:
        """Trades and quotes of this moment, several with the same timestamp."""
        rng = random.Random(seed)  # noqa: S311
        stream = self.streams[which]
        ts = self.now - rng.choice([0, 0.1, 2]) * SECOND
        made = [rng.choice([self.trade, self.quote])(rng, stream, ts, self.now - ts)]
        made += [self.trade(rng, stream, ts, self.now - ts) for _ in range(number - 1)]
        rng.shuffle(made)
        self.apply(made)

    @rule(
        seed=seeds,
        which=st.integers(0, 3),
        lag=lags,
        known=st.sampled_from(["now", "capture", "skew"]),
        number=st.integers(1, 4),
    )
    def ticks_late(self, seed: int, which: int, lag: timedelta, known: str, number: int) -> None:
        """Ticks of a past moment.

        Known now; or by a capture clock that stamps published since have passed; or by a clock
        that runs ahead of the next stamps.
        """
        rng = random.Random(seed)  # noqa: S311
        stream = self.streams[which]
        made = []
        for _ in range(number):
            ts = max(self.now - lag * rng.random(), self.start)
            if self.events and rng.random() < 0.3:
                # in the minute of another tick, which may have been cancelled meanwhile
                ts = min(floor_minute(rng.choice(self.events).ts) + rng.random() * MINUTE, self.now)
            delay = self.now - ts
            if known == "capture":
                # what is known before there are publishes is for a backfill
                delay = max(delay * rng.random(), self.live_from + MICROSECOND - ts)
            elif known == "skew":
                delay += rng.random() * 90 * SECOND
            made.append(rng.choice([self.trade, self.trade, self.quote])(rng, stream, ts, delay))
        self.apply(made)

    @rule(seed=seeds, number=st.integers(1, 3))
    def duplicates(self, seed: int, number: int) -> None:
        """Messages said again: as they were, or under the same key with other values."""
        rng = random.Random(seed)  # noqa: S311
        again = []
        for old in rng.choices(self.events, k=number):
            values = old.values
            if rng.random() < 0.5 and isinstance(values, Trade):
                values = replace(values, price=values.price + 1)
            known = old.known_at if rng.random() < 0.5 else max(old.known_at, self.now)
            again.append(replace(old, values=values, known_at=known))
        self.apply(again)

    @rule(
        seed=seeds,
        recent=st.booleans(),
        action=st.sampled_from(["correction", "cancel"]),
        number=st.integers(1, 3),
    )
    def amend(self, seed: int, recent: bool, action: str, number: int) -> None:
        """Corrections and cancels, also of what was cancelled, and known before they came."""
        rng = random.Random(seed)  # noqa: S311
        made = []
        for _ in range(number):
            old = rng.choice(self.events[-30:] if recent else self.events)
            stream = old.tenant_id, old.symbol
            fresh = (self.trade if isinstance(old.values, Trade) else self.quote)(
                rng, stream, old.ts, timedelta()
            )
            # an amendment can carry a knowledge time before the one of what it amends
            known = rng.choice([self.now, self.now, old.ts + (self.now - old.ts) * rng.random()])
            known = max(known, old.ts, self.live_from + MICROSECOND)
            values = fresh.values if action == "correction" else old.values
            made.append(Event(action, *stream, old.ts, old.seq, values, known))
        self.apply(made)

    @rule(seed=seeds)
    def cancel_a_bar(self, seed: int) -> None:
        """Cancel every trade of one minute: the bar goes."""
        rng = random.Random(seed)  # noqa: S311
        old = rng.choice(self.events)
        stream, minute = (old.tenant_id, old.symbol), floor_minute(old.ts)
        gone = [
            Event("cancel", *stream, v.ts, v.seq, v.values, max(self.now, v.ts))
            for v in self.oracle.trades.get(stream, [])
            if floor_minute(v.ts) == minute and v.superseded_at is None
        ]
        self.apply(gone)

    # time

    @rule(step=st.sampled_from([1e-6, 0.5, 29.0, 61.0, 900.0, 2 * 3600.0]))
    def wait(self, step: float) -> None:
        """Time goes by."""
        if self.now < self.start + LONGEST:
            self.now += step * SECOND

    @rule(offset=st.sampled_from([-MICROSECOND, timedelta(), MICROSECOND]))
    def wait_for_a_close(self, offset: timedelta) -> None:
        """Until the present bar closes, to the microsecond."""
        self.now = floor_minute(self.now + 2 * MICROSECOND) + MINUTE + offset

    @rule(minutes=st.integers(0, 20))
    def wait_for_the_next_session(self, minutes: int) -> None:
        """Over the gap of the market that closes."""
        opens = min(o for o, _ in self.oracle.sessions[self.symbols[1]] if o > self.now)
        if opens < self.start + LONGEST:
            self.now = opens + minutes * MINUTE

    # publishes

    def stamp(self) -> datetime:
        """A stamp that a publish can have now."""
        self.now = max(self.now, (self.oracle.stamps or [self.live_from])[-1] + MICROSECOND)
        return self.now

    @rule()
    def publish(self) -> None:
        """One publish."""
        stamp = self.stamp()
        self.world.publish(stamp)
        self.oracle.published(stamp)
        self.compare(random.Random(len(self.events)), self.tenants, live=True, number=4)  # noqa: S311

    @rule()
    def publish_twice(self) -> None:
        """A stamp cannot be had twice, and a second publish at once adds nothing."""
        self.publish()
        stamp = self.oracle.stamps[-1]
        with pytest.raises(psycopg.Error):
            self.world.publish(stamp)
        before = self.world.log(self.tenants)
        if floor_minute(self.now) == floor_minute(self.now + MICROSECOND):
            self.publish()
            learnt = {m for v in self.oracle.versions() for m in (v.known_at, v.superseded_at)}
            if self.now not in learnt:
                assert self.world.log(self.tenants) == before

    @rule()
    def publish_rolled_back(self) -> None:
        """A publish that is undone leaves nothing, and can be done again with its stamp."""
        stamp, before = self.stamp(), self.world.published_at()
        with self.world.connection.transaction(force_rollback=True):
            self.world.publish(stamp)
        assert self.world.published_at() == before
        self.publish()

    @precondition(lambda self: self.world.kind != "embedded")
    @rule(delay_ms=st.integers(0, 60))
    def publish_killed(self, delay_ms: int) -> None:
        """A publish whose backend dies has happened whole or not at all."""
        stamp = self.stamp()
        self.world.kill(PUBLISH, [stamp], delay_ms)
        if self.world.published_at() == stamp:
            self.oracle.published(stamp)
        self.check(0)
        self.publish()

    @precondition(lambda self: self.world.kind != "embedded")
    @rule(seed=seeds, which=st.integers(0, 3), lag=lags)
    def publish_before_a_commit(self, seed: int, which: int, lag: timedelta) -> None:
        """What commits after a publish is for the next one, although known before its stamp."""
        rng = random.Random(seed)  # noqa: S311
        stamp = self.stamp()
        ts = max(stamp - lag, self.start)
        made = [self.trade(rng, self.streams[which], ts, stamp - ts)]
        with self.world.uncommitted(made):
            self.world.publish(stamp)
        self.oracle.published(stamp)
        self.oracle.apply(made)
        self.events += made
        self.check(seed)

    @rule()
    def backfill_what_is_live(self) -> None:
        """Nothing of it is history."""
        before = self.world.log(self.tenants)
        self.world.backfill(self.start - timedelta(days=1), self.start + WEEK)
        assert self.world.log(self.tenants) == before

    # what the database does on its own

    @rule(name=st.sampled_from(["ohlc_1m", "flow_1m", "quote_1m", "ohlc_5m"]), late=st.booleans())
    def refresh(self, name: str, late: bool) -> None:
        """A policy refreshes an aggregate, up to now or only what is old."""
        until = floor_minute(self.now) - timedelta(hours=1 if late else 0)
        if until - timedelta(hours=1) > self.start:
            self.world.connection.execute(
                f"call refresh_continuous_aggregate('market.{name}', %s, %s)".encode(),
                [self.start - timedelta(days=1), until],
            )

    @rule(table=st.sampled_from(["market.trade", "market.quote", "feature.log"]))
    def compress(self, table: str) -> None:
        """The columnstore takes every chunk of the week."""
        chunks = self.world.connection.execute(
            "select format('%%I.%%I', chunk_schema, chunk_name)"
            " from timescaledb_information.chunks"
            " where format('%%I.%%I', hypertable_schema, hypertable_name) = %s"
            " and range_end > %s and range_start < %s",
            [table, self.start, self.start + WEEK],
        ).fetchall()
        for (chunk,) in chunks:
            self.world.connection.execute(
                "call convert_to_columnstore(%s::regclass, if_not_columnstore => true)", [chunk]
            )

    @rule(zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]))
    def reconnect(self, zone: str) -> None:
        """A new session."""
        self.world.reconnect(zone)

    # checks

    def moments(self, rng: random.Random, symbol: str) -> tuple[datetime, datetime]:
        """An as_of and a known_as_of, near where answers change more often than not."""
        near = [timedelta(), timedelta(), -MICROSECOND, MICROSECOND, rng.random() * MINUTE]
        mine = [e for e in self.events[-40:] if e.symbol == symbol] or self.events
        about = rng.choice(mine if rng.random() < 0.5 else self.events)
        close = floor_minute(about.ts) + MINUTE
        opens, closes = rng.choice(self.oracle.sessions[symbol])
        anywhere = self.start + rng.random() * (self.now - self.start)
        as_of = rng.choice([close] * 6 + [self.now] * 2 + [anywhere] * 2)
        if rng.random() < 0.15:
            as_of = rng.choice(
                [
                    *(close + SOONER, close + STALE_AFTER, close + LONGEST_AGE),
                    *(opens, closes, opens + SOONER, opens + STALE_AFTER),
                ]
            )
        stamps = self.oracle.stamps or [self.now]
        later = [stamp for stamp in stamps if stamp >= close][:1] or stamps
        known = rng.choice(
            [as_of, self.now, anywhere, about.known_at, stamps[-1], rng.choice(stamps), later[0]]
        )
        return as_of + rng.choice(near), known + rng.choice(near)

    @rule(seed=seeds)
    def check(self, seed: int) -> None:
        """Both forms of the snapshot equal the oracle, in order, duplicates kept."""
        self.compare(random.Random(seed), self.tenants, live=True, number=12)  # noqa: S311

    def compare(self, rng: random.Random, tenants: Sequence[int], live: bool, number: int) -> None:
        """Ask for random moments; tenants: the ids that stand for self.tenants."""
        for own, asked in zip(self.tenants, tenants, strict=True):
            symbols = rng.choices(self.symbols, k=number)
            moments = [self.moments(rng, symbol) for symbol in symbols]
            again = rng.randrange(number)
            symbols.append(symbols[again])
            moments.append(moments[again])
            as_of, known = [m[0] for m in moments], [m[1] for m in moments]
            both = self.world.ask_each(symbols, as_of, known, asked)
            self.judge(own, symbols, as_of, known, both, live)
            at_once = self.world.ask_each(symbols, as_of, None, asked)
            self.judge(own, symbols, as_of, as_of, at_once, live)
            pair = [*self.symbols, self.symbols[0]]
            for i in range(2):
                rows = self.world.ask(pair, as_of[i], known[i], asked)
                self.judge(own, pair, [as_of[i]] * 3, [known[i]] * 3, rows, live)
            rows = self.world.ask(pair, as_of[2], None, asked)
            self.judge(own, pair, [as_of[2]] * 3, [as_of[2]] * 3, rows, live)

    def compare_all(self, known: datetime, tenants: Sequence[int], live: bool) -> None:
        """Ask at the close of every minute that ever had a tick, as known at one moment."""
        for own, asked in zip(self.tenants, tenants, strict=True):
            closes = sorted(
                {
                    (event.symbol, floor_minute(event.ts) + MINUTE)
                    for event in self.events
                    if event.tenant_id == own
                }
            )
            symbols, as_of = [symbol for symbol, _ in closes], [close for _, close in closes]
            rows = self.world.ask_each(symbols, as_of, [known] * len(closes), asked)
            self.judge(own, symbols, as_of, [known] * len(closes), rows, live)

    def judge(
        self,
        tenant: int,
        symbols: Sequence[str],
        as_of: Sequence[datetime],
        known: Sequence[datetime],
        rows: Sequence[Row],
        live: bool,
    ) -> None:
        """Fail on the first row that is not the oracle's."""
        assert len(rows) == len(symbols)
        published = self.world.published_at()
        if live and self.oracle.stamps:
            assert published == self.oracle.stamps[-1]
        for row, symbol, at, known_at in zip(rows, symbols, as_of, known, strict=True):
            effective = min(known_at, published)
            want = self.oracle.snapshot(tenant, symbol, at, effective, live)
            assert (row["symbol"], row["as_of"], row["known_as_of"]) == (symbol, at, effective)
            wrong = differences(row, want)
            assert not wrong, (
                f"{'live' if live else 'rebuilt'} tenant {tenant} {symbol} as_of {at}"
                f" known_as_of {known_at} (published {published}): {'; '.join(wrong)}"
            )
            self.count(want)

    def count(self, want: Snapshot) -> None:
        """Remember what was compared."""
        self.seen.update(name for name in FIELDS if want.values[name] is not None)
        self.seen[f"tag {want.values['regime_tag']}"] += 1
        self.seen["stale" if want.is_stale else "fresh"] += 1

    # the end: rebuilt from the raw events

    def teardown(self) -> None:
        """Rebuild what was live under other tenants, and compare both with the oracle."""
        if not self.events:  # the example did not get as far as its first block
            return
        rng = random.Random(len(self.events))  # noqa: S311
        self.compare(rng, self.tenants, live=True, number=12)
        for stamp in {
            *self.oracle.stamps[-1:],
            *rng.sample(self.oracle.stamps, k=min(2, len(self.oracle.stamps))),
        }:
            self.compare_all(stamp, self.tenants, live=True)
        asked = self.agreed(rng)
        live = [
            [self.world.ask_each(*question, tenant) for question in asked]
            for tenant in self.tenants
        ]
        copies = self.copy()
        before = self.world.log(self.tenants)
        end = max(self.now, *(e.known_at for e in self.events)) + timedelta(days=1)
        self.world.set_clock(end, end)
        since, until = self.start - timedelta(days=1), floor_minute(end)
        between = floor_minute(since + MINUTE + (until - since - MINUTE) * rng.random())
        parts = [(since, between), (between, until), (between - MINUTE, between + MINUTE)]
        rng.shuffle(parts)
        if self.world.kind != "embedded":
            self.world.kill(BACKFILL, list(parts[0]), rng.randint(0, 200))
        for part in parts:
            self.world.backfill(*part)
        self.compare(rng, copies, live=False, number=20)
        for known in (end, rng.choice(self.events).known_at, self.moments(rng, ALWAYS_OPEN)[1]):
            self.compare_all(known, copies, live=False)
        for own, copied, answers in zip(self.tenants, copies, live, strict=True):
            for question, answer in zip(asked, answers, strict=True):
                rebuilt = self.world.ask_each(*question, copied)
                self.judge(own, *question, rebuilt, live=False)
                for one, other in zip(answer, rebuilt, strict=True):
                    # stamps differ by design; the oracle knows when a tag may
                    names = set(one) - {"known_at", "regime_tag"}
                    assert all(same(one[name], other[name]) for name in names), (one, other)
        self.only_older_were_added(before)

    def agreed(self, rng: random.Random) -> list[tuple[list[str], list[datetime], list[datetime]]]:
        """Questions at stamps at which everything applied by then, or later, was known."""
        stamps = [stamp for stamp in self.oracle.stamps if self.oracle.complete(stamp)]
        asked = []
        for stamp in rng.sample(stamps, min(4, len(stamps))):
            symbols = self.symbols * 4
            as_of = [min(self.moments(rng, symbol)[0], stamp) for symbol in symbols]
            asked.append((symbols, as_of, [stamp] * len(symbols)))
        return asked

    def copy(self) -> list[int]:
        """The raw rows of both tenants under new ids."""
        copies = [self.world.tenant() for _ in self.tenants]
        for old, new in zip(self.tenants, copies, strict=True):
            for table in ("trade", "trade_superseded", "quote", "quote_superseded"):
                self.world.copy_rows(table, old, new)
        return copies

    def only_older_were_added(self, before: set[tuple[object, ...]]) -> None:
        """A backfill leaves alone what a bar has from its first version on."""
        after = self.world.log(self.tenants)
        assert before <= after
        first: dict[tuple[object, ...], object] = {}
        for *bar, known_at in sorted(before, reverse=True):
            first[tuple(bar)] = known_at
        for *bar, known_at in after - before:
            earliest = first.get(tuple(bar))
            assert earliest is None or known_at < earliest


@pytest.fixture(scope="module")
def world(databases: Databases, database: str, run_dbt: Callable[..., str]) -> Iterator[World]:
    """A database with the models that publishes read the formulas from."""
    run_dbt(database, "run", "--quiet")
    made = World(database, databases.kind)
    yield made
    made.close()


def test_what_is_published_and_what_is_rebuilt_equal_the_oracle(world: World) -> None:
    run_state_machine_as_test(
        # it says that it wants a class, and calls it
        lambda: PointInTime(world),  # type: ignore[arg-type]
        settings=settings(
            max_examples=5,
            stateful_step_count=25,
            deadline=None,
            # an example costs seconds: to shrink one takes longer than to read its steps
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_every_field_and_every_tag_is_reached(world: World) -> None:
    machine = PointInTime(world)
    machine.begin("SYN_ES")
    for seed, (style, minutes) in enumerate(
        [("calm", 200), ("wild", 40), ("calm", 120), ("up", 60), ("down", 60), ("thin", 60)]
    ):
        machine.block(seed, minutes, style, 1)
        machine.publish()
        for more in range(3):
            machine.check(100 * seed + more)
    machine.teardown()
    tags = {f"tag {tag}" for tag in ("volatile", "trend_up", "trend_down", "range", None)}
    assert {*FIELDS, *tags, "stale", "fresh"} <= set(machine.seen)
