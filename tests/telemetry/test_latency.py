"""The histogram that counts a batch at a time."""

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import HistogramDataPoint

from telemetry.latency import Latency
from telemetry.metrics import LATENCY_BOUNDS_S

AGES = st.one_of(st.floats(-10, 40 * 86_400), st.sampled_from(LATENCY_BOUNDS_S), st.floats(0, 0.01))


@given(st.lists(st.lists(AGES, max_size=50), max_size=5))
def test_the_latency_histogram_equals_a_plain_count(batches: list[list[float]]) -> None:
    latency = Latency()
    for ages in batches:
        latency.record(ages)
    (point,) = latency.metric().data.data_points
    assert isinstance(point, HistogramDataPoint)
    values = [max(age, 0.0) for ages in batches for age in ages]
    expected = [0] * (len(LATENCY_BOUNDS_S) + 1)
    for value in values:
        expected[bisect_left(LATENCY_BOUNDS_S, value)] += 1
    assert list(point.bucket_counts) == expected
    assert point.count == len(values)
    assert point.sum == pytest.approx(math.fsum(values))
    assert (point.min, point.max) == (min(values, default=0), max(values, default=0))


def test_latency_buckets_span_a_millisecond_to_days_in_order() -> None:
    assert list(LATENCY_BOUNDS_S) == sorted(set(LATENCY_BOUNDS_S))
    assert LATENCY_BOUNDS_S[0] == 0.001
    assert LATENCY_BOUNDS_S[-1] >= 7 * 86_400
