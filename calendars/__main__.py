"""make calendars: write the calendars of seeds/, or compare what is there with their sources."""

import argparse
import csv
import sys
from datetime import UTC, date, datetime
from difflib import unified_diff
from pathlib import Path

from calendars import expand, files, library, rules
from calendars.files import Rows
from calendars.model import Calendar

SHOWN = 20


def main(argv: list[str] | None = None) -> int:
    """Returns 0; with --check 1 where the files are not what their sources say."""
    parser = argparse.ArgumentParser(prog="make calendars", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing: say what differs")
    parser.add_argument(
        "--sessions", action="store_true", help="print every session of a stock exchange, in UTC"
    )
    parser.add_argument("--seeds", type=Path, default=files.SEEDS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    kept = files.read(options.seeds)
    if options.sessions:
        _print_sessions(kept)
        return 0
    if options.check:
        return _check(options.seeds, kept)
    last = _last()
    made, notes = files.merge(_made({}, last), kept)
    for name in files.FILES:
        (options.seeds / f"{name}.csv").write_text(files.text(made[name], name), encoding="utf-8")
        print(f"seeds/{name}.csv: {len(made[name])} rows")
    print("\n".join([*notes, f"calendars end on {last}. Load them: make migrate"]))
    return 0


def _last() -> date:
    """Until when calendars are made: next year is published, what is later is not."""
    return date(datetime.now(UTC).year + 1, 12, 31)


def _made(ends: dict[str, date], last: date) -> list[Calendar]:
    """Our calendars, each until its day of ends, or last."""
    made = [library.calendar(name, ends.get(name, last)) for name in library.EXCHANGES]
    return made + list(rules.calendars(last))


def _check(seeds: Path, kept: Rows) -> int:
    """Compare text with text, until the day that the files end on, then moment with moment."""
    ends = files.ends(kept)
    made, notes = files.merge(_made(ends, max(ends.values(), default=_last())), kept)
    differs: list[str] = []
    for name in files.FILES:
        path = seeds / f"{name}.csv"
        differs += unified_diff(
            path.read_text(encoding="utf-8-sig").splitlines(),
            files.text(made[name], name).splitlines(),
            f"{path}",
            "its source",
            n=0,
            lineterm="",
        )
    for calendar_id in library.EXCHANGES if not differs else ():
        here, there = expand.written(kept, calendar_id), expand.expected(kept, calendar_id)
        both = set(here) & set(there)
        differs += [f"{calendar_id}: only in seeds/: {one}" for one in here if one not in both]
        differs += [
            f"{calendar_id}: only in the library: {one}" for one in there if one not in both
        ]
        print(f"{calendar_id}: {len(both)} sessions are those of {library.SOURCE}")
    print("\n".join(notes))
    if differs:
        more = [f"... and {len(differs) - SHOWN} more"] if len(differs) > SHOWN else []
        print("\n".join([*differs[:SHOWN], *more, "make calendars writes them anew"]))
    return 1 if differs else 0


def _print_sessions(kept: Rows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["calendar_id", "opens_at", "closes_at"])
    for calendar_id in library.EXCHANGES:
        for opens_at, closes_at in expand.expected(kept, calendar_id):
            writer.writerow([calendar_id, opens_at.isoformat(), closes_at.isoformat()])


if __name__ == "__main__":
    sys.exit(main())
