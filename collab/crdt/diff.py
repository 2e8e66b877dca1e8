"""What a replica lacks of a state, given its state vector: the answer to sync step 1."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from collab.crdt.content import SKIP
from collab.crdt.decode import Struct
from collab.crdt.encode import Run, cut, encode
from collab.crdt.index import Part, StateIndex, build


def diff(state: bytes, index: StateIndex | None, vector: Mapping[int, int]) -> bytes:
    """All structs at or above the vector's clocks, and the whole delete set (yjs `updates.js`, `diffUpdate`).

    A vector says nothing of deletions, so all of them go along. With the state's index only the neighbourhood of each
    cut is parsed; the rest is copied.
    """
    if index is None:
        index = StateIndex.decode(build(state), state)
    runs: list[Run] = []
    for part in index.parts:
        run = _run(state, index, part, vector.get(part.client, 0))
        if run is not None:
            runs.append(run)
    return encode(runs, state[index.tail :])


def _run(state: bytes, index: StateIndex, part: Part, known: int) -> Run | None:
    """What of one client's structs is unknown, without a gap at its start."""
    if known >= part.end:
        return None
    if known <= part.clock:
        return Run(part.client, part.clock, [state[part.start : part.stop]], part.total)
    left, structs = index.structs_from(part, known)
    at = bisect_right(structs, known, key=_end)
    struct, left = structs[at], left - at
    if struct.info == SKIP:
        return Run(part.client, struct.end, [state[struct.stop : part.stop]], left - 1)
    if struct.clock == known:
        return Run(part.client, known, [state[struct.start : part.stop]], left)
    pieces = [cut(state, struct, part.client, known, struct.end), state[struct.stop : part.stop]]
    return Run(part.client, known, pieces, left)


def _end(struct: Struct) -> int:
    return struct.end
