"""Whose messages are refused: told when they are many, again at ten times as many."""

from __future__ import annotations

import logging
from collections import Counter

from ingest import texts

log = logging.getLogger("ingest.consumer")

FIRST_TOLD = 100
MOST_KEPT = 1000
MOST_SHOWN = 3

# reason, tenant_id, symbol, file
Culprit = tuple[str, int | None, str | None, str | None]


def add(to: Counter[Culprit], others: Counter[Culprit]) -> None:
    """Add the numbers; of very many culprits those with few messages are forgotten."""
    to.update(others)
    if len(to) > MOST_KEPT:
        kept = to.most_common(MOST_KEPT // 2)
        to.clear()
        to.update(dict(kept))


def tell(now: Counter[Culprit], added: Counter[Culprit]) -> None:
    """Log each culprit that has reached 100, 1,000, 10,000, ... refused messages.

    now: all of them, of which `added` are the last.
    """
    for culprit, number in added.items():
        reached = now[culprit]
        told = FIRST_TOLD
        while told * 10 <= reached:
            told *= 10
        if reached - number < told <= reached:
            reason, *whose = culprit
            log.warning(
                "%s: %d messages so far went to the dead letters, of %s; all others go on: "
                "python -m ingest dlq list --reason %s",
                reason,
                reached,
                texts.culprit(*whose),
                reason,
            )


def lines(of: Counter[Culprit], reason: str) -> list[str]:
    """Name the worst culprits of a reason, a line each."""
    those = Counter({culprit: number for culprit, number in of.items() if culprit[0] == reason})
    worst = those.most_common(MOST_SHOWN)
    named = [f"{number} of {texts.culprit(*whose)}" for (_, *whose), number in worst]
    more = len(those) - len(worst)
    return named + ([f"and {more} more: python -m ingest dlq list"] if more else [])
