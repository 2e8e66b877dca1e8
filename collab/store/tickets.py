"""Tickets in the database that all nodes share: of any number of takers on any node one gets it."""

from __future__ import annotations

import time
from dataclasses import asdict

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, delete, func, insert, literal, type_coerce

from collab.auth.base import Ticket
from collab.store.database import Database
from collab.store.tables import ticket as table
from collab.types import Access

_until = type_coerce(table.c.until, BigInteger)


class SqlTickets:
    """Satisfies TicketStore. What is too old goes when a new one comes; how many come is for the rates to bound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _now(self) -> ColumnElement[int]:
        """Microseconds by the database's clock: one node's tickets are used up, and swept, by others."""
        if self._database.dialect == "sqlite":
            return literal(time.time_ns() // 1000, BigInteger)
        return cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)

    async def put(self, digest: bytes, ticket: Ticket, ttl_s: float) -> None:
        """See the port; one round trip more than the commit. Raises StorageUnavailable."""
        now, ttl_us = self._now(), int(ttl_s * 1_000_000)
        made = insert(table).values(digest=digest, until=now + literal(ttl_us, BigInteger), content=asdict(ticket))

        def work(connection: Connection) -> None:
            connection.execute(delete(table).where(_until < now))
            connection.execute(made)

        await self._database.write(work)

    async def take(self, digest: bytes) -> Ticket | None:
        """See the port: a row is deleted by one transaction only. Raises StorageUnavailable."""
        lives = (_until > self._now()).label("lives")
        statement = delete(table).where(table.c.digest == digest).returning(lives, table.c.content)
        row = await self._database.write(lambda connection: connection.execute(statement).one_or_none())
        if row is None or not row.lives:
            return None
        return Ticket(**row.content | {"access": Access(row.content["access"])})
