"""Folding: the small state that a log of updates amounts to, made without a CRDT document.

Three things shrink a log, all of them what yjs does to its own documents (docs/codec.md says why each is right):
structs typed one after the other become one, deleted content becomes a length, and what lies inside of a deleted type
becomes a bare length. What waits for missing dependencies is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collab.crdt.block import COUNTED, JOINABLE, LISTED, Block, read_blocks
from collab.crdt.content import DELETED, GC, STRING, TYPE
from collab.crdt.decode import HAS_KEY, STORED, Update, decode
from collab.crdt.encode import Run, encode
from collab.crdt.gate import check
from collab.crdt.homes import NOWHERE, Homes, replaced
from collab.crdt.ids import IdRanges, Range
from collab.crdt.merge import merge
from collab.errors import BadUpdate

Rows = dict[int, list[Block]]
"""Client to its blocks, ascending."""


AT_ONCE = 50_000
"""Updates folded in one go; parsed they take some 500 bytes each."""

TYPED = COUNTED | {STRING}
"""Kinds that may be joined without knowing what they lie in: no writer puts a string under a key."""


def fold(base: bytes | None, updates: Sequence[bytes]) -> bytes:
    """The state of `base` (an earlier fold) and all updates. Raises BadUpdate if one of them is none."""
    state = b"\0\0" if base is None else base
    for first in range(0, max(len(updates), 1), AT_ONCE):
        state = squash(decode(merge([state, *updates[first : first + AT_ONCE]])))
    return state


def verify(folded: bytes, base: bytes | None, updates: Sequence[bytes]) -> None:
    """Raises BadUpdate unless the folded state passes the gate and has every clock and deletion of what it folds."""
    state = check(folded, STORED)
    clocks, deletes = IdRanges.of(state.runs), IdRanges.of(state.deletes)
    for update in [*([] if base is None else [base]), *updates]:
        part = check(update, STORED)
        if not clocks.covers(part.runs) or not deletes.covers(part.deletes):
            raise BadUpdate("a folded state lacks something of what it folds")


def squash(update: Update) -> bytes:
    """The same update in fewer bytes."""
    rows: Rows = {section.client: read_blocks(update.data, section) for section in update.sections}
    deletes = IdRanges.of(update.deletes)
    settled = {client: len(row) for client, row in rows.items()}
    if _has_types(rows):
        homes = Homes(rows)
        settled = homes.settled
        collect(homes, deletes)
    runs: list[Run] = []
    gone: list[Range] = []
    for client, row in rows.items():
        kept = list(_joined(_without_content(row[: settled[client]], deletes.ranges_of(client))))
        gone += ((client, block.clock, block.end) for block in kept if block.kind in (GC, DELETED))
        kept += row[settled[client] :]
        runs.append(Run(client, kept[0].clock, [block.encode() for block in kept], len(kept)))
    deletes.update(gone)
    return encode(runs, deletes.encode())


def condense(updates: Sequence[bytes]) -> bytes:
    """One small update for a stretch of a log, for whoever has all that came before it. Raises BadUpdate.

    What the stretch builds on is not here, so nothing is known of where things lie: typing is joined, and what was
    both written and deleted in the stretch loses its content; types stay, and so do values, one by one, since a value
    may lie under a key.
    """
    update = decode(merge(updates))
    deletes = IdRanges.of(update.deletes)
    runs: list[Run] = []
    for section in update.sections:
        row = read_blocks(update.data, section)
        bare = _without_content(row, deletes.ranges_of(section.client), spared=TYPE)
        kept = list(_joined(bare, TYPED))
        runs.append(Run(section.client, kept[0].clock, [block.encode() for block in kept], len(kept)))
    return encode(runs, deletes.encode())


def _has_types(rows: Rows) -> bool:
    """Whether anything lies elsewhere than in line in a root type; if not, nothing needs to know its home."""
    return any(
        block.info & HAS_KEY or block.info in (GC, TYPE) or block.kind == TYPE or isinstance(block.parent, tuple)
        for row in rows.values()
        for block in row
    )


def collect(homes: Homes, deletes: IdRanges) -> None:
    """Deletes what a later value of its key replaced; makes GC of all that lies in deleted types or nowhere."""
    lost = [block for values in homes.keyed.values() for block in replaced(values)]
    deletes.update((block.client, block.clock, block.end) for block in lost)
    gone: set[Block] = set()
    for block in homes.types:
        home = homes.of(block)
        if home is NOWHERE or home.type in gone or deletes.contains(block.client, block.clock, block.end):
            gone.add(block)
    for client, row in homes.rows.items():
        for block in row[: homes.settled[client]]:
            home = homes.of(block)
            if home is NOWHERE or home.type in gone:
                block.become_gc()


def _without_content(row: list[Block], bounds: list[int], spared: int = GC) -> Iterator[Block]:
    """The blocks, with what lies within `bounds` (starts and ends in turn) deleted, cut where it must be.

    Blocks of the kind `spared` stay as they are.
    """
    at = 0
    for block in row:
        while at < len(bounds) and bounds[at] <= block.clock:
            at += 1
        if at == len(bounds) and not at & 1:
            yield block
            continue
        stop = at
        while stop < len(bounds) and bounds[stop] < block.end:
            stop += 1
        if stop == at or block.kind not in (STRING, *LISTED):
            if at & 1 and block.kind not in COUNTED and block.kind != spared:
                block.become_deleted()
            yield block
            continue
        for number, piece in enumerate(block.cut(bounds[at:stop])):
            if (at + number) & 1:
                piece.become_deleted()
            yield piece


def _joined(row: Iterator[Block], kinds: frozenset[int] = JOINABLE) -> Iterator[Block]:
    """The blocks, with those joined that a split could have come from."""
    last: Block | None = None
    for block in row:
        if last is None:
            last = block
        elif block.kind in kinds and block.follows(last):
            last.join(block)
        else:
            yield last
            last = block
    if last is not None:
        yield last
