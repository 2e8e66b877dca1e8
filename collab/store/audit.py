"""The audit in the database: rows are added and read, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Insert, select
from sqlalchemy.dialects import postgresql, sqlite

from collab.auth.base import AuditEvent
from collab.store.base import Page
from collab.store.database import Database
from collab.store.tables import AuditRow
from collab.types import DocumentId

AUDIT = AuditRow.__table__  # type: ignore[attr-defined]


class SqlAudit:
    """Satisfies the AuditStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, events: Sequence[AuditEvent]) -> None:
        """See the port."""
        rows = [asdict(event) for event in events]
        if rows:
            # A commit whose outcome was unknown is tried again with the same ids: what is there already stays.
            added = _insert(self._database.dialect)
            await self._database.write(lambda connection: connection.execute(added, rows) and None)

    async def list(
        self,
        limit: int,
        cursor: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        document: DocumentId | None = None,
    ) -> Page[AuditEvent]:
        """Newest first by id; the cursor is the last id seen."""
        wanted = {"actor": actor, "action": action, "document": document}
        rows = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit + 1)
        rows = rows.where(*(AUDIT.c[name] == value for name, value in wanted.items() if value is not None))
        if cursor is not None:
            rows = rows.where(AUDIT.c.id < cursor)
        found = await self._database.read(
            lambda connection: [AuditEvent(**row._mapping) for row in connection.execute(rows)]
        )
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


def _insert(dialect: str) -> Insert:
    if dialect == "postgresql":
        return postgresql.insert(AUDIT).on_conflict_do_nothing(index_elements=["id"])
    return sqlite.insert(AUDIT).on_conflict_do_nothing(index_elements=["id"])
