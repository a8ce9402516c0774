"""Look at, mend and send back refused messages: python -m ingest dlq list|show|replay."""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.settings import Env
from ingest.config import StreamConfig
from ingest.database import Database
from ingest.deadletters import letters as dead
from ingest.deadletters.letters import DeadLetterError, Letter, Parcel
from ingest.errors import UndecodableError
from ingest.kinds import KINDS, Record
from ingest.reference import read_known
from ingest.validate import moment, validate
from ingest.wire.codec import decode, encode
from ingest.wire.topics import dead_letter_topic

NEWEST = 50
SHOWN_BYTES = 4096
COLUMNS = ("dlq offset", "source", "reason", "time", "message")


def main(argv: list[str], env: Env, database_url: Callable[[], str]) -> int:
    """Run one of the three; returns 0, raises IngestError with the remedy.

    database_url: asked only where letters are mended.
    """
    options = _options(argv)
    config = StreamConfig.from_env(env)
    if options.command == "list":
        _list(config, options)
    elif options.command == "show":
        _show(config, options)
    else:
        _replay(config, options, database_url)
    return 0


def _topics(config: StreamConfig, topic: str | None) -> list[str]:
    known = list(config.topics.values())
    if topic is None:
        return known
    if topic.removesuffix(".dlq") not in known:
        raise DeadLetterError(
            f"topic {topic!r} is neither of {' and '.join(known)}: choose one of them, or set "
            f"{' or '.join(kind.setting for kind in KINDS.values())}"
        )
    return [topic.removesuffix(".dlq")]


def _read(config: StreamConfig, options: argparse.Namespace) -> Iterator[Letter]:
    for topic in _topics(config, options.topic):
        for letter in dead.read(config.kafka_bootstrap, topic):
            if options.reason is None or letter.reason == options.reason:
                yield letter


def _list(config: StreamConfig, options: argparse.Namespace) -> None:
    last: defaultdict[str, deque[Letter]] = defaultdict(lambda: deque(maxlen=options.limit))
    totals: Counter[tuple[str, str]] = Counter()
    for letter in _read(config, options):
        last[letter.dlq].append(letter)
        totals[letter.topic, letter.reason] += 1
    by_time = sorted((x for those in last.values() for x in those), key=lambda x: x.time_us)
    newest = by_time[max(0, len(by_time) - options.limit) :]
    _table(COLUMNS, [_line(letter) for letter in newest])
    if totals.total() > len(newest):
        print(f"these are {len(newest)} of {totals.total()}: --limit shows more")
    print()
    _table(
        ("topic", "reason", "dead letters"),
        [(topic, reason, str(number)) for (topic, reason), number in sorted(totals.items())],
    )
    print(f"{totals.total()} dead letters")


def _line(letter: Letter) -> tuple[str, ...]:
    return (
        f"{letter.dlq}@{letter.offset}",
        letter.source,
        letter.reason,
        moment(letter.time_us),
        letter.headers.get("message", ""),
    )


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table, or lines of tab-separated values where no one looks at a terminal."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            print("\t".join(" ".join(cell.split()) for cell in row))
        return
    table = Table(*columns, box=box.SIMPLE)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _show(config: StreamConfig, options: argparse.Namespace) -> None:
    (letter,) = _numbered(config, _topics(config, options.topic), [options.offset])
    for name, value in letter.headers.items():
        print(f"{name}: {value}")
    print(f"refused at: {moment(letter.time_us)}")
    print(f"key: {letter.key!r}")
    payload = letter.payload
    if payload is None:
        print("payload: none (a tombstone)")
        return
    cut = "" if len(payload) <= SHOWN_BYTES else f", the first {SHOWN_BYTES}; --all shows all"
    shown = payload if options.all else payload[:SHOWN_BYTES]
    print(f"payload: {len(payload)} bytes{'' if options.all else cut}\n{shown.hex(' ', 4)}")
    try:
        record = decode(_kind(config, letter), payload)
    except UndecodableError as error:
        print(f"record: none, {error}")
        return
    for name, value in record.items():
        clock = f"  ({moment(value)})" if name in ("ts", "known_at") and value is not None else ""
        print(f"record {name}: {value!r}{clock}")


def _numbered(config: StreamConfig, topics: list[str], offsets: list[int]) -> list[Letter]:
    """Find letters by their offset in the dead-letter topic; each must be in just one topic."""
    found: dict[int, list[Letter]] = {offset: [] for offset in offsets}
    for topic in topics:
        for letter in dead.read(config.kafka_bootstrap, topic):
            if letter.offset in found:
                found[letter.offset].append(letter)
    dlqs = " or ".join(map(dead_letter_topic, topics))
    for offset, those in found.items():
        if not those:
            raise DeadLetterError(
                f"no dead letter has offset {offset} in {dlqs}: "
                "`python -m ingest dlq list` names those that are there"
            )
        if len(those) > 1:
            raise DeadLetterError(f"offset {offset} is in {dlqs}: choose one with --topic")
    return [letter for those in found.values() for letter in those]


def _replay(
    config: StreamConfig, options: argparse.Namespace, database_url: Callable[[], str]
) -> None:
    topics = _topics(config, options.topic)
    changes = dict(options.set)
    if options.offset:
        chosen: Iterable[Letter] = _numbered(config, topics, options.offset)
        chosen = [x for x in chosen if options.reason in (None, x.reason)]
    else:
        chosen = list(_read(config, options))
    rows = [letter for letter in chosen if not letter.was_message]
    if rows and options.offset:
        raise DeadLetterError(
            f"letter {rows[0].offset} of {rows[0].dlq} is a row of a file and never was a message: "
            "correct the mapping or the file and run python -m ingest replay"
        )
    sent = {
        identity
        for topic in ([] if options.again else topics)
        for identity in dead.replayed(config.kafka_bootstrap, topic)
    }
    # the newest of those that a crash wrote twice
    messages = {letter.identity: letter for letter in chosen if letter.was_message}
    fresh = [letter for identity, letter in messages.items() if identity not in sent]
    if len(fresh) < len(messages):
        print(f"{len(messages) - len(fresh)} were sent back before: --again sends them once more")
    if rows:
        print(f"{len(rows)} are rows of files, not messages: see `python -m ingest replay`")
    if changes:
        parcels = _mended(config, fresh, changes, database_url)
    else:
        parcels = [(letter, letter.key, letter.payload) for letter in fresh]
    for letter, key, payload in parcels:
        size = "a tombstone" if payload is None else f"{len(payload)} bytes"
        print(f"{letter.dlq}@{letter.offset} -> {letter.topic}, key {key!r}, {size}")
    if not parcels:
        print("nothing to send")
    elif options.dry_run:
        print(f"{len(parcels)} would be sent back")
    else:
        if not options.yes:
            _confirm(len(parcels))
        dead.send_back(config.kafka_bootstrap, parcels)
        print(f"{len(parcels)} sent back")


def _mended(
    config: StreamConfig,
    chosen: list[Letter],
    changes: dict[str, str],
    database_url: Callable[[], str],
) -> list[Parcel]:
    """Mend the records; one that ingest would refuse again stops everything."""
    if not chosen:
        return []
    with closing(Database(database_url(), config.retry_s)) as database:
        known = read_known(database)
    parcels: list[Parcel] = []
    for letter in chosen:
        kind = _kind(config, letter)
        named = f"letter {letter.offset} of {letter.dlq}"
        record = _record(kind, letter, named)
        mended = dead.mend(kind, record, changes)
        tolerance_us = int(config.future_tolerance_s * 1_000_000)
        refusal = validate(kind, mended, known, time.time_ns() // 1000, tolerance_us)
        if refusal is not None:
            raise DeadLetterError(
                f"{named} would be refused again, {refusal.reason}: {refusal.message}; "
                "nothing was sent: mend that too with --set, or choose letters with --offset"
            )
        parcels.append((letter, dead.key_after(letter, record, mended), encode(kind, mended)))
    return parcels


def _record(kind: str, letter: Letter, named: str) -> Record:
    try:
        return decode(kind, letter.payload)
    except UndecodableError as error:
        raise DeadLetterError(
            f"{named} has no record to mend ({error}): leave it out with --reason or --offset, or "
            "send it back as it is, without --set"
        ) from None


def _kind(config: StreamConfig, letter: Letter) -> str:
    return next(kind for kind, topic in config.topics.items() if topic == letter.topic)


def _confirm(number: int) -> None:
    try:
        answer = input(f"send {number} back? [y/N] ")
    except EOFError:
        raise DeadLetterError("no one answers: say --yes to send without asking") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise DeadLetterError("nothing was sent, as you said")


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ingest dlq",
        description="Refused messages: docs/dead-letters.md. Exit code 1: refused, see stderr.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="one line a letter, and the totals by reason")
    listing.add_argument(
        "--limit", type=_natural, default=NEWEST, help=f"how many of the newest ({NEWEST})"
    )
    showing = commands.add_parser("show", help="everything about one letter")
    showing.add_argument("offset", type=_natural, help="its offset in the dead-letter topic")
    showing.add_argument("--all", action="store_true", help="all bytes of a long message")
    replaying = commands.add_parser("replay", help="send letters back to their topic, each once")
    replaying.add_argument(
        "--offset", type=_natural, nargs="+", help="these letters only, by dlq offset"
    )
    replaying.add_argument(
        "--set",
        type=_change,
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="mend this field of every record before it is sent",
    )
    replaying.add_argument("--dry-run", action="store_true", help="say what would be sent")
    replaying.add_argument("--again", action="store_true", help="also those sent back before")
    replaying.add_argument("--yes", action="store_true", help="do not ask")
    for command in (listing, showing, replaying):
        command.add_argument("--topic", help="of the refused messages; absent: trades and quotes")
    for command in (listing, replaying):
        command.add_argument("--reason", help="this reason only, for example negative_price")
    return parser.parse_args(argv)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: say a number from 0 on")
    return int(text)


def _change(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text}: say field=value")
    return name, value
