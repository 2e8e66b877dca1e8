"""Answers to state vectors, with and without an index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt import index as index_module
from collab.crdt.clocks import Clocks
from collab.crdt.diff import diff
from collab.crdt.gate import check
from collab.crdt.ids import IdRanges
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
from tests.crdt.grammar import MadeUpdate, updates
from tests.crdt.logs import logs
from tests.updates import deleted, typed


def indexed(state: bytes) -> StateIndex:
    return StateIndex.decode(build(state), state)


@given(updates(), st.data())
def test_the_answer_has_what_is_not_known(made: MadeUpdate, data: st.DataObject) -> None:
    """Exactly the clocks above the vector, and all deletions; the index does not change it."""
    state = made.encode()
    vector = {}
    for client, start, end in made.runs():
        vector[client] = data.draw(st.integers(max(start - 3, 0), end + 3) | st.just(0))
    answer = diff(state, None, vector)
    assert answer == diff(state, indexed(state), vector)
    checked = check(answer)
    wanted = IdRanges.of((c, max(start, vector[c]), end) for c, start, end in made.runs() if end > vector[c])
    assert IdRanges.of(checked.runs) == wanted
    assert checked.deletes == check(state).deletes


@given(logs(), st.integers(0, 12))
def test_a_stale_client_is_whole_again(log: list[bytes], known: int) -> None:
    """What it has and the answer together are the state."""
    clocks = Clocks()
    for update in log[:known]:
        clocks.advance(check(update))
    state = merge(log)
    for update in [diff(state, indexed(state), clocks.next)]:
        assert clocks.is_ready(check(update))
        clocks.advance(check(update))
        assert clocks.adds_nothing(check(state))


def test_marks_are_found_in_long_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every clock of a section that has many marks, across gaps."""
    pieces = [typed(1, 3 * at + (50 if at > 60 else 0), "abc") for at in range(120)]
    whole = merge([*pieces, typed(2, 0, "zz"), deleted(1, 5, 1)])
    coarse = indexed(whole)
    monkeypatch.setattr(index_module, "MARK_EVERY", 7)
    fine = indexed(whole)
    assert len(fine.parts[1].marks) > 10 and len(coarse.parts[1].marks) == 2
    for clock in range(0, 3 * 120 + 55):
        answer = diff(whole, fine, {1: clock, 2: 2})
        assert answer == diff(whole, coarse, {1: clock, 2: 2})
        wanted = IdRanges.of((c, max(a, clock), b) for c, a, b in check(whole).runs if c == 1 and b > clock)
        assert IdRanges.of(check(answer).runs) == wanted


def test_everything_known_leaves_the_deletions() -> None:
    """A vector says nothing of them."""
    state = merge([typed(1, 0, "abc"), deleted(1, 1, 1)])
    assert diff(state, None, {1: 3}).hex(" ") == "00 01 01 01 01 01"
    assert diff(state, None, {}) == state
