"""Purging: nothing of a document stays but the ids of the CRDT clients that wrote in it.

A copy that comes back from a week offline would bring all of it in again under the same id. Its state vector and its
updates name the clients of the old lineage; `Room` refuses whoever names one of them.
"""

from __future__ import annotations

from collab.api.parts import Parts
from collab.bus.base import Kind
from collab.crdt.decode import STORED
from collab.crdt.gate import check
from collab.crdt.index import StateIndex
from collab.errors import LineageRetired, NotFound
from collab.store.base import Stored
from collab.types import DocumentId


async def erase(parts: Parts, document: DocumentId) -> None:
    """Purges a document, soft-deleted or not. Raises NotFound.

    It is soft-deleted first: from then on no room of any node opens it and no append to it commits, so that the
    authors found afterwards are all there will ever be.
    """
    head = (await parts.log.heads([document])).get(document)
    if head is None:
        raise NotFound(f"there is no document {document!r}")
    if not head.deleted:
        await parts.catalog.set_deleted(document, True)
    slot = parts.hub.slots.get(document)
    shown = frozenset(slot.room.history.clocks.next) if slot is not None else frozenset()
    parts.hub.evict(document, LineageRetired())
    try:
        stored = await parts.log.load(document, deleted=True)
        if stored is not None:
            await parts.catalog.purge(document, shown | authors_of(stored))
    finally:  # other nodes look at once: not before, for they would tell their people that it can be brought back
        parts.hub.neighbours.tell(Kind.LOOK, document)


def authors_of(stored: Stored) -> frozenset[int]:
    """The CRDT client ids of everything that was ever stored; a checkpoint keeps them all."""
    found: set[int] = set()
    if stored.checkpoint is not None:
        index = StateIndex.decode(stored.checkpoint.index, stored.checkpoint.state)
        found.update(part.client for part in index.parts)
    for row in stored.rows:
        for entry in row.entries:
            found.update(client for client, _, _ in check(entry.update, STORED).runs)
    return frozenset(found)
