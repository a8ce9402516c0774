"""Look at, mend, send back and drop refused messages: dlq list|show|replay|drop."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import closing

from embedded.errors import UserError
from engine.settings import Env
from ingest.config import StreamConfig
from ingest.database import Database
from ingest.deadletters import letters as dead
from ingest.deadletters.judge import judge, known_now, refuse_kept, show_kept
from ingest.deadletters.letters import DeadLetterError, Letter, Parcel
from ingest.deadletters.listing import Totals, show_letters, show_totals, whose
from ingest.deadletters.selection import Selection, kind_of, numbered, topics
from ingest.errors import UndecodableError
from ingest.kinds import Record
from ingest.validate import moment, validate
from ingest.wire.codec import decode, encode

NEWEST = 50
SHOWN_BYTES = 4096


def main(argv: list[str], env: Env, database_url: Callable[[], str]) -> int:
    """Run one of the four; returns 0, raises IngestError with the remedy.

    database_url: asked only where letters are mended, sent or dropped.
    """
    options = _options(argv)
    config = StreamConfig.from_env(env)
    if options.command == "list":
        _list(config, options)
    elif options.command == "show":
        _show(config, options)
    elif options.command == "drop":
        _drop(config, options, database_url)
    else:
        _replay(config, options, database_url)
    return 0


def _list(config: StreamConfig, options: argparse.Namespace) -> None:
    chosen = Selection.of(config, options)
    sent = _sent_back(config, chosen.topics)
    last: defaultdict[str, deque[Letter]] = defaultdict(lambda: deque(maxlen=options.limit))
    totals: Totals = Counter()
    settled: Totals = Counter()
    for letter in chosen.letters(config):
        last[letter.dlq].append(letter)
        totals[whose(letter)] += 1
        settled[whose(letter)] += letter.identity in sent
    by_time = sorted((x for those in last.values() for x in those), key=lambda x: x.time_us)
    newest = by_time[max(0, len(by_time) - options.limit) :]
    show_letters(newest)
    if totals.total() > len(newest):
        print(f"these are {len(newest)} of {totals.total()}: --limit shows more")
    print()
    show_totals(totals, settled)
    back = f", {settled.total()} of them sent back" if settled.total() else ""
    print(f"{totals.total()} dead letters{back}")


def _sent_back(config: StreamConfig, topics: Iterable[str]) -> set[bytes]:
    notes = (dead.noted(config.kafka_bootstrap, topic) for topic in topics)
    return {identity for note in notes for identity in note.sent_back}


def _show(config: StreamConfig, options: argparse.Namespace) -> None:
    (letter,) = numbered(config, topics(config, options.topic), (options.offset,))
    for name, value in letter.headers.items():
        print(f"{name}: {value}")
    print(f"refused at: {moment(letter.time_us)}")
    print(f"key: {letter.key!r}")
    payload = letter.payload
    if payload is None:
        print("payload: none (a tombstone)")
        return
    cut = "" if len(payload) <= SHOWN_BYTES else f", the first {SHOWN_BYTES}; --all shows all"
    if letter.size is not None:
        print(f"the beginning of a message of {letter.size:,} bytes, which is {letter.source}")
    shown = payload if options.all else payload[:SHOWN_BYTES]
    print(f"payload: {len(payload)} bytes{'' if options.all else cut}\n{shown.hex(' ', 4)}")
    try:
        record = decode(kind_of(config, letter), payload)
    except UndecodableError as error:
        print(f"record: none, {error}")
        return
    for name, value in record.items():
        clock = f"  ({moment(value)})" if name in ("ts", "known_at") and value is not None else ""
        print(f"record {name}: {value!r}{clock}")


def _replay(
    config: StreamConfig, options: argparse.Namespace, database_url: Callable[[], str]
) -> None:
    selection = Selection.of(config, options)
    chosen = list(selection.letters(config))
    if options.offset:
        _refuse_numbered(chosen)
    sent = set() if options.again else _sent_back(config, selection.topics)
    # the newest of those that a crash wrote twice
    whole = {x.identity: x for x in chosen if x.was_message and x.size is None}
    fresh = [letter for identity, letter in whole.items() if identity not in sent]
    if len(fresh) < len(whole):
        print(f"{len(whole) - len(fresh)} were sent back before: --again sends them once more")
    if rows := sum(not letter.was_message for letter in chosen):
        print(f"{rows} are rows of files, not messages: see `python -m ingest replay`")
    if cut := sum(letter.size is not None and letter.was_message for letter in chosen):
        print(f"{cut} hold only the beginning of a message and are not sent")
    if options.set:
        parcels = _mended(config, fresh, options, database_url)
    else:
        if fresh and not options.anyway:
            fresh = _good(config, fresh, database_url, numbered=bool(options.offset))
        parcels = [(letter, letter.key, letter.payload) for letter in fresh]
    if not parcels:
        print("nothing to send")
        return
    show_totals(Counter(whose(letter) for letter in fresh))
    if options.dry_run:
        print(f"{len(parcels)} would be sent back")
        return
    if not options.yes:
        _confirm(f"send {len(parcels)} back?", "nothing was sent, as you said")
    dead.send_back(config.kafka_bootstrap, parcels)
    _settle(fresh, database_url)
    print(f"{len(parcels)} sent back")


def _good(
    config: StreamConfig, chosen: list[Letter], database_url: Callable[[], str], *, numbered: bool
) -> list[Letter]:
    """Those that would not become new letters; numbered: all of them, or an error."""
    judged = judge(config, chosen, known_now(database_url))
    if numbered:
        refuse_kept(chosen, judged)
    show_kept(chosen, judged)
    return [letter for letter, refusal in zip(chosen, judged, strict=True) if refusal is None]


def _refuse_numbered(chosen: list[Letter]) -> None:
    """Letters that were asked for by number are sent, or the reason why not is an error."""
    for letter in chosen:
        if not letter.was_message:
            raise DeadLetterError(
                f"letter {letter.offset} of {letter.dlq} is a row of a file and never was a "
                "message: correct the mapping or the file and run python -m ingest replay"
            )
        if letter.size is not None:
            raise DeadLetterError(
                f"letter {letter.offset} of {letter.dlq} holds only the beginning of a message of "
                f"{letter.size:,} bytes, too large for a letter: the message is {letter.source}, "
                "while its topic keeps it"
            )


def _drop(
    config: StreamConfig, options: argparse.Namespace, database_url: Callable[[], str]
) -> None:
    selection = Selection.of(config, options)
    if selection.is_all and not options.all:
        raise DeadLetterError(
            "say which: --reason, --tenant, --symbol, --source or --offset; --all drops every one"
        )
    chosen = list(selection.letters(config))
    if not chosen:
        print("nothing to drop")
        return
    show_totals(Counter(whose(letter) for letter in chosen))
    if options.dry_run:
        print(f"{len(chosen)} would be dropped")
        return
    if not options.yes:
        _confirm(f"drop {len(chosen)}, for good?", "nothing was dropped, as you said")
    dead.drop(config.kafka_bootstrap, chosen)
    _settle(chosen, database_url)
    print(f"{len(chosen)} dropped")


def _settle(letters: list[Letter], database_url: Callable[[], str]) -> None:
    """Have the database know; the notes in Kafka are what counts, so it may be away."""
    try:
        with closing(Database(database_url(), retry_s=0)) as database:
            dead.settle(database, letters)
    except UserError as error:
        print(f"market.dead_letter still counts them as open: {error}", file=sys.stderr)


def _mended(
    config: StreamConfig,
    chosen: list[Letter],
    options: argparse.Namespace,
    database_url: Callable[[], str],
) -> list[Parcel]:
    """Mend the records; without --anyway one that would be refused again stops everything."""
    if not chosen:
        return []
    known = None if options.anyway else known_now(database_url)
    changes = dict(options.set)
    parcels: list[Parcel] = []
    for letter in chosen:
        kind = kind_of(config, letter)
        named = f"letter {letter.offset} of {letter.dlq}"
        record = _record(kind, letter, named)
        mended = dead.mend(kind, record, changes)
        tolerance_us = int(config.future_tolerance_s * 1_000_000)
        now_us = time.time_ns() // 1000
        refusal = None if known is None else validate(kind, mended, known, now_us, tolerance_us)
        if refusal is not None:
            raise DeadLetterError(
                f"{named} would be refused again, {refusal.reason}: {refusal.message}; "
                "nothing was sent: mend that too with --set, choose letters with --offset, or "
                "send them --anyway"
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


def _confirm(question: str, refused: str) -> None:
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        raise DeadLetterError("no one answers: say --yes to go on without asking") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise DeadLetterError(refused)


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
        "--set",
        type=_change,
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="mend this field of every record before it is sent",
    )
    replaying.add_argument(
        "--anyway", action="store_true", help="also those that ingest would refuse again"
    )
    replaying.add_argument("--again", action="store_true", help="also those sent back before")
    dropping = commands.add_parser("drop", help="never list or send letters again")
    dropping.add_argument("--all", action="store_true", help="every letter")
    for command in (replaying, dropping):
        command.add_argument(
            "--offset", type=_natural, nargs="+", help="these letters only, by dlq offset"
        )
        command.add_argument("--dry-run", action="store_true", help="say what would be done")
        command.add_argument("--yes", action="store_true", help="do not ask")
    for command in (listing, showing, replaying, dropping):
        command.add_argument("--topic", help="of the refused messages; absent: all")
    for command in (listing, replaying, dropping):
        command.add_argument("--reason", help="this reason only, for example negative_price")
        command.add_argument("--tenant", type=int, help="this tenant's only, by tenant_id")
        command.add_argument("--symbol", help="this symbol's only")
        command.add_argument(
            "--source",
            "--file",
            dest="source",
            help="those of this replayed file, es.csv, or of this partition, trades/3",
        )
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
