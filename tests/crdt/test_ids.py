"""Range sets against sets of single clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.ids import RANGES_AT_ONCE, IdRanges, Range, _union
from collab.errors import BadUpdate
from collab.limits import DEFAULT

RANGES = st.lists(
    st.builds(
        lambda client, start, length: (client, start, start + length),
        st.integers(1, 2),
        st.integers(0, 40),
        st.integers(1, 9),
    ),
    max_size=24,
)


def clocks(ranges: list[Range]) -> set[tuple[int, int]]:
    return {(client, clock) for client, start, end in ranges for clock in range(start, end)}


@given(RANGES)
def test_adding_one_by_one_is_adding_all(ranges: list[Range]) -> None:
    """Both hold just those clocks, sorted, disjoint and not touching."""
    one_by_one = IdRanges()
    for each in ranges:
        one_by_one.add(*each)
    assert one_by_one == IdRanges.of(ranges)
    assert clocks(list(one_by_one)) == clocks(ranges)
    for bounds in one_by_one.bounds.values():
        assert bounds == sorted(set(bounds)) and len(bounds) % 2 == 0


@given(RANGES, RANGES, st.integers(1, 5))
def test_adding_in_steps_is_adding_all(there: list[Range], ranges: list[Range], at_once: int) -> None:
    ascending = list(IdRanges.of(ranges))
    made = IdRanges.of(there)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.crdt.ids.RANGES_AT_ONCE", at_once)
        for step, _ in enumerate(made.adding(ascending)):
            made.add(3, 2 * step, 2 * step + 1)  # somebody else's, between two steps
    made.bounds.pop(3, None)
    assert made == IdRanges.of([*there, *ascending])


@pytest.mark.parametrize("apart", [2, 3, 1_000])
def test_no_step_of_adding_looks_at_much(apart: int) -> None:
    """Neither at many of the new ranges nor, where these lie far apart, at many of the old ones."""
    made = IdRanges.of((7, 2 * at, 2 * at + 1) for at in range(100_000))
    new = [(7, apart * at + 1, apart * at + 2) for at in range(200_000 // apart - 1)]
    looked_at: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.crdt.ids._union", lambda spans: looked_at.append(len(spans)) or _union(spans))
        steps = 0
        for _ in made.adding(new):
            steps += 1
            assert sum(looked_at) <= 3 * RANGES_AT_ONCE
            looked_at.clear()
    assert steps >= len(new) // RANGES_AT_ONCE
    assert made == IdRanges.of([*((7, 2 * at, 2 * at + 1) for at in range(100_000)), *new])


@given(RANGES, RANGES)
def test_updating_is_a_union(first: list[Range], second: list[Range]) -> None:
    """Whatever was there before; the copy stays as it was."""
    one = IdRanges.of(first)
    copy = one.copy()
    one.update(second)
    assert one == IdRanges.of([*first, *second])
    assert copy == IdRanges.of(first)


@given(RANGES, RANGES)
def test_covering_and_missing(held: list[Range], asked: list[Range]) -> None:
    """What is missing is what is asked without what is held."""
    ranges = IdRanges.of(held)
    for each in asked:
        missing = ranges.missing([each])
        assert clocks(missing) == clocks([each]) - clocks(held)
        assert ranges.contains(*each) == (not missing)
        assert missing == sorted(missing)
    assert ranges.covers(asked) == (not ranges.missing(asked))


@given(RANGES)
def test_encoded_and_back(ranges: list[Range]) -> None:
    """Through a V1 delete set, anywhere in the bytes."""
    held = IdRanges.of(ranges)
    assert IdRanges.decode(b"xyz" + held.encode(), 3) == held


def test_the_bytes_are_those_of_yjs() -> None:
    """Clients descending; clock and length."""
    held = IdRanges.of([(1, 3, 5), (300, 0, 1), (1, 200, 202)])
    assert held.encode().hex(" ") == "02 ac 02 01 00 01 01 02 03 02 c8 01 02"


def test_a_long_range_is_written_as_several() -> None:
    """The gate refuses ranges longer than `deleted_run_max`, however they came about."""
    longest = DEFAULT.deleted_run_max
    held = IdRanges.of([(1, 0, longest), (1, longest, 2 * longest + 1)])
    assert held.bounds == {1: [0, 2 * longest + 1]}
    assert IdRanges.decode(held.encode()) == held


def test_emptiness_and_order() -> None:
    """An empty set is false; ranges are given client by client."""
    assert not IdRanges() and IdRanges.of([(1, 0, 1)])
    assert list(IdRanges.of([(2, 5, 6), (1, 0, 1), (2, 0, 1)])) == [(2, 0, 1), (2, 5, 6), (1, 0, 1)]
    assert IdRanges().ranges_of(7) == []


@pytest.mark.parametrize("bad", ["", "01", "01 01 01 00", "01 01 01 00 01 00", "01 01 01 00 80"])
def test_what_is_no_delete_set_is_refused(bad: str) -> None:
    """Ends early, or goes on."""
    with pytest.raises(BadUpdate):
        IdRanges.decode(bytes.fromhex(bad))


def test_many_ranges_are_covered_as_each_of_them_is() -> None:
    held = IdRanges.of([(1, 0, 5), (1, 7, 9), (2, 3, 4)])
    few = [(1, 0, 5), (1, 1, 2), (1, 7, 9), (2, 3, 4), (1, 4, 6), (2, 0, 1), (3, 0, 1), (1, 6, 8)]
    for one in few:
        for other in few:
            assert held.covers([one, other]) == (held.contains(*one) and held.contains(*other))
    assert held.covers([])
