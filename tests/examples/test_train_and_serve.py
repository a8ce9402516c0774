"""What the example counts as the same; it runs as a whole in tests/demo/test_demo.py."""

from typing import Any

import pandas as pd
import pytest

from examples.train_and_serve import NUMBERS, compared

NOTHING = dict.fromkeys([*NUMBERS, "regime_tag"])
FULL = {**dict.fromkeys(NUMBERS, 0.5), "regime_tag": "range"}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows).astype(dict.fromkeys(NUMBERS, float))


@pytest.mark.parametrize(
    ("online", "offline", "expected"),
    [
        ([FULL], [FULL], (6, 6)),
        ([NOTHING], [NOTHING], (0, 0)),
        ([FULL, NOTHING], [FULL, NOTHING], (6, 6)),
        ([NOTHING], [FULL], (0, 6)),
        ([FULL], [{**FULL, "range_bps": None}], (5, 6)),
        ([FULL], [{**FULL, "regime_tag": "volatile"}], (5, 6)),
        ([{**FULL, "range_bps": 0.5000000000000001}], [FULL], (5, 6)),
    ],
    ids=["same", "both nothing", "one closed", "not online", "one field", "another tag", "a bit"],
)
def test_only_values_are_compared(
    online: list[dict[str, Any]], offline: list[dict[str, Any]], expected: tuple[int, int]
) -> None:
    assert compared(frame(*online), frame(*offline)) == expected
