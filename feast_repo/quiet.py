"""Warnings as who runs a command reads them."""

import sys
import warnings
from typing import TextIO

from psycopg.errors import Diagnostic

EXPERIMENTAL = "is an experimental feature"


class ServerWarning(UserWarning):
    """What the database warned of, with its hint."""


def warning_of(said: Diagnostic) -> str | None:
    """What the server warns of, with its hint, in a line; None: it only tells."""
    if said.severity_nonlocalized != "WARNING":
        return None
    hint = f". {said.message_hint}" if said.message_hint else ""
    return f"{said.message_primary}{hint}"


def hide_experimental() -> None:
    """Show no more that on-demand views are experimental: nobody who runs a command can help it.

    What the database warns of is a plain line, once. Not by filters: each module of Feast puts its
    own before all that are there.
    """
    told = set()
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is ServerWarning:
            if str(message) not in told:
                print(f"warning: {message}", file=sys.stderr, flush=True)
            told.add(str(message))
        elif category is not RuntimeWarning or EXPERIMENTAL not in str(message):
            shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show
