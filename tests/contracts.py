"""Contracts with a field more, and with one less."""

import csv
from pathlib import Path

CONTRACT = Path(__file__).resolve().parents[1] / "seeds" / "smartdb_contract.csv"
RSI = {
    "feature_set": "market_1m",
    "field": "rsi_14",
    "data_type": "double precision",
    "unit": "index in [0, 100]",
    "formula": "strength of the rises among the last 14 changes",
    "null_when": "fewer than 14 changes",
    "available_after_s": "60",
    "max_staleness_s": "900",
    "inputs": "close",
    "feature_view": "strength",
}


def contract(*without: str, more: dict[str, str] | None = None) -> list[dict[str, str]]:
    """The lines of seeds/, market_1m's without these fields and with another one at their end."""
    with CONTRACT.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    first = [line for line in lines if line["feature_set"] == "market_1m"]
    kept = [line for line in first if line["field"] not in without]
    if more is not None:
        kept.append({"ordinal": str(int(kept[-1]["ordinal"]) + 1), **more})
    return kept + [line for line in lines if line["feature_set"] != "market_1m"]


def written(directory: Path, lines: list[dict[str, str]]) -> Path:
    """The same as a file in a directory."""
    path = directory / "smartdb_contract.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return path
