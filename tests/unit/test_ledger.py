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


@given(st.permutations(list(range(12))), st.lists(st.integers(1, 3), min_size=12, max_size=12))
def test_seq_is_where_nothing_before_is_missing_whatever_the_order_of_commits(
    order: list[int], sizes: list[int]
) -> None:
    ledger = Ledger(0)
    starts = [sum(sizes[:index]) + 1 for index in range(12)]
    known: set[int] = set()
    for index in order:
        ledger.reach(starts[index], starts[index] + sizes[index] - 1)
        known.add(index)
        whole = next((i for i in range(12) if i not in known), 12)
        assert ledger.seq == sum(sizes[:whole])
        assert ledger.gap == any(i > whole for i in known)
