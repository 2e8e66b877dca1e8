"""What the gate learnt about an update, as it crosses the pipe: flat arrays of 64-bit integers.

JSON of the same would cost the event loop some ten times as much to read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from collab.crdt.checked import NOTHING_NEEDED, Checked

INTEGER = "q"


def encode(checked: Checked) -> tuple[list[int], list[bytes]]:
    """(count, body, tail), and blobs of runs, needs and deletes; the update itself stays with the caller."""
    rows = (checked.runs, checked.needs.items(), checked.deletes)
    return [checked.count, checked.body, checked.tail], [_flat(each) for each in rows]


def decode(update: bytes, value: Sequence[int], blobs: Sequence[bytes]) -> Checked:
    """The inverse."""
    runs, needs, deletes = (array(INTEGER, blob) for blob in blobs)
    count, body, tail = value
    needed = dict(_tuples(needs, 2)) or NOTHING_NEEDED
    return Checked(update, tuple(_tuples(runs, 3)), needed, tuple(_tuples(deletes, 3)), count, body, tail)


def encode_clocks(clocks: dict[int, int]) -> bytes:
    """Client to clock."""
    return _flat(clocks.items())


def decode_clocks(blob: bytes) -> dict[int, int]:
    """The inverse."""
    return dict(_tuples(array(INTEGER, blob), 2))


def _flat(rows: Iterable[tuple[int, ...]]) -> bytes:
    return array(INTEGER, chain.from_iterable(rows)).tobytes()


def _tuples(flat: array[int], width: int) -> Iterable[Any]:
    each = iter(flat)
    return zip(*(each,) * width, strict=True)
