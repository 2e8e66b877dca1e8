"""Purging: nothing of a document stays but the ids of the CRDT clients that wrote in it.

A copy that comes back from a week offline would bring all of it in again under the same id. Its state vector and its
updates name the clients of the old lineage; `Room` refuses whoever names one of them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from collab.api.parts import Parts
from collab.bus.base import Kind
from collab.crdt.decode import STORED
from collab.crdt.gate import check
from collab.crdt.index import StateIndex
from collab.errors import BadUpdate, Conflict, LineageRetired, NotFound
from collab.store.base import Stored
from collab.types import DocumentId

TRIES = 5  # each takes as long as reading the document


async def erase(parts: Parts, document: DocumentId) -> None:
    """Purges a document, soft-deleted or not. Raises NotFound.

    In one step, if nobody writes between the look at who has written and the purge: whoever has it open, or a commit
    under way, on any node, then finds the lineage over. Should it move on each time, it is soft-deleted first; from
    then on no append to it commits.
    """
    head = (await parts.log.heads([document])).get(document)
    if head is None:
        raise NotFound(f"there is no document {document!r}")
    shown: set[int] = set()
    try:
        for _ in range(TRIES):
            if await _purge(parts, document, shown):
                break
        else:
            await parts.catalog.set_deleted(document, True)
            await _purge(parts, document, shown)
    finally:  # its rows may be gone although the file could not be swept
        slot = parts.hub.slots.get(document)
        if slot is None or slot.room.lineage == head.lineage:  # opened again meanwhile; else made anew already
            parts.hub.evict(document, LineageRetired())
        parts.hub.neighbours.tell(Kind.LOOK, document)


async def _purge(parts: Parts, document: DocumentId, shown: set[int]) -> bool:
    """One try; False if the document moved on meanwhile. `shown` gathers authors whose edits may be in no commit."""
    slot = parts.hub.slots.get(document)
    if slot is not None:
        shown.update(slot.room.history.clocks.next)
    parts.hub.evict(document, LineageRetired())
    head = (await parts.log.heads([document])).get(document)
    stored = await parts.log.load(document, deleted=True)
    if head is None or stored is None:
        return True  # somebody else has purged it
    try:
        authors = await asyncio.to_thread(authors_of, stored)  # a first sync in the log takes seconds to read
        await parts.catalog.purge(document, authors | shown, head.seq)
    except NotFound:
        return True
    except Conflict:
        return False
    return True


def authors_of(stored: Stored) -> frozenset[int]:
    """The CRDT client ids of everything that was ever stored; a checkpoint keeps them all."""
    found: set[int] = set()
    if stored.checkpoint is not None:
        index = StateIndex.decode(stored.checkpoint.index, stored.checkpoint.state)
        found.update(part.client for part in index.parts)
    for row in stored.rows:
        for entry in row.entries:
            with suppress(BadUpdate):  # what cannot be read can be purged all the same
                found.update(client for client, _, _ in check(entry.update, STORED).runs)
    return frozenset(found)
