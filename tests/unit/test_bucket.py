"""The bucket: one burst, then the rate, whatever the past was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.core.bucket import Bucket


def passed(bucket: Bucket, now: float, tries: int) -> int:
    """How many of so many tries at one instant cost no waiting; nothing is taken beyond the first that does."""
    for number in range(tries):
        if bucket.take(now) > 0.0:
            return number
    return tries


def test_a_long_rest_lends_one_burst_and_not_two() -> None:
    bucket = Bucket(per_s=10, burst=5)
    assert passed(bucket, 0.0, 100) == 5
    assert passed(bucket, 1_000.0, 100) == 5
    assert passed(bucket, 1_000.0, 100) == 0


def test_what_is_taken_on_credit_is_waited_for() -> None:
    bucket = Bucket(per_s=10, burst=5)
    assert bucket.take(0.0, 5) == 0.0
    assert bucket.take(0.0, 5) == pytest.approx(0.5)
    assert bucket.take(0.0, 5) == pytest.approx(1.0)
    assert bucket.take(0.6) == pytest.approx(0.5)
    assert bucket.take(1.6) == 0.0


def test_a_rate_of_none_is_no_limit() -> None:
    bucket = Bucket(per_s=0, burst=0)
    assert passed(bucket, 0.0, 10_000) == 10_000


@settings(deadline=None)  # a busy machine is no fault
@given(
    per_s=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 60)), max_size=40),
)
def test_no_stretch_of_time_passes_more_than_a_burst_and_its_share(
    per_s: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    bucket, now, free = Bucket(per_s, burst), 0.0, []
    for rest, tries in steps:
        now += rest
        free.append((now, sum(bucket.take(now) == 0.0 for _ in range(tries))))
    for start, (first, _) in enumerate(free):
        passed = 0
        for last, count in free[start:]:
            passed += count
            assert passed <= burst + (last - first) * per_s + 1e-3
