"""What the gate learnt about an update, as it crosses the pipe: flat arrays of 64-bit integers.

JSON of the same would cost the event loop some ten times as much to read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, overload

from collab.crdt.checked import NOTHING_NEEDED, Checked
from collab.crdt.ids import Range

INTEGER = "q"
FEW = 1_000
PAIRS_AT_ONCE = 4_000  # half a millisecond


def encode(checked: Checked) -> tuple[list[int], list[bytes]]:
    """(count, body, tail), and blobs of runs, needs and deletes; the update itself stays with the caller."""
    rows = (checked.runs, checked.needs.items(), checked.deletes)
    return [checked.count, checked.body, checked.tail], [_flat(each) for each in rows]


def decode(update: bytes, value: Sequence[int], blobs: Sequence[bytes]) -> Checked:
    """The inverse."""
    runs, needs, deletes = (array(INTEGER, blob) for blob in blobs)
    count, body, tail = value
    needed = dict(_tuples(needs, 2)) or NOTHING_NEEDED
    return Checked(update, _ranges(runs), needed, _ranges(deletes), count, body, tail)


def encode_clocks(clocks: dict[int, int]) -> bytes:
    """Client to clock."""
    return _flat(clocks.items())


def decode_clocks(blob: bytes) -> dict[int, int]:
    """The inverse."""
    return dict(_tuples(array(INTEGER, blob), 2))


def decoding_clocks(blob: bytes) -> Iterator[Iterable[tuple[int, int]]]:
    """The inverse, some thousand pairs at a time."""
    flat = array(INTEGER, blob)
    for at in range(0, len(flat), 2 * PAIRS_AT_ONCE):
        yield _tuples(flat[at : at + 2 * PAIRS_AT_ONCE], 2)


def _flat(rows: Iterable[tuple[int, ...]]) -> bytes:
    return array(INTEGER, chain.from_iterable(rows)).tobytes()


def _ranges(flat: array[int]) -> Sequence[Range]:
    """Few are made to tuples at once; of many, those that are looked at."""
    return tuple(_tuples(flat, 3)) if len(flat) <= 3 * FEW else Ranges(flat)


class Ranges(Sequence[Range]):
    """(client, first clock, end clock) each, still packed: half a million tuples would take 0.1 s to make."""

    __slots__ = ("_flat",)

    def __init__(self, flat: array[int]) -> None:
        self._flat = flat

    def __len__(self) -> int:
        return len(self._flat) // 3

    def __iter__(self) -> Iterator[Range]:
        return iter(_tuples(self._flat, 3))

    @overload
    def __getitem__(self, at: int) -> Range: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Range, ...]: ...
    def __getitem__(self, at: int | slice) -> Range | tuple[Range, ...]:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step != 1:
                raise ValueError("ranges are cut from one end to the other")
            return tuple(_tuples(self._flat[3 * start : 3 * stop], 3))
        at = range(len(self))[at]
        client, first, end = self._flat[3 * at : 3 * at + 3]
        return client, first, end


def _tuples(flat: array[int], width: int) -> Iterable[Any]:
    each = iter(flat)
    return zip(*(each,) * width, strict=True)
