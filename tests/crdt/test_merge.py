"""Merging: all that was there, nothing else, first come first served, bytes kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.gate import check
from collab.crdt.ids import IdRanges
from collab.crdt.merge import merge, merge_tick
from collab.errors import BadUpdate
from tests.crdt.grammar import MadeUpdate, updates
from tests.crdt.logs import logs
from tests.updates import deleted, typed


@given(st.lists(updates(), max_size=4))
def test_a_merge_has_every_clock_and_deletion(made: list[MadeUpdate]) -> None:
    """Of updates that have nothing to do with each other."""
    parts = [check(each.encode()) for each in made]
    merged = check(merge([part.raw for part in parts]))
    assert IdRanges.of(merged.runs) == IdRanges.of(run for part in parts for run in part.runs)
    assert IdRanges.of(merged.deletes) == IdRanges.of(each for part in parts for each in part.deletes)
    assert [run[0] for run in merged.runs] == sorted((run[0] for run in merged.runs), reverse=True)


@given(logs(), st.data())
def test_merging_in_steps_is_merging_at_once(log: list[bytes], data: st.DataObject) -> None:
    """To the byte."""
    cut = data.draw(st.integers(0, len(log)))
    assert merge([merge(log[:cut]), merge(log[cut:])]) == merge(log)
    assert merge([merge(log)]) == merge(log)


@given(logs(size_max=6))
def test_a_tick_is_a_merge(log: list[bytes]) -> None:
    """Of what has passed the gate."""
    assert merge_tick([check(update) for update in log]) == merge(log)


def test_a_tick_that_cannot_be_merged_is_not() -> None:
    """The room then shows the updates one by one. Nothing that `check` made can come to this."""
    broken = check(merge([typed(1, 0, "a"), typed(2, 0, "b")]))
    broken.raw = broken.raw[:-1]
    assert merge_tick([broken]) is None


def test_nothing_merges_to_the_empty_update() -> None:
    """Two zero bytes."""
    assert merge([]) == merge([b"\0\0"]) == merge_tick([]) == b"\0\0"


def test_gaps_become_skips() -> None:
    """As yjs writes them."""
    merged = merge([typed(1, 4, "cd"), typed(1, 0, "ab")])
    assert merged.hex(" ") == "01 03 01 00 04 01 01 74 02 61 62 0a 02 84 01 03 02 63 64 00"


def test_what_came_first_stays() -> None:
    """Nobody can overlay a struct that was taken before: neither with other text nor by collecting it."""
    first = typed(1, 2, "cd")
    collected = bytes.fromhex("01 01 01 00 00 06 00")
    merged = merge([first, collected])
    assert merged.hex(" ") == "01 03 01 00 00 02 84 01 01 02 63 64 00 02 00"
    assert merge([collected, first]) == collected


@pytest.mark.parametrize(
    "second, cut_off",
    [
        (typed(1, 1, "bcd"), "84 01 02 01 64"),  # in the middle of a string, from the left
        (bytes.fromhex("01 01 01 01 88 01 00 03 7d 01 7d 02 7d 03 00"), "88 01 02 01 7d 03"),
        (bytes.fromhex("01 01 01 01 82 01 00 03 01 31 01 32 01 33 00"), "82 01 02 01 01 33"),
        (bytes.fromhex("01 01 01 01 c1 01 00 05 09 03 00"), "c1 01 02 05 09 01"),
        (bytes.fromhex("01 01 01 01 00 03 00"), "00 01"),
        (typed(1, 2, "😀"), "84 01 02 03 ef bf bd"),  # half a pair
    ],
)
def test_overlaps_are_cut(second: bytes, cut_off: str) -> None:
    """The rest hangs on the element before it, and keeps its right origin."""
    merged = merge([typed(1, 0, "abc"), second])
    assert merged.hex(" ") == f"01 02 01 00 04 01 01 74 03 61 62 63 {cut_off} 00"


def test_deletions_are_united() -> None:
    """One range where they touch."""
    assert merge([deleted(1, 0, 2), deleted(1, 2, 2), deleted(9, 0, 1)]).hex(" ") == "00 02 09 01 00 01 01 01 00 04"


def test_what_is_no_update_is_refused() -> None:
    """Even in the middle of others."""
    with pytest.raises(BadUpdate):
        merge([typed(1, 0, "a"), b"\x01", typed(1, 1, "b")])
