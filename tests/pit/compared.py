"""A market of two tenants, and the comparison of its answers with the oracle's."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)

from tests.known import known_from_the_beginning
from tests.pit import sessions, sets
from tests.pit.edits import Edits
from tests.pit.oracle import (
    FIELDS,
    KINDS,
    LONGEST_AGE,
    MINUTE,
    Event,
    Oracle,
    Snapshot,
    Stream,
    differences,
    floor_minute,
    same,
)
from tests.pit.world import BACKFILL, PREFIXES, Row, World

ALWAYS_OPEN = "SYN_BTCUSD"
WITH_GAPS = ("SYN_AAPL", "SYN_ES", "SYN_EURUSD")
# what their bars are made of, if not of trades
BARS_FROM = {"SYN_EURUSD": "quote", "SYN_ES": "bar"}
# a Friday some hours before the sessions with gaps end; each example has a week of its own
FIRST = datetime(2024, 1, 5, 17, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
WEEKS = 140
MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
STALE_AFTER = timedelta(minutes=15)
SOONER = timedelta(seconds=90)


@dataclass
class Asked:
    """Moments of symbols, and the digest of what each set answered."""

    symbols: list[str] = field(default_factory=list)
    as_of: list[datetime] = field(default_factory=list)
    known: list[datetime] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)


class Compared(RuleBasedStateMachine):
    """What a state machine does with the answers, whatever its rules have made of the market."""

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
        self.on_their_way: list[Event] = []
        self.seq = 0
        self.seen: Counter[str] = Counter()
        self.edits: Edits | None = None
        # of each tenant all that was asked, and the digests of the answers
        self.asked: dict[int, Asked] = {}
        self.begin(WITH_GAPS[0])

    def begin(self, symbol: str, sooner: str = "vwap") -> None:
        """Choose the symbol whose market closes, and the field that is stale before the others."""
        self.symbols = [ALWAYS_OPEN, symbol]
        self.days = (self.start - WEEK).date(), (self.start + 6 * WEEK).date()
        self.oracle = Oracle(
            {s: sessions.of_symbol(s, *self.days) for s in self.symbols}, bars_from=BARS_FROM
        )
        for of, kind in BARS_FROM.items():
            self.world.connection.execute(
                "update market.instrument set bars_from = %s where symbol = %s", [kind, of]
            )
        known_from_the_beginning(self.world.connection, "instrument")
        self.oracle.max_staleness = {
            name: SOONER if name == sooner else STALE_AFTER for name in FIELDS
        }
        self.world.set_staleness(int(STALE_AFTER / SECOND), field=sooner, less=int(SOONER / SECOND))

    @property
    def streams(self) -> list[Stream]:
        return [(tenant, symbol) for tenant in self.tenants for symbol in self.symbols]

    def moments(self, rng: random.Random, symbol: str) -> tuple[datetime, datetime]:
        """An as_of and a known_as_of, near where answers change more often than not."""
        near = [timedelta(), timedelta(), -MICROSECOND, MICROSECOND, rng.random() * MINUTE]
        mine = [e for e in self.events[-40:] if e.symbol == symbol] or self.events
        about = rng.choice(mine if rng.random() < 0.5 else self.events)
        close = floor_minute(about.ts) + MINUTE
        edited = [held[symbol] for _, held, _ in self.oracle.edits[-1:]]
        # not those of an instrument that was taken out, which has no end
        held = [s for part in (self.oracle.sessions[symbol], *edited) for s in part]
        opens, closes = rng.choice([s for s in held if s[0] > self.start - 2 * WEEK])
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
            [
                *(as_of, self.now, anywhere, about.known_at, stamps[-1], later[0]),
                *(rng.choice(stamps), *(since for since, *_ in self.oracle.edits[-3:])),
            ]
        )
        return as_of + rng.choice(near), known + rng.choice(near)

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
            if live:
                self.remember(own, symbols, as_of, [row["known_as_of"] for row in both])
            at_once = self.world.ask_each(symbols, as_of, None, asked)
            self.judge(own, symbols, as_of, as_of, at_once, live)
            pair = [*self.symbols, self.symbols[0]]
            for i in range(2):
                rows = self.world.ask(pair, as_of[i], known[i], asked)
                self.judge(own, pair, [as_of[i]] * 3, [known[i]] * 3, rows, live)
            rows = self.world.ask(pair, as_of[2], None, asked)
            self.judge(own, pair, [as_of[2]] * 3, [as_of[2]] * 3, rows, live)

    def remember(
        self,
        tenant: int,
        symbols: Sequence[str],
        as_of: Sequence[datetime],
        known: Sequence[datetime],
    ) -> None:
        """Ask the same again for ever."""
        asked = self.asked.setdefault(tenant, Asked())
        asked.symbols += symbols
        asked.as_of += as_of
        asked.known += known
        asked.digests = {prefix: self.digest(prefix, tenant) for prefix in PREFIXES}

    def digest(self, prefix: str, tenant: int) -> str:
        asked = self.asked[tenant]
        return self.world.digest(prefix, asked.symbols, asked.as_of, asked.known, tenant)

    @invariant()
    def no_answer_moves(self, *prefixes: str) -> None:
        """What was asked is answered as it was; of other sets, where it matters most."""
        for tenant, asked in self.asked.items():
            for prefix in prefixes or PREFIXES[:1]:
                assert self.digest(prefix, tenant) == asked.digests[prefix], (prefix, tenant, asked)

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

    def compare_sets(self, known: datetime, tenants: Sequence[int], live: bool) -> None:
        """What the other sets' logs knew at a stamp, or any moment, of every bar."""
        for own, asked in zip(self.tenants, tenants, strict=True):
            for symbol in self.symbols:
                wrong = sets.wrong_of_copy(
                    self.world, self.oracle, (own, symbol), asked, known, live
                )
                assert not wrong, f"live {live} tenant {own} {symbol} known {known}: {wrong[:5]}"

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
        try:
            if self.events:  # the example got as far as its first block
                self.rebuild()
        finally:
            if self.edits:
                self.edits.undo()

    def rebuild(self) -> None:
        """The same from the raw events."""
        self.no_answer_moves(*PREFIXES)
        rng = random.Random(len(self.events))  # noqa: S311
        self.compare(rng, self.tenants, live=True, number=12)
        for stamp in {
            *self.oracle.stamps[-1:],
            *rng.sample(self.oracle.stamps, k=min(2, len(self.oracle.stamps))),
        }:
            self.compare_all(stamp, self.tenants, live=True)
            self.compare_sets(stamp, self.tenants, live=True)
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
        for known in (end, rng.choice(self.events).known_at):
            self.compare_sets(known, copies, live=False)
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
            for kind in KINDS:
                self.world.copy_rows(kind, old, new)
                self.world.copy_rows(f"{kind}_superseded", old, new)
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
