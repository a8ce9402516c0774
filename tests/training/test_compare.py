"""What differs between two training sets is named by row and field; a leak is told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from training.compare import differences
from training.leaks import early_labels, leaked

AT = pd.to_datetime(["2025-03-04T08:01Z", "2025-03-04T08:02Z", "2025-03-04T08:03Z"])


def frame(**other: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tenant_id": [1, 1, 1],
            "symbol": ["A", "B", "A"],
            "event_timestamp": AT,
            "market_1m.close": [1.0, np.nan, 3.0],
            "label": [1.0, 0.0, 1.0],
            "label_known_at": AT + pd.Timedelta("5min"),
            **other,
        }
    )


def test_the_same_is_the_same() -> None:
    assert differences(frame(), frame(), ["market_1m.close"]) == []


def test_row_field_and_both_values_are_named() -> None:
    now = frame(**{"market_1m.close": [1.0, 2.0, np.nextafter(3.0, 4)]})
    assert differences(frame(), now, ["market_1m.close"]) == [
        "row 2 (B of tenant 1, as of 2025-03-04T08:02:00+00:00): market_1m.close was NULL and is "
        "2.0",
        "row 3 (A of tenant 1, as of 2025-03-04T08:03:00+00:00): market_1m.close was 3.0 and is "
        "3.0000000000000004",
    ]


def test_minus_zero_is_another_value() -> None:
    zero = frame(**{"market_1m.close": [0.0, np.nan, 3.0]})
    minus = frame(**{"market_1m.close": [-0.0, np.nan, 3.0]})
    assert len(differences(zero, minus, ["market_1m.close"])) == 1


def test_many_are_counted() -> None:
    now = frame(**{"market_1m.close": [7.0, 8.0, 9.0]})
    assert differences(frame(), now, ["market_1m.close"], 1)[1:] == ["and 2 values more"]


def test_another_number_of_rows_is_said() -> None:
    assert differences(frame(), frame()[:2], ["label"]) == ["3 rows then, 2 now"]


def test_a_leak_is_told_from_another_change() -> None:
    then, later = frame(), pd.DataFrame({"close": [1.0, 5.0, 3.5]})
    assert leaked(then, then, later, "market_1m", ["close"]) == []
    other = frame(**{"market_1m.close": [1.25, np.nan, 3.0]})
    assert leaked(other, then, later, "market_1m", ["close"]) == []
    kept = frame(**{"market_1m.close": [1.0, 5.0, 3.5]})
    assert leaked(kept, then, later, "market_1m", ["close"]) == [
        "market_1m.close holds what became known later in 2 rows, the first row 2 (B, as of "
        "2025-03-04T08:02:00+00:00)"
    ]


def test_a_label_that_is_known_with_its_features_is_a_leak() -> None:
    assert early_labels(frame(), frame()) == []
    early = frame(label_known_at=[AT[0] + pd.Timedelta("5min"), AT[1], AT[2]])
    assert early_labels(early, early) == [
        "2 labels were known no later than their features, the first of row 2"
    ]


def test_a_label_that_was_known_later_than_said_is_a_leak() -> None:
    soon = frame(label_known_at=AT + pd.Timedelta("1min"))
    assert early_labels(soon, frame()) == [
        "3 labels were known later than the training set says, the first of row 1"
    ]
    # a label that is not there any more was known at no time
    gone = frame(label_known_at=[pd.NaT, AT[1] + pd.Timedelta("5min"), AT[2]])
    assert early_labels(frame(), gone) == []
