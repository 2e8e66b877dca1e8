"""Tickets in the database that all nodes share: of any number of takers on any node one gets it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import Connection, delete, insert

from collab.auth.base import Ticket
from collab.store.database import Database
from collab.store.tables import ticket as table
from collab.store.tables import utc_now
from collab.types import Access


class SqlTickets:
    """Satisfies TicketStore. What is too old goes when a new one comes; how many come is for the rates to bound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, digest: bytes, ticket: Ticket, ttl_s: float) -> None:
        """See the port; one round trip more than the commit. Raises StorageUnavailable."""
        values = {"digest": digest, "until": utc_now() + timedelta(seconds=ttl_s), "content": asdict(ticket)}

        def work(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.until < utc_now()))
            connection.execute(insert(table), values)

        await self._database.write(work)

    async def take(self, digest: bytes) -> Ticket | None:
        """See the port: a row is deleted by one transaction only. Raises StorageUnavailable."""
        statement = delete(table).where(table.c.digest == digest).returning(table.c.until, table.c.content)
        row = await self._database.write(lambda connection: connection.execute(statement).one_or_none())
        if row is None or row.until <= utc_now():
            return None
        return Ticket(**row.content | {"access": Access(row.content["access"])})
