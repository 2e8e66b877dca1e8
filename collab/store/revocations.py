"""Revocations in the database: how every node hears of them, whether there is a bus or not."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, text

from collab.auth.base import REMEMBERED_S, Revocation
from collab.store.database import Database
from collab.store.tables import revocation as table
from collab.types import Access

# Asked four times a second on every node: building a statement anew takes longer than SQLite takes to answer it.
_SINCE = select(table).where(table.c.at >= bindparam("at")).order_by(table.c.at, table.c.id)

_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


class SqlRevocations:
    """Satisfies the RevocationStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, revocation: Revocation) -> None:
        """See the port."""
        await self._database.write(lambda connection: insert_revocation(connection, revocation))

    async def now(self) -> float | None:
        """See the port."""
        if self._database.dialect == "sqlite":
            return None
        return await self._database.read(lambda connection: float(connection.execute(_NOW).scalar_one()))

    async def since(self, at: datetime) -> list[Revocation]:
        """See the port; one look at an index."""
        return await self._database.read(
            lambda connection: [_revocation(row) for row in connection.execute(_SINCE, {"at": at})]
        )


def insert_revocation(connection: Connection, revocation: Revocation) -> None:
    """In whatever transaction the cause of it is written; what is too old to matter goes."""
    forgotten = revocation.at - timedelta(seconds=REMEMBERED_S)
    connection.execute(delete(table).where(table.c.at < forgotten))
    connection.execute(insert(table), asdict(revocation) | {"access": int(revocation.access)})


def _revocation(row: Row[Any]) -> Revocation:
    return Revocation(row.id, row.at, row.user, row.document, row.key, Access(row.access))
