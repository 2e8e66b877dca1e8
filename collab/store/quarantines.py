"""How many documents are quarantined."""

from __future__ import annotations

from sqlalchemy import func, select

from collab.store.database import Database
from collab.store.tables import document


async def count_quarantined(database: Database) -> int:
    """Reads every document's row: for once a minute. Raises StorageUnavailable."""
    asked = select(func.count()).select_from(document).where(document.c.quarantine.is_not(None))
    return await database.read(lambda connection: int(connection.execute(asked).scalar_one()))
