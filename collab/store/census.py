"""How many documents there are: the ceiling that keeps a stranger's script from filling the disk with names."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import func, select

from collab.errors import Overloaded
from collab.store.database import Database
from collab.store.tables import document as table

COUNTED_S = 5.0  # the count is this old at most; rates bound how far it can be passed meanwhile


class Census:
    """Counts when something new is about to be made, and not more often than every few seconds."""

    def __init__(self, database: Database, documents_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`documents_max` 0: any number; `clock`: seconds."""
        self._database = database
        self._documents_max = documents_max
        self._clock = clock
        self._counted_at = float("-inf")
        self._count = 0

    async def check(self) -> None:
        """Call it before a document is made. Raises Overloaded at the ceiling."""
        if not self._documents_max:
            return
        if self._clock() - self._counted_at >= COUNTED_S:
            self._counted_at = self._clock()
            self._count = await self._database.read(
                lambda connection: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            )
        self._count += 1
        if self._count > self._documents_max:
            raise Overloaded(f"this service holds {self._documents_max} documents and takes no more")
