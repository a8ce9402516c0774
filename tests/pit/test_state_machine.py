"""Random streams, published as they come and rebuilt afterwards, against the oracle."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import Databases
from tests.pit.compared import BARS_FROM, MICROSECOND, SECOND, WEEK, WITH_GAPS, Compared
from tests.pit.edits import Edits
from tests.pit.oracle import (
    FIELDS,
    KINDS,
    MINUTE,
    Event,
    Quote,
    Stream,
    Trade,
    VendorBar,
    floor_minute,
)
from tests.pit.world import PREFIXES, PUBLISH, World

LONGEST = timedelta(days=4)
MOST_EVENTS = 2500  # the oracle looks at each of them for each answer
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


class PointInTime(Compared):
    """Two tenants with two symbols each: what is published is what the oracle says."""

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
        """A trade, or the bar of its minute where a vendor makes the bars."""
        if BARS_FROM.get(stream[1]) == "bar":
            return self.vendor_bar(rng, stream, floor_minute(ts), ts + lag)
        self.seq += 1
        size, side = 2.0 ** rng.randint(-3, 5), rng.choice(["buy", "sell", None])
        values = Trade(self.price(stream, rng.gauss(0, 3)), size, side)
        return Event("new", *stream, ts, self.seq, values, ts + lag)

    def vendor_bar(
        self, rng: random.Random, stream: Stream, ts: datetime, known_at: datetime
    ) -> Event:
        first, last = self.price(stream, rng.gauss(0, 3)), self.price(stream, rng.gauss(0, 3))
        high = max(first, last) + rng.randint(0, 2) * TICK
        low = min(first, last) - rng.randint(0, 2) * TICK
        # beyond low and high, too: a vendor counts other trades in it
        vwap = rng.choice([None, (high + low) / 2, high + TICK])
        volume = rng.choice([None, 0.0, 2.0 ** rng.randint(-3, 5)])
        values = VendorBar(first, high, low, last, volume, vwap)
        return Event("new", *stream, ts, 0, values, max(known_at, ts + MINUTE))

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
                    if rng.random() < (0.9 if BARS_FROM.get(stream[1]) == "quote" else 0.3):
                        events.append(self.quote(rng, stream, ts, delay))
        self.apply(events)
        self.now = first + minutes * MINUTE + lag * SECOND

    def flat(self, stream: Stream, made: Event) -> Event:
        """The same trade at a price that never moves."""
        self.prices[stream] = 100.0
        if isinstance(made.values, VendorBar):
            return replace(made, values=VendorBar(100.0, 100.0, 100.0, 100.0, None, None))
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
        """Messages said again, also corrections and cancels: as they were, or contradicting."""
        rng = random.Random(seed)  # noqa: S311
        again = []
        for old in rng.choices(self.events, k=number):
            values = old.values
            if rng.random() < 0.5 and isinstance(values, Trade):
                values = replace(values, price=values.price + 1)
            elif isinstance(values, VendorBar):
                values = replace(values, high=values.high + 1)
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
            fresh = (self.quote if isinstance(old.values, Quote) else self.trade)(
                rng, stream, old.ts, timedelta()
            )
            # an amendment can carry a knowledge time before the one of what it amends
            known = rng.choice([self.now, self.now, old.ts + (self.now - old.ts) * rng.random()])
            known = max(known, old.earliest, self.live_from + MICROSECOND)
            values = fresh.values if action == "correction" else old.values
            made.append(Event(action, *stream, old.ts, old.seq, values, known))
        self.apply(made)

    @rule(seed=seeds, which=st.integers(0, 3), lag=lags, number=st.integers(1, 3))
    def amend_what_comes_later(self, seed: int, which: int, lag: timedelta, number: int) -> None:
        """Corrections and cancels of ticks that are still on their way."""
        rng = random.Random(seed)  # noqa: S311
        stream = self.streams[which]
        made = []
        for _ in range(number):
            ts = max(self.now - lag * rng.random(), self.start)
            tick = rng.choice([self.trade, self.quote])(rng, stream, ts, self.now - ts)
            known = rng.choice([self.now, self.now + SECOND])
            action = rng.choice(["correction", "cancel"])
            made.append(replace(tick, action=action, known_at=max(known, tick.earliest)))
            if isinstance(tick.values, Trade):
                tick = replace(tick, values=replace(tick.values, size=tick.values.size * 2))
            self.on_their_way.append(tick)
        self.apply(made)

    @precondition(lambda self: self.on_their_way)
    @rule()
    def what_was_on_its_way(self) -> None:
        """It comes, by the clock of its capture or by that of now."""
        ticks, self.on_their_way = self.on_their_way, []
        late = [max(t.known_at, self.now if i % 2 else t.ts) for i, t in enumerate(ticks)]
        self.apply([replace(t, known_at=at) for t, at in zip(ticks, late, strict=True)])

    @rule(seed=seeds, action=st.sampled_from(["new", "correction"]), number=st.integers(1, 3))
    def reinstate(self, seed: int, action: str, number: int) -> None:
        """What was cancelled lives again; what was not has been said before, or is a correction."""
        rng = random.Random(seed)  # noqa: S311
        gone = [e for e in self.events if e.action == "cancel"] or self.events
        chosen = rng.choices(gone, k=number)
        self.apply([replace(e, action=action, known_at=max(self.now, e.earliest)) for e in chosen])

    @rule(seed=seeds)
    def cancel_a_bar(self, seed: int) -> None:
        """Cancel all that the bar of one minute is made of: the bar goes."""
        rng = random.Random(seed)  # noqa: S311
        old = rng.choice(self.events)
        stream, minute = (old.tenant_id, old.symbol), floor_minute(old.ts)
        kind = KINDS[BARS_FROM.get(old.symbol, "trade")]
        gone = [
            Event("cancel", *stream, v.ts, v.seq, v.values, self.now)
            for v in self.oracle.of(kind, stream)
            if floor_minute(v.ts) == minute and v.superseded_at is None
        ]
        self.apply([replace(e, known_at=max(self.now, e.earliest)) for e in gone])

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

    # what is not ticks

    def edit(self, seed: int, kinds: Sequence[str], number: int) -> None:
        """Some edits, each known from then on; then what was asked is asked again."""
        rng = random.Random(seed)  # noqa: S311
        if self.edits is None:
            self.edits = Edits(
                self.world,
                self.symbols,
                list(BARS_FROM),
                self.oracle.max_staleness,
                self.start.date(),
            )
        for _ in range(number):
            since = self.stamp()
            if self.edits.edit(rng, rng.choice(kinds), since):
                held = {s: self.edits.sessions(s, *self.days) for s in self.symbols}
                self.oracle.edits.append((since, held, dict(self.edits.max_staleness)))
            self.now += rng.choice([1e-6, 61.0]) * SECOND
        self.publish()
        self.no_answer_moves(*PREFIXES)

    @rule(seed=seeds, number=st.integers(1, 3))
    def edit_calendar(self, seed: int, number: int) -> None:
        """Days off, hours of a weekday, a time zone."""
        self.edit(seed, ["holiday", "week", "zone"], number)

    @rule(seed=seeds)
    def edit_instrument(self, seed: int) -> None:
        """Another calendar, or none."""
        self.edit(seed, ["instrument"], 1)

    @rule(seed=seeds, number=st.integers(1, 2))
    def edit_contract(self, seed: int, number: int) -> None:
        """Other maxima."""
        self.edit(seed, ["contract"], number)

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

    @rule(
        name=st.sampled_from(["ohlc_1m", "flow_1m", "quote_1m", "mid_1m", "ohlc_5m"]),
        late=st.booleans(),
    )
    def refresh(self, name: str, late: bool) -> None:
        """A policy refreshes an aggregate, up to now or only what is old."""
        until = floor_minute(self.now) - timedelta(hours=1 if late else 0)
        if until - timedelta(hours=1) > self.start:
            self.world.connection.execute(
                f"call refresh_continuous_aggregate('market.{name}', %s, %s)".encode(),
                [self.start - timedelta(days=1), until],
            )

    @rule(table=st.sampled_from(["market.trade", "market.quote", "market.bar", "feature.log"]))
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

    @rule(seed=seeds)
    def check(self, seed: int) -> None:
        """Both forms of the snapshot equal the oracle, in order, duplicates kept."""
        self.compare(random.Random(seed), self.tenants, live=True, number=12)  # noqa: S311


@pytest.fixture(scope="module")
def world(databases: Databases, database: str) -> Iterator[World]:
    """A database with the models that publishes read the formulas from."""
    made = World(database, databases.kind)
    yield made
    made.close()


# on a machine that does other things, too, the embedded engine takes longer than a test may
@pytest.mark.timeout(1800)
def test_what_is_published_and_what_is_rebuilt_equal_the_oracle(world: World) -> None:
    run_state_machine_as_test(
        # it says that it wants a class, and calls it
        lambda: PointInTime(world),  # type: ignore[arg-type]
        settings=settings(
            max_examples=3 if world.kind == "embedded" else 5,
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
