"""What a replica lacks of a state, given its state vector: the answer to sync step 1."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping

from collab.crdt.content import SKIP
from collab.crdt.decode import Struct
from collab.crdt.encode import Run, cut, encode
from collab.crdt.index import Part, StateIndex, build
from collab.protocol.varint import write_varuint

PARTS_AT_ONCE = 500  # clients that are looked at in one step, at 2 µs each
CUT_COST = 50  # of them: to find where one is cut, up to 64 structs are parsed


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


def diffing(state: bytes, index: StateIndex, vector: Mapping[int, int]) -> Iterator[bytes | None]:
    """The same, for an index of any number of clients, in steps of a millisecond or so: None at each, then the update.

    Clients stay in the order of the state, which is the one that `encode` gives them.
    """
    pieces: list[bytes] = []
    count = cost = 0
    for part in index.parts:
        known = vector.get(part.client, 0)
        run = _run(state, index, part, known)
        if run is not None:
            count += 1
            pieces += (write_varuint(run.count), write_varuint(run.client), write_varuint(run.clock), *run.pieces)
        cost += CUT_COST if part.clock < known < part.end else 1
        if cost >= PARTS_AT_ONCE:
            cost = 0
            yield None
    yield b"".join((write_varuint(count), *pieces, state[index.tail :]))


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
