"""Which dead letters are meant: by number, reason, tenant, symbol, and file or partition."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.config import StreamConfig
from ingest.deadletters import letters as dead
from ingest.deadletters.letters import DeadLetterError, Letter
from ingest.kinds import KINDS
from ingest.validate import reasons
from ingest.wire.topics import dead_letter_topic

UNMAPPABLE = "unmappable"  # of rows of files, which never were messages


@dataclass(frozen=True)
class Selection:
    """What a letter must be; None: whatever it is."""

    topics: tuple[str, ...]
    reason: str | None = None
    tenant: int | None = None
    symbol: str | None = None
    source: str | None = None
    offsets: tuple[int, ...] = ()

    @classmethod
    def of(cls, config: StreamConfig, options: argparse.Namespace) -> Selection:
        """Read it from the command line. Raises DeadLetterError."""
        return cls(
            topics(config, options.topic),
            options.reason,
            options.tenant,
            options.symbol,
            options.source,
            tuple(getattr(options, "offset", None) or ()),
        )

    @property
    def is_all(self) -> bool:
        """Whether it names nothing but topics."""
        return (self.reason, self.tenant, self.symbol, self.source) == (None,) * 4 and (
            not self.offsets
        )

    def fits(self, letter: Letter) -> bool:
        """Whether a letter is meant, its number aside."""
        return (
            self.reason in (None, letter.reason)
            and self.tenant in (None, letter.tenant)
            and self.symbol in (None, letter.symbol)
            and self.source in (None, letter.file, letter.partition)
        )

    def letters(self, config: StreamConfig) -> Iterator[Letter]:
        """Yield them without those that were dropped. Raises DeadLetterError."""
        if self.offsets:
            found = numbered(config, self.topics, self.offsets)
            yield from (letter for letter in found if self.fits(letter))
            return
        known = {UNMAPPABLE, *reasons()}
        for topic in self.topics:
            dropped = dead.noted(config.kafka_bootstrap, topic).dropped
            for letter in dead.read(config.kafka_bootstrap, topic):
                known.add(letter.reason)  # or one of an earlier release
                if self.fits(letter) and letter.identity not in dropped:
                    yield letter
        if self.reason is not None and self.reason not in known:
            raise DeadLetterError(
                f"no reason is called {self.reason!r}: choose one of {', '.join(sorted(known))}"
            )


def topics(config: StreamConfig, topic: str | None) -> tuple[str, ...]:
    """Return the topics whose letters are meant: one, or all. Raises DeadLetterError."""
    known = tuple(config.topics.values())
    if topic is None:
        return known
    if topic.removesuffix(".dlq") not in known:
        raise DeadLetterError(
            f"topic {topic!r} is neither of {' and '.join(known)}: choose one of them, or set "
            f"{' or '.join(kind.setting for kind in KINDS.values())}"
        )
    return (topic.removesuffix(".dlq"),)


def numbered(config: StreamConfig, of: tuple[str, ...], offsets: tuple[int, ...]) -> list[Letter]:
    """Find letters by their offset in the dead-letter topic; each must be in just one topic."""
    found: dict[int, list[Letter]] = {offset: [] for offset in offsets}
    for topic in of:
        for letter in dead.read(config.kafka_bootstrap, topic):
            if letter.offset in found:
                found[letter.offset].append(letter)
    dlqs = " or ".join(map(dead_letter_topic, of))
    for offset, those in found.items():
        if not those:
            raise DeadLetterError(
                f"no dead letter has offset {offset} in {dlqs}: "
                "`python -m ingest dlq list` names those that are there"
            )
        if len(those) > 1:
            raise DeadLetterError(f"offset {offset} is in {dlqs}: choose one with --topic")
    return [letter for those in found.values() for letter in those]


def kind_of(config: StreamConfig, letter: Letter) -> str:
    """Return the kind of tick that its topic holds."""
    return next(kind for kind, topic in config.topics.items() if topic == letter.topic)
