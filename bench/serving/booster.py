"""Make a bundle of a small booster: python booster.py FOLDER SEED CARD, run in .venv-serving.

CARD: the card's other keys, as JSON; its columns say how many there are.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import lightgbm
import numpy as np


def main() -> None:
    """Train it on random rows, of which one in ten numbers is NaN, and write the folder."""
    folder, seed, card = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    draw = np.random.default_rng(seed)
    # a booster that was trained on fewer columns than its card has raises on every row
    columns = len(card["columns"]) - int(card.pop("lacks", 0))
    rows = draw.normal(0.0, 100.0, (400, columns))
    rows[draw.random(rows.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(rows).sum(axis=1) + draw.normal(0.0, 50.0, 400)) > 0
    parameters = {
        "objective": "binary",
        "num_leaves": 7,
        "num_threads": 1,
        "deterministic": True,
        "seed": seed,
        "verbose": -1,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, labels.astype(float)), 20)
    folder.mkdir(parents=True)
    file = folder / "model.txt"
    file.write_text(booster.model_to_string())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    told = {**card, "kind": "lightgbm", "sha256": digest}
    (folder / "model.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
