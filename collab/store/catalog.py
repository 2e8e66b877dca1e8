"""The catalog on SQL: documents as things with a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, literal, or_, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete
from sqlmodel import select as select_model

from collab.errors import Conflict, Gone, NotFound, Unprocessable
from collab.store.base import Document, LogRow, Page
from collab.store.cursors import after_prefix, decode_cursor, page
from collab.store.database import Database
from collab.store.granted import may_cover
from collab.store.loading import readable_after
from collab.store.log import new_lineage
from collab.store.tables import (
    CheckpointRow,
    DocumentRow,
    HistorySegmentRow,
    RetiredLineageRow,
    SnapshotRow,
    UpdateLogRow,
    utc_now,
)
from collab.types import DocumentId, Grant

FIRST_SEEN = " "  # ids are printable: what sorts before them is UNSEEN
PATCHABLE = {"title": "title", "metadata": "metadata_"}


class SqlCatalog:
    """Satisfies the Catalog port on any Database."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def create(self, document: DocumentId, title: str | None, metadata: Mapping[str, object]) -> Document:
        """Raises Conflict if it exists, Gone if it is soft-deleted."""
        now = self._now()
        row = DocumentRow(
            id=document,
            lineage=new_lineage(),
            title=title,
            metadata_=dict(metadata),
            created_at=now,
            updated_at=now,
        )

        def work(connection: Connection) -> Document:
            with _session(connection) as session:
                known = _find(session, document)
                if known is not None:
                    raise Conflict(f"document {document} exists") if known.deleted_at is None else Gone()
                session.add(row)
                session.flush()
                return _document(row)

        if "\0" in document:
            raise Unprocessable("a document id holds no NUL")
        try:
            return await self._database.write(work)
        except IntegrityError as error:  # another node made it since we looked
            raise Conflict(f"document {document} exists") from error

    async def get(self, document: DocumentId, deleted: bool = False) -> Document:
        """Raises NotFound, or Gone if soft-deleted and `deleted` is False."""

        def work(connection: Connection) -> Document:
            with _session(connection) as session:
                return _document(_existing(session, document, deleted))

        return await self._database.read(work)

    async def list(
        self,
        limit: int,
        cursor: str | None = None,
        prefix: str = "",
        metadata: Mapping[str, str] | None = None,
        deleted: bool = False,
        grants: Sequence[Grant] = (),
    ) -> Page[Document]:
        """Pages by id. With `deleted`, soft-deleted documents are listed too."""
        query = select_model(DocumentRow).order_by(col(DocumentRow.id)).limit(limit + 1)
        query = query.where(col(DocumentRow.id) >= FIRST_SEEN)
        if cursor is not None:
            query = query.where(col(DocumentRow.id) > decode_cursor(cursor))
        if prefix:
            # A range and not LIKE, which ignores case in SQLite and has wildcards: the index finds both ends.
            query = query.where(col(DocumentRow.id) >= prefix)
            end = after_prefix(prefix)
            if end is not None:
                query = query.where(col(DocumentRow.id) < end)
        if grants:
            query = query.where(or_(*(may_cover(self._database.dialect, grant) for grant in grants)))
        if not deleted:
            query = query.where(col(DocumentRow.deleted_at).is_(None))
        for key, value in (metadata or {}).items():
            query = query.where(_has_metadata(self._database.dialect, key, value))

        def work(connection: Connection) -> Page[Document]:
            with _session(connection) as session:
                return page([_document(row) for row in session.exec(query)], limit, lambda found: found.id)

        return await self._database.read(work)

    async def patch(self, document: DocumentId, changes: Mapping[str, object]) -> Document:
        """Sets `title` and `metadata`, whichever is there. Raises NotFound or Gone."""

        def work(connection: Connection) -> Document:
            with _session(connection) as session:
                row = _existing(session, document, lock=True)
                for name, value in changes.items():
                    setattr(row, PATCHABLE[name], value(getattr(row, PATCHABLE[name])) if callable(value) else value)
                row.updated_at = self._now()
                session.flush()
                return _document(row)

        return await self._database.write(work)

    async def rename(self, document: DocumentId, lineage: str, new: DocumentId) -> None:
        """Gives this life of a document another id. Raises NotFound, Gone, or Conflict if the other exists."""

        def work(connection: Connection) -> None:
            with _session(connection) as session:
                row = _existing(session, document, lock=True)
                if row.lineage != lineage:
                    raise NotFound(f"no document {document} of this lineage")
                if _find(session, new) is not None:
                    raise Conflict(f"document {new} exists")
                row.id = new
                session.flush()

        try:
            await self._database.write(work)
        except IntegrityError as error:  # another node made it since we looked
            raise Conflict(f"document {new} exists") from error

    async def set_deleted(self, document: DocumentId, deleted: bool) -> Document:
        """Soft-deletes or brings back; what is so already stays as it is. Raises NotFound."""

        def work(connection: Connection) -> Document:
            with _session(connection) as session:
                row = _existing(session, document, deleted=True, lock=True)
                if deleted != (row.deleted_at is not None):
                    row.updated_at = self._now()
                    row.deleted_at = row.updated_at if deleted else None
                session.flush()
                return _document(row)

        return await self._database.write(work)

    async def purge(
        self,
        document: DocumentId,
        authors: frozenset[int],
        seq: int | None = None,
        later: Callable[[Sequence[LogRow]], frozenset[int]] | None = None,
    ) -> None:
        """Erases everything but the lineage and the ids of its authors. Raises NotFound, or Conflict beyond `seq`.

        On SQLite the bytes are out of the files when this returns. On Postgres they are out of the tables, and leave
        the files by VACUUM FULL (PostgresDatabase.erase).
        """

        def work(connection: Connection) -> None:
            with _session(connection) as session:
                row = _existing(session, document, deleted=True, lock=True)
                if seq is None or seq == row.seq:
                    known = authors
                elif later is not None:
                    known = authors | later(readable_after(connection, row, seq))
                else:
                    raise Conflict(f"document {document} is at seq {row.seq}")
                retired = RetiredLineageRow(
                    document_id=document, lineage=row.lineage, authors=sorted(known), retired_at=self._now()
                )
                for table in (UpdateLogRow, HistorySegmentRow, CheckpointRow, SnapshotRow):
                    session.exec(delete(table).where(col(table.document_key) == row.key))
                session.add(retired)
                session.delete(row)
                session.flush()

        await self._database.write(work)
        await self._database.erase()


def _session(connection: Connection) -> Session:
    """An ORM session inside the transaction that is under way: it flushes, the database commits."""
    return Session(connection, autoflush=False, expire_on_commit=False)


def _find(session: Session, document: DocumentId, lock: bool = False) -> DocumentRow | None:
    query = select_model(DocumentRow).where(col(DocumentRow.id) == document)
    return session.exec(query.with_for_update() if lock else query).one_or_none()


def _existing(session: Session, document: DocumentId, deleted: bool = False, lock: bool = False) -> DocumentRow:
    row = _find(session, document, lock)
    if row is None:
        raise NotFound(f"no document {document}")
    if row.deleted_at is not None and not deleted:
        raise Gone()
    return row


def _document(row: DocumentRow) -> Document:
    return Document(
        id=row.id,
        lineage=row.lineage,
        title=row.title,
        metadata=row.metadata_,
        seq=row.seq,
        bytes_stored=row.log_bytes + row.checkpoint_bytes,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        quarantine=row.quarantine,
        squashed_seq=row.squashed_seq,
    )


def _has_metadata(dialect: str, key: str, value: str) -> ColumnElement[bool]:
    """Whether the top-level member `key` is the string `value`; keys may hold any character, so no JSON path."""
    column = col(DocumentRow.metadata_)
    if dialect == "postgresql":
        contains: ColumnElement[bool] = column.op("@>")({key: value})
        return contains
    member = func.json_each(column).table_valued("key", "value", "type", name="member")
    return select(literal(1)).where(member.c.key == key, member.c.value == value, member.c.type == "text").exists()
