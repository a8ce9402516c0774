"""Feast's warnings, without those of what this repository uses on purpose."""

import warnings
from typing import TextIO

EXPERIMENTAL = "is an experimental feature"


def hide_experimental() -> None:
    """Show no more that on-demand views are experimental: nobody who runs a command can help it.

    Not by a filter: each module of Feast puts its own before all that are there.
    """
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is not RuntimeWarning or EXPERIMENTAL not in str(message):
            shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show
