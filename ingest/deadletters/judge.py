"""Which letters would be refused again: ingest's rules, with what the database knows by now."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing

import polars as pl

from embedded.errors import UserError
from ingest.config import StreamConfig
from ingest.database import Database
from ingest.deadletters.letters import DeadLetterError, Letter
from ingest.deadletters.listing import Totals, show_totals, whose
from ingest.errors import RegistryUnavailableError, UndecodableError, UnknownSchemaError
from ingest.kinds import KINDS, Record
from ingest.reference import read_known
from ingest.validate import UNDECODABLE, Known, Refusal, passes, reasons, refusals
from ingest.wire.codec import decode
from ingest.wire.registry import schemas


def known_now(database_url: Callable[[], str]) -> Known:
    """Read what ticks are judged by. Raises DeadLetterError where no database answers."""
    try:
        with closing(Database(database_url(), retry_s=0)) as database:
            return read_known(database)
    except UserError as error:
        raise DeadLetterError(
            f"nothing was sent: whether the letters would be refused again is not known without "
            f"the database ({error}); --anyway sends them without asking it"
        ) from None


def judge(config: StreamConfig, letters: Sequence[Letter], known: Known) -> list[Refusal | None]:
    """Return for each letter why ingest would refuse its bytes again; None: it would not.

    Or it cannot be told: what contradicts a stored tick is known only where that is, and of a
    schema that the registry does not have the producer may still tell it. Raises DeadLetterError
    where no registry answers.
    """
    source = schemas(config.schema_registry_url)
    found: list[Refusal | None] = [None] * len(letters)
    records: defaultdict[str, list[tuple[int, Record]]] = defaultdict(list)
    kinds = {topic: kind for kind, topic in config.topics.items()}
    for at, letter in enumerate(letters):
        kind = kinds.get(letter.topic)
        if kind is None:
            continue
        try:
            records[kind].append((at, decode(kind, letter.payload, source)))
        except UndecodableError as error:
            found[at] = Refusal(UNDECODABLE.name, str(error))
        except UnknownSchemaError:
            continue
        except RegistryUnavailableError as error:
            raise DeadLetterError(
                f"nothing was sent: the letters cannot be read without the registry ({error}); "
                "--anyway sends them without reading them"
            ) from None
    clock = time.time_ns() // 1000, int(config.future_tolerance_s * 1_000_000)
    for kind, those in records.items():
        columns = KINDS[kind].columns
        rows = pl.DataFrame([record for _, record in those], schema=columns, orient="row")
        keep = rows.select(passes(kind, known, *clock).alias("keep")).to_series()
        broken = [at for (at, _), holds in zip(those, keep, strict=True) if not holds]
        if broken:
            bad = refusals(kind, rows.filter(~keep), known, *clock)
            for at, refusal in zip(broken, bad, strict=True):
                found[at] = refusal
    return found


def show_kept(letters: Sequence[Letter], judged: Sequence[Refusal | None]) -> None:
    """Print which letters stay, by reason and whose they are, and what to do about each reason."""
    totals: Totals = Counter()
    for letter, refusal in zip(letters, judged, strict=True):
        if refusal is not None:
            topic, _, tenant, symbol, file = whose(letter)
            totals[topic, refusal.reason, tenant, symbol, file] += 1
    if not totals:
        return
    print(f"{totals.total()} would be refused again and stay; --anyway sends them, too:")
    show_totals(totals)
    known = reasons()
    for reason in dict.fromkeys(reason for _, reason, *_ in totals):
        print(f"  {reason}: {known[reason].remedy}")


def refuse_kept(letters: Sequence[Letter], judged: Sequence[Refusal | None]) -> None:
    """Raise DeadLetterError for the first letter that would be refused again."""
    for letter, refusal in zip(letters, judged, strict=True):
        if refusal is not None:
            raise DeadLetterError(
                f"letter {letter.offset} of {letter.dlq} would be refused again, {refusal.reason}: "
                f"{refusal.message}; nothing was sent: mend it with --set, or --anyway sends it as "
                "it is"
            )
