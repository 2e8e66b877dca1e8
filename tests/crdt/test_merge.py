"""Merging: all that was there, nothing else, first come first served, bytes kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.decode import decode
from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.ids import IdRanges
from collab.crdt.merge import merge, merge_tick
from collab.errors import BadUpdate
from tests.crdt.grammar import MadeUpdate, updates
from tests.crdt.logs import logs
from tests.updates import deleted, typed, typed_after


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
    """Of what has passed the gate; only that strings which go on from one another are one."""
    tick = merge_tick([check(update) for update in log])
    assert tick is not None
    assert fold(None, [tick]) == fold(None, [merge(log)])
    assert len(tick) <= len(merge(log))


def apart(log: list[bytes]) -> list[bytes]:
    """The structs of a tick's merge, as merging without joining would give them."""
    tick = merge_tick([check(update) for update in log])
    assert tick is not None
    (section,) = decode(tick).sections
    return [tick[struct.start : struct.stop] for struct in section.structs]


def test_what_is_typed_letter_by_letter_is_one_string_in_a_tick() -> None:
    """As yjs itself would write it, surrogate pairs included."""
    letters = [typed(300, clock, letter) for clock, letter in ((5, "a"), (6, "b"), (7, "😀"), (9, "漢"))]
    assert merge_tick([check(letter) for letter in letters]) == typed(300, 5, "ab😀漢")
    long = [typed(300, clock, "x") for clock in range(1, 1001)]
    assert merge_tick([check(letter) for letter in long]) == typed(300, 1, "x" * 1000)


def test_what_is_typed_in_the_middle_is_one_string_only_before_the_same_neighbour() -> None:
    """The right origins must agree."""

    def between(clock: int, letter: str, right: int) -> bytes:
        return bytes((1, 1, 1, clock, 0xC4, 1, clock - 1, 2, right, 1, ord(letter), 0))

    assert len(apart([between(5, "a", 7), between(6, "b", 7), between(7, "c", 7)])) == 1
    assert len(apart([between(5, "a", 7), between(6, "b", 8)])) == 2
    assert len(apart([between(5, "a", 7), typed(1, 6, "b")])) == 2


def test_what_is_typed_elsewhere_or_after_a_gap_stays_apart() -> None:
    """So does what comes twice, or is no string."""
    assert len(apart([typed(1, 5, "a"), typed_after(1, 6, "b", (1, 2))])) == 2
    assert len(apart([typed(1, 5, "a"), typed(1, 7, "c")])) == 3
    assert len(apart([typed(1, 5, "ab"), typed(1, 6, "b")])) == 1
    value = bytes.fromhex("01 01 01 06 88 01 05 01 7d 01 00")
    assert len(apart([typed(1, 5, "a"), value, typed(1, 7, "c"), typed(1, 8, "d")])) == 3
    keyed = bytes.fromhex("01 01 01 06 a4 01 05 01 62 00")
    assert len(apart([typed(1, 5, "a"), keyed])) == 2


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
