"""The audit on SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from collab.auth.base import AuditEvent
from collab.errors import Conflict
from collab.store.base import Page
from collab.store.cursors import decode_cursor, page
from collab.store.database import Database
from collab.store.tables import audit as events_table
from collab.types import DocumentId


class SqlAudit:
    """Satisfies the AuditStore port on any Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, events: Sequence[AuditEvent]) -> None:
        """All or none. Raises Conflict if an id is there already."""
        rows = [{name: getattr(event, name) for name in events_table.c.keys()} for event in events]
        for row in rows:
            row["detail"] = dict(row["detail"])
        try:
            await self._database.write(lambda connection: connection.execute(insert(events_table), rows))
        except IntegrityError as error:
            raise Conflict("this event is in the audit already") from error

    async def list(
        self,
        limit: int,
        cursor: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        document: DocumentId | None = None,
    ) -> Page[AuditEvent]:
        """Newest first. Only `document` has an index; the others read back in time until the page is full."""
        query = select(events_table).order_by(events_table.c.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(events_table.c.id < decode_cursor(cursor))
        for name, wanted in (("actor", actor), ("action", action), ("document", document)):
            if wanted is not None:
                query = query.where(events_table.c[name] == wanted)

        def work(connection: Connection) -> Page[AuditEvent]:
            return page([_event(row) for row in connection.execute(query)], limit, lambda event: event.id)

        return await self._database.read(work)


def _event(row: Any) -> AuditEvent:
    return AuditEvent(
        id=row.id,
        at=row.at,
        actor=row.actor,
        actor_kind=row.actor_kind,
        action=row.action,
        document=row.document,
        outcome=row.outcome,
        detail=row.detail,
    )
