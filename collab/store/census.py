"""How many documents there are, which are quarantined, and which fill what one may have on disk.

The ceiling keeps a stranger's script from filling the disk with names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import func, select

from collab.errors import DocumentFull, Overloaded
from collab.store.database import Database
from collab.store.loading import bytes_stored
from collab.store.tables import document as table
from collab.types import DocumentId

QUARANTINED_S = 15.0  # how old the list of quarantined documents may be: finding them reads the whole table
QUARANTINED_MAX = 100
COUNTED_S = 5.0  # the count is this old at most; rates bound how far it can be passed meanwhile


class Census:
    """Counts when something new is about to be made, and not more often than every few seconds."""

    def __init__(
        self,
        database: Database,
        documents_max: int,
        stored_bytes_max: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`documents_max` 0: any number; `stored_bytes_max` of one document, 0: any; `clock`: seconds."""
        self.stored_bytes_max = stored_bytes_max
        self._database = database
        self.documents_max = documents_max
        self._clock = clock
        self._counted_at = float("-inf")
        self._count = 0
        self._looked_at = float("-inf")
        self._quarantined: list[tuple[str, str]] = []

    async def check(self) -> None:
        """Call it before a document is made. Raises Overloaded at the ceiling, StorageUnavailable if none can count."""
        if not self.documents_max:
            return
        if self._clock() - self._counted_at >= COUNTED_S:
            self._counted_at = self._clock()  # at once: who asks meanwhile need not count, too
            try:
                self._count = await self._database.read(
                    lambda connection: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                )
            except BaseException:
                self._counted_at = float("-inf")  # nothing was counted
                raise
        self._count += 1
        if self._count > self.documents_max:
            raise Overloaded(f"this service holds {self.documents_max} documents and takes no more")

    async def full(self, documents: Sequence[DocumentId]) -> frozenset[DocumentId]:
        """Those that have no byte left of what one document may have on disk. Raises StorageUnavailable."""
        if not documents or not self.stored_bytes_max:
            return frozenset()
        wanted = select(table.c.id).where(table.c.id.in_(documents), bytes_stored() >= self.stored_bytes_max)
        return await self._database.read(lambda connection: frozenset(connection.execute(wanted).scalars()))

    async def check_space(self, document: DocumentId) -> None:
        """Call it before something large is kept of a document. Raises DocumentFull."""
        if await self.full([document]):
            raise DocumentFull()

    async def quarantined(self) -> list[tuple[str, str]]:
        """(id, why) of documents that are read-only because stored bytes failed their check; at most a hundred.

        Raises StorageUnavailable.
        """
        if self._clock() - self._looked_at >= QUARANTINED_S:
            wanted = (
                select(table.c.id, table.c.quarantine).where(table.c.quarantine.is_not(None)).limit(QUARANTINED_MAX)
            )
            rows = await self._database.read(lambda connection: connection.execute(wanted).all())
            self._quarantined = [(str(id), str(why)) for id, why in rows]
            self._looked_at = self._clock()
        return self._quarantined
