"""Real databases for what the access side keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from collab.store.migrate import upgrade
from collab.store.sqlite import SqliteDatabase


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[SqliteDatabase]:
    """A new SQLite file with our tables."""
    database = SqliteDatabase(folder / "collab.db")
    try:
        await upgrade(database)
        yield database
    finally:
        await database.close()
