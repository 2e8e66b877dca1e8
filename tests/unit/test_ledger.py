"""Acks: told once durable, with the right sequence number, and not before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collab.core.bucket import Bucket
from collab.core.ledger import Ledger


def test_waiters_learn_their_own_number_at_the_commit() -> None:
    ledger, told = Ledger(10), list[int]()
    for _ in range(3):
        ledger.when_durable(ledger.enter(), told.append)
    assert told == []
    ledger.commit(11, 12)
    assert told == [11, 12]
    ledger.commit(13, 13)
    assert told == [11, 12, 13]
    assert ledger.is_durable(3)


def test_what_is_durable_already_is_told_at_once() -> None:
    ledger, told = Ledger(4), list[int]()
    ledger.when_durable(0, told.append)
    assert told == [4]


@given(st.lists(st.integers(1, 5), max_size=20))
def test_every_waiter_is_told_exactly_once_in_order(commits: list[int]) -> None:
    ledger, told = Ledger(0), list[int]()
    total = sum(commits)
    for _ in range(total):
        ledger.when_durable(ledger.enter(), told.append)
    seq = 0
    for size in commits:
        ledger.commit(seq + 1, seq + size)
        seq += size
        assert len(told) == seq
    assert told == list(range(1, total + 1))


def test_a_bucket_lets_a_burst_through_and_then_names_the_wait() -> None:
    bucket = Bucket(per_s=10, burst=3)
    assert [bucket.take(100.0) for _ in range(4)][:3] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) > 0.0
    assert bucket.take(200.0) == 0.0


def test_a_rate_of_zero_means_no_limit() -> None:
    bucket = Bucket(per_s=0, burst=0)
    assert not any(bucket.take(0.0) for _ in range(1000))


@given(st.floats(1, 1000), st.integers(1, 50), st.integers(100, 400))
def test_a_bucket_never_gives_more_than_rate_and_burst(rate: float, burst: int, tries: int) -> None:
    bucket, given_free, now = Bucket(rate, burst), 0, 1000.0
    bucket.take(now, 0)
    for _ in range(tries):
        wait = bucket.take(now)
        given_free += 1
        now += wait
    assert given_free <= burst + (now - 1000.0) * rate + 2
