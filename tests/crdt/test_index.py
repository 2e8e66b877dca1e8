"""The side table of a state, and what happens when it is damaged or belongs to another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.decode import decode
from collab.crdt.ids import IdRanges
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
from collab.errors import BadUpdate
from tests.crdt.grammar import MadeUpdate, updates
from tests.updates import typed


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
