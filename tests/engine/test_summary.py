"""What crosses the pipe is what the gate said, also where it stays packed."""

from __future__ import annotations

import pytest

from collab.crdt.checked import Checked
from collab.engine import summary


@pytest.mark.parametrize("count", [0, 1, summary.PAIRS_AT_ONCE, 3 * summary.PAIRS_AT_ONCE + 1])
def test_clocks_are_read_some_at_a_time(count: int) -> None:
    clocks = {client: client + 1 for client in range(count)}
    blob = summary.encode_clocks(clocks)
    pieces = [dict(some) for some in summary.decoding_clocks(blob)]
    assert all(0 < len(piece) <= summary.PAIRS_AT_ONCE for piece in pieces)
    assert {client: clock for piece in pieces for client, clock in piece.items()} == clocks
    assert summary.decode_clocks(blob) == clocks


@pytest.mark.parametrize("count", [0, 1, summary.FEW, summary.FEW + 1, 3 * summary.FEW])
def test_what_is_read_is_what_was_written(count: int) -> None:
    ranges = tuple((7, 2 * at, 2 * at + 1) for at in range(count))
    checked = Checked(b"raw", ranges, {9: 3}, ranges[::-1], 5, 2, 3)
    value, blobs = summary.encode(checked)
    read = summary.decode(b"raw", value, blobs)
    assert (read.raw, read.needs, read.count, read.body, read.tail) == (b"raw", {9: 3}, 5, 2, 3)
    for mine, theirs in ((read.runs, ranges), (read.deletes, ranges[::-1])):
        assert len(mine) == count and bool(mine) is bool(count)
        assert tuple(mine) == theirs and tuple(mine[2:5]) == theirs[2:5] and tuple(mine[-3:]) == theirs[-3:]
        if count:
            assert mine[0] == theirs[0] and mine[-1] == theirs[-1]
        with pytest.raises(IndexError):
            mine[count]
