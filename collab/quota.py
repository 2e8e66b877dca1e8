"""What one document may have on disk: who fills it is told, loses nothing, and may go on once there is room again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog

from collab.errors import CollabError
from collab.hub import Hub
from collab.types import DocumentId

log = structlog.get_logger(__name__)

EVERY_S = 5.0  # in this time a document can grow beyond its quota by what its sockets may send
AT_ONCE = 500

Full = Callable[[Sequence[DocumentId]], Awaitable[Collection[DocumentId]]]
"""Those of these documents that are full."""


class Quota:
    """Looks at the open rooms that have grown, and at those that were full."""

    def __init__(self, hub: Hub, full: Full) -> None:
        self._hub = hub
        self._full = full
        self._seen: dict[DocumentId, int] = {}

    async def run(self) -> None:
        """Forever, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.once()
            except CollabError as error:  # the database's own probe says it louder
                log.warning("sizes cannot be looked at", reason=error.detail)
            except Exception:
                log.exception("looking at sizes failed")

    async def once(self) -> None:
        """One look. Raises StorageUnavailable."""
        rooms = {document: slot.room for document, slot in self._hub.slots.items()}
        seen, self._seen = self._seen, {document: room.ledger.seq for document, room in rooms.items()}
        asked = [document for document, room in rooms.items() if room.full or seen.get(document) != room.ledger.seq]
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            full = await self._full(some)
            for document in some:
                if rooms[document].full != (document in full):
                    log.warning("document full" if document in full else "document has room again", document=document)
                rooms[document].fill(document in full)

    def gauges(self) -> dict[str, float]:
        """For metrics."""
        return {"full_documents": float(sum(slot.room.full for slot in self._hub.slots.values()))}
