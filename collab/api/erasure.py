"""Purging: nothing of a document stays but the ids of the CRDT clients that wrote in it.

A copy that comes back from a week offline would bring all of it in again under the same id. Its state vector and its
updates name the clients of the old lineage; `Room` refuses whoever names one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from collab.api.parts import Parts
from collab.bus.base import Kind
from collab.crdt.decode import STORED
from collab.crdt.gate import check
from collab.crdt.index import StateIndex
from collab.errors import BadUpdate, CollabError, Conflict, LineageRetired, NotFound, StorageUnavailable
from collab.slot import Slot
from collab.store.base import UNBORN, Checkpoint, LogRow, Stored
from collab.types import DocumentId

TRIES = 5  # each takes as long as reading the document


async def erase(parts: Parts, document: DocumentId) -> None:
    """Purges a document, soft-deleted or not. Raises NotFound.

    In one step: whoever has it open, or a commit under way, on any node, finds the lineage over or the document as it
    was. Here nobody writes meanwhile, and people are told that it is gone only when it is: that is final for them.
    """
    head = (await parts.log.heads([document])).get(document)
    if head is None:
        raise NotFound(f"there is no document {document!r}")
    slot = parts.hub.slots.get(document)
    with _still(slot):
        try:
            for left in reversed(range(TRIES)):
                shown = () if slot is None else slot.room.history.clocks.next  # their edits may be in no commit
                if await _purge(parts, document, frozenset(shown), last=not left):
                    break
        finally:  # its rows may be gone although the file could not be swept
            await _tell(parts, document, head.lineage)


@contextmanager
def _still(slot: Slot | None) -> Iterator[None]:
    """Nobody writes in the room meanwhile; if it lives on, who was refused is asked for what that was."""
    if slot is None or slot.room.read_only is not None:
        yield
        return
    room, refusal = slot.room, StorageUnavailable("this document is being purged")
    room.read_only = refusal
    try:
        yield
    finally:
        if room.read_only is refusal:
            room.read_only = None
        for session in list(room.sessions) if slot.failed is None else ():
            room.readmit(session)


async def _purge(parts: Parts, document: DocumentId, shown: frozenset[int], last: bool) -> bool:
    """One try; False if the document moved on meanwhile: people on other nodes write. The `last` one goes with that.

    What came since it was read is then looked at while its row is locked, which on Postgres holds up this node's loop.
    """
    head = (await parts.log.heads([document])).get(document)
    stored = await parts.log.load(document, deleted=True)
    if head is None or stored is None:
        return True  # somebody else has purged it
    try:
        authors = await asyncio.to_thread(authors_of, stored)  # a first sync in the log takes seconds to read
        await parts.catalog.purge(document, authors | shown, head.seq, authors_of_rows if last else None)
    except NotFound:
        return True
    except Conflict:
        return False
    return True


async def _tell(parts: Parts, document: DocumentId, lineage: str) -> None:
    """Ends its rooms on all nodes, if this life of the document is over."""
    error: CollabError = LineageRetired()
    try:
        head = (await parts.log.heads([document])).get(document)
        if head is not None and head.lineage == lineage:
            return
    except CollabError:  # they come back, and find out
        error = StorageUnavailable("whether this document was purged is not known now")
    slot = parts.hub.slots.get(document)
    if slot is None or slot.room.lineage in (lineage, UNBORN):  # opened again meanwhile; else made anew already
        parts.hub.evict(document, error)
    parts.hub.neighbours.tell(Kind.LOOK, document)


def authors_of(stored: Stored) -> frozenset[int]:
    """The CRDT client ids of everything that was ever stored; a checkpoint keeps them all."""
    return _authors_of_base(stored.checkpoint) | authors_of_rows(stored.rows)


def _authors_of_base(checkpoint: Checkpoint | None) -> frozenset[int]:
    if checkpoint is None:
        return frozenset()
    return frozenset(part.client for part in StateIndex.decode(checkpoint.index, checkpoint.state).parts)


def authors_of_rows(rows: Iterable[LogRow]) -> frozenset[int]:
    """The same of rows of the log."""
    found: set[int] = set()
    for row in rows:
        for entry in row.entries:
            with suppress(BadUpdate):  # what cannot be read can be purged all the same
                found.update(client for client, _, _ in check(entry.update, STORED).runs)
    return frozenset(found)
