"""Snapshots on SQL: named, immutable states of documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import uuid_utils
from sqlalchemy import Connection, delete, insert, select, update

from collab.errors import Gone, LineageRetired, NotFound, Quarantined
from collab.store.base import Page, Snapshot
from collab.store.cursors import decode_cursor, page
from collab.store.database import Database
from collab.store.payload import checksum
from collab.store.tables import document as documents
from collab.store.tables import snapshot as snapshots
from collab.store.tables import utc_now
from collab.types import DocumentId

DESCRIPTION = [column for column in snapshots.c if column.name not in ("state", "checksum")]


class SqlSnapshots:
    """Satisfies the Snapshots port on any Database. Every call raises NotFound or Gone for its document, too."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def create(
        self,
        document: DocumentId,
        seq: int,
        state: bytes,
        label: str | None,
        metadata: Mapping[str, object],
        by: str,
        lineage: str | None = None,
    ) -> Snapshot:
        """Stores an immutable state under a new id. Raises LineageRetired, too, if that lineage is over."""
        made = Snapshot(
            str(uuid_utils.uuid7()), document, seq, label, dict(metadata), by, self._now(), len(state), state
        )

        def work(connection: Connection) -> None:
            key, current = _document(connection, document, keep=True)
            if lineage not in (None, current):
                raise LineageRetired(current=current)
            connection.execute(insert(snapshots).values(_columns(made, key, current)))

        await self._database.write(work)
        return made

    async def get(self, document: DocumentId, snapshot: str) -> Snapshot:
        """With its state. Raises Quarantined if the stored bytes do not match their checksum."""

        def work(connection: Connection) -> Snapshot:
            key, lineage = _document(connection, document)
            row = connection.execute(select(snapshots).where(*_is(key, snapshot))).one_or_none()
            if row is None:
                raise NotFound(f"no snapshot {snapshot}")
            if checksum(lineage, row.state) != row.checksum:
                raise Quarantined(f"snapshot {snapshot} does not match its checksum")
            return _snapshot(row, document, row.state)

        return await self._database.read(work)

    async def list(self, document: DocumentId, limit: int, cursor: str | None = None) -> Page[Snapshot]:
        """Newest first, without states."""
        query = select(*DESCRIPTION).order_by(snapshots.c.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(snapshots.c.id < decode_cursor(cursor))

        def work(connection: Connection) -> Page[Snapshot]:
            key, _ = _document(connection, document)
            rows = connection.execute(query.where(snapshots.c.document_key == key))
            return page([_snapshot(row, document) for row in rows], limit, lambda found: found.id)

        return await self._database.read(work)

    async def patch(self, document: DocumentId, snapshot: str, changes: Mapping[str, object]) -> Snapshot:
        """Sets `label` and `metadata`, whichever is there; answers without the state."""
        wanted = {name: value for name, value in changes.items() if name in ("label", "metadata")}

        def work(connection: Connection) -> Snapshot:
            key, _ = _document(connection, document)
            row = connection.execute(select(*DESCRIPTION).where(*_is(key, snapshot)).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"no snapshot {snapshot}")
            values: dict[str, Any] = {
                name: value(getattr(row, name)) if callable(value) else value for name, value in wanted.items()
            }
            if values:
                connection.execute(update(snapshots).where(*_is(key, snapshot)).values(values))
            return replace(_snapshot(row, document), **values)

        return await self._database.write(work)

    async def delete(self, document: DocumentId, snapshot: str) -> None:
        """Removes it. Its bytes are overwritten in time; only a purge of the document waits for that."""

        def work(connection: Connection) -> int:
            key, _ = _document(connection, document)
            return connection.execute(delete(snapshots).where(*_is(key, snapshot))).rowcount

        if not await self._database.write(work):
            raise NotFound(f"no snapshot {snapshot}")


def _document(connection: Connection, document: DocumentId, keep: bool = False) -> tuple[int, str]:
    """Key and lineage of a live document; `keep`: it cannot be purged before this transaction ends."""
    columns = select(documents.c.key, documents.c.lineage, documents.c.deleted_at).where(documents.c.id == document)
    if keep:
        columns = columns.with_for_update(read=True, key_share=True)
    row = connection.execute(columns).one_or_none()
    if row is None:
        raise NotFound(f"no document {document}")
    if row.deleted_at is not None:
        raise Gone()
    return row.key, row.lineage


def _is(key: int, snapshot: str) -> tuple[Any, ...]:
    return snapshots.c.id == snapshot, snapshots.c.document_key == key


def _columns(made: Snapshot, key: int, lineage: str) -> dict[str, Any]:
    return {
        "id": made.id,
        "document_key": key,
        "seq": made.seq,
        "label": made.label,
        "metadata": made.metadata,
        "created_by": made.created_by,
        "created_at": made.created_at,
        "size_bytes": made.size_bytes,
        "checksum": checksum(lineage, made.state),
        "state": made.state,
    }


def _snapshot(row: Any, document: DocumentId, state: bytes = b"") -> Snapshot:
    return Snapshot(
        row.id,
        document,
        row.seq,
        row.label,
        row.metadata,
        row.created_by,
        row.created_at,
        row.size_bytes,
        state,
    )
