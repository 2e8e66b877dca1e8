"""Splicing must give what merging gives, and an index that finds its way in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.diff import diff
from collab.crdt.gate import check
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge, merge_tick
from collab.crdt.splice import splice
from tests.updates import deleted, typed, typed_after

TEXT = st.text("aé😀", min_size=1, max_size=4)


def units(text: str) -> int:
    """Clocks that a text takes: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    """Updates of a few clients, each ready when those before it are known; some are sent twice or overlap."""
    clocks: dict[int, int] = {}
    updates: list[bytes] = []
    for _ in range(draw(st.integers(0, 12))):
        client = draw(st.sampled_from([1, 7, 300, 2**40]))
        clock = clocks.get(client, 0)
        known = [c for c in clocks if c != client]
        kind = draw(st.sampled_from(["type", "type", "after", "delete", "again"]))
        if kind == "delete" and clocks:
            other = draw(st.sampled_from(sorted(clocks)))
            start = draw(st.integers(0, clocks[other] - 1))
            updates.append(deleted(other, start, draw(st.integers(1, clocks[other] - start))))
        elif kind == "again" and updates:
            updates.append(draw(st.sampled_from(updates)))
        else:
            text = draw(TEXT)
            if kind == "after" and known:
                other = draw(st.sampled_from(sorted(known)))
                updates.append(typed_after(client, clock, text, (other, clocks[other] - 1)))
            else:
                updates.append(typed(client, clock, text))
            clocks[client] = clock + units(text)
    return updates


def indexed(state: bytes) -> StateIndex:
    return StateIndex.decode(build(state), state)


def ticked(updates: list[bytes], size: int) -> list[bytes]:
    """The updates as a room's ticks would have merged them."""
    out = []
    for start in range(0, len(updates), size):
        merged = merge_tick([check(update) for update in updates[start : start + size]])
        assert merged is not None
        out.append(merged)
    return out


@given(histories(), st.data())
def test_a_splice_is_a_merge(updates: list[bytes], data: st.DataObject) -> None:
    """Same bytes as merging everything, wherever the base ends and however the ticks fell."""
    cut = data.draw(st.integers(0, len(updates)))
    tail = ticked(updates[cut:], data.draw(st.integers(1, 5)))
    state = merge(updates[:cut])
    base = indexed(state) if cut else None
    spliced = splice(base, [check(update) for update in tail])
    assert spliced.state == merge([state, *tail])
    check(spliced.state)


@given(histories(), st.data())
def test_the_index_of_a_splice_answers_like_a_fresh_one(updates: list[bytes], data: st.DataObject) -> None:
    """Differences to any state vector are the same, and so are clocks and deletions; also after splicing again."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(updates)), min_size=2, max_size=2)))
    state = merge(updates[: cuts[0]])
    spliced = splice(indexed(state), [check(update) for update in updates[cuts[0] : cuts[1]]])
    spliced = splice(spliced, [check(update) for update in updates[cuts[1] :]])
    fresh = indexed(spliced.state)
    assert (spliced.clocks(), spliced.deleted()) == (fresh.clocks(), fresh.deleted())
    for _ in range(4):
        vector = {client: data.draw(st.integers(0, clock)) for client, clock in fresh.clocks().items()}
        assert diff(spliced.state, spliced, vector) == diff(spliced.state, fresh, vector)


def test_a_gap_in_the_base_that_the_tail_fills_is_merged() -> None:
    """A base is never like this in a room; the answer must be right all the same."""
    base = merge([typed(1, 0, "ab"), typed(1, 4, "ef")])
    spliced = splice(indexed(base), [check(typed(1, 2, "cd"))])
    assert spliced.clocks() == {1: 6}
    assert spliced.state == merge([typed(1, 0, "ab"), typed(1, 2, "cd"), typed(1, 4, "ef")])


def test_an_unknown_client_may_begin_late_only_by_merging() -> None:
    """Structs that do not follow on what is known are kept behind a gap, as merging does."""
    spliced = splice(None, [check(typed(5, 3, "x"))])
    assert spliced.state == merge([typed(5, 3, "x")])


@pytest.mark.parametrize("tail", [[], [deleted(1, 0, 1)]])
def test_a_base_without_new_structs_is_copied(tail: list[bytes]) -> None:
    """Only the delete set may differ."""
    state = merge([typed(1, 0, "ab"), typed(2, 0, "cd")])
    assert splice(indexed(state), [check(update) for update in tail]).state == merge([state, *tail])
