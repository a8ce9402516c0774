"""Score rows with a version's bundle, to the bit: python -m serving.score MODEL VERSION < rows.

A row is a line of numbers as float.hex() writes them; so is each score. It needs the learners, and
is run by the python of .venv-serving, or of .venv-training.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.settings import ENVIRONMENT
from serving import layout
from training.bundle import Bundle


def score(repository: Path, model: str, version: int, lines: Sequence[str]) -> list[str]:
    """The score of each line. Errors: ValueError for a bundle that is not there or damaged."""
    bundle = Bundle.read(layout.bundle_folder(repository, model, version))
    rows = [[float.fromhex(word) for word in line.split()] for line in lines]
    return [float(one).hex() for one in bundle.score(np.array(rows, np.float64))]


def main(arguments: Sequence[str]) -> int:
    """Score stdin; returns the exit code, 1 with a message on stderr."""
    model, version = arguments
    lines = sys.stdin.read().splitlines()
    try:
        print("\n".join(score(layout.repository(ENVIRONMENT), model, int(version), lines)))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
