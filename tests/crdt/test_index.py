"""The side table of a state, and what happens when it is damaged or belongs to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.decode import decode
from collab.crdt.ids import IdRanges
from collab.crdt.index import PARTS_AT_ONCE, StateIndex, build
from collab.crdt.merge import merge
from collab.errors import BadUpdate
from tests.crdt.grammar import MadeUpdate, updates
from tests.updates import deleted, typed


@given(updates())
def test_it_tells_where_everything_lies(made: MadeUpdate) -> None:
    """Sections, clocks, and structs from any clock on."""
    state = made.encode()
    decoded, index = decode(state), StateIndex.decode(build(state), state)
    assert index.tail == decoded.tail
    assert index.deleted() == IdRanges.of(decoded.deletes)
    for part, section in zip(index.parts, decoded.sections, strict=True):
        assert (part.client, part.clock, part.end) == (section.client, section.clock, section.end)
        assert (part.start, part.stop, part.total) == (section.start, section.stop, len(section.structs))
        assert index.structs_from(part, section.clock) == (part.total, section.structs[:64])


def test_clocks_end_at_the_first_gap() -> None:
    """Behind it something is missing; what begins late is not known at all."""
    state = merge([typed(1, 0, "ab"), typed(1, 5, "c"), typed(2, 3, "x"), typed(3, 0, "y")])
    assert StateIndex.decode(build(state), state).clocks() == {1: 2, 3: 1}


@given(updates(), st.integers(0), st.integers(0, 255))
def test_a_damaged_index_is_refused_or_stays_within_the_state(made: MadeUpdate, at: int, byte: int) -> None:
    """It is checked against the state's length; using it raises nothing but BadUpdate."""
    state = made.encode()
    index = bytearray(build(state))
    index[at % len(index)] = byte
    try:
        decoded = StateIndex.decode(bytes(index), state)
        decoded.deleted()
        for part in decoded.parts:
            assert 0 < part.start < part.stop <= decoded.tail < len(state)
            for mark in part.marks:
                decoded.structs_from(part, mark.clock)
    except BadUpdate:
        pass


@given(updates(), st.data())
def test_a_part_of_an_index_is_none(made: MadeUpdate, data: st.DataObject) -> None:
    """Nor is more than one, nor one for another state."""
    state = made.encode()
    index = build(state)
    for wrong, other in (
        (index[: data.draw(st.integers(0, len(index) - 1))], state),
        (index + b"\0", state),
        (index, state + b"\0"),
    ):
        with pytest.raises(BadUpdate):
            StateIndex.decode(wrong, other)


def test_the_version_is_looked_at() -> None:
    """A later layout must not be misread."""
    state = typed(1, 0, "a")
    with pytest.raises(BadUpdate, match="version"):
        StateIndex.decode(b"\x07" + build(state)[1:], state)


def test_it_is_small() -> None:
    """Even if every struct is as small as can be it is a fiftieth of the state."""
    state = merge([typed(1, at, "x") for at in range(10_000)])
    assert len(build(state)) < len(state) / 50


def test_an_index_of_thousands_of_clients_is_read_in_steps() -> None:
    """As many as the steps say, and the same in the end."""
    state = merge([typed(client, 0, "x") for client in range(1, 1_001)] + [deleted(1, 0, 1)])
    steps = list(StateIndex.decoding(build(state), state))
    assert len(steps) == 1_000 // PARTS_AT_ONCE + 1
    assert steps[:-1] == [None] * (len(steps) - 1)
    assert steps[-1] is not None and steps[-1].clocks() == dict.fromkeys(range(1, 1_001), 1)


def test_deletions_are_read_in_steps() -> None:
    state = merge([typed(1, 0, "x" * 9_000), *(deleted(1, 2 * at, 1) for at in range(4_500))])
    index = StateIndex.decode(build(state), state)
    *steps, whole = index.reading_deleted()
    assert steps == [None] * 5
    assert whole == index.deleted() == IdRanges({1: list(range(9_000))})


def test_a_torn_index_is_refused_at_whichever_step_it_is_torn() -> None:
    state = merge([typed(client, 0, "x") for client in range(1, 1_001)])
    index = build(state)
    with pytest.raises(BadUpdate):
        list(StateIndex.decoding(index[: len(index) * 3 // 4], state))
