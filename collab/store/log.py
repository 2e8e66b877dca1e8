"""The update log on SQL: appends, reads, heads, checkpoints."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import structlog
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from collab.errors import (
    BadRequest,
    CollabError,
    Gone,
    LineageRetired,
    NotFound,
    PreconditionFailed,
    Unprocessable,
)
from collab.store import loading
from collab.store.append import Prepared, plan, prepare
from collab.store.base import Append, Appended, Checkpoint, Head, LogRow, Stored
from collab.store.commit import CommitSql, PostgresCommit, SqliteCommit
from collab.store.database import Database
from collab.store.payload import checksum
from collab.store.tables import checkpoint, document, moment, retired_lineage, update_log
from collab.types import DocumentId

CHECKPOINTS_KEPT = 2  # the newest, and the one to fall back to should it rot

logger = structlog.get_logger("collab.store")


def new_lineage() -> str:
    """A fresh random lineage: 16 hexadecimal characters."""
    return secrets.token_hex(8)


class SqlLog:
    """Satisfies the UpdateLog port on any Database."""

    def __init__(self, database: Database, now: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        """`now` gives microseconds since 1970."""
        self._database = database
        self._now = now
        self._sql: CommitSql = SqliteCommit() if database.dialect == "sqlite" else PostgresCommit()

    async def append(self, batch: Sequence[Append]) -> Sequence[Appended]:
        """One transaction. Unprocessable if the database refuses a value; nothing is stored then."""
        prepared = cache(lambda: prepare(batch))  # made in the thread that needs it, once for all tries
        try:
            return await self._database.write(lambda connection: self._append(connection, prepared()))
        except _Missing:
            pass  # a document is not there yet; making one comes before every lock
        except IntegrityError:
            return await self._settle(prepared())
        try:
            return await self._database.write(lambda connection: self._create_and_append(connection, prepared()))
        except IntegrityError:
            return await self._settle(prepared())

    async def load(self, document: DocumentId, deleted: bool = False) -> Stored | None:
        """Newest good checkpoint and the rows after it; what is found damaged is remembered in the catalog."""
        found = await self._database.read(lambda connection: loading.load(connection, document, new_lineage, deleted))
        if found is None:
            return None
        stored, remembered = found
        if stored.quarantine != remembered:
            logger.warning("quarantine", document=document, reason=stored.quarantine)
            await self._database.write(lambda connection: _set_quarantine(connection, document, stored))
        return stored

    async def read(
        self, document: DocumentId, after_seq: int, limit: int, lineage: str | None = None
    ) -> Sequence[LogRow]:
        """Verified rows; NotFound or Gone if there is no such document, Quarantined at a damaged row."""
        return await self._database.read(
            lambda connection: loading.read(connection, document, after_seq, limit, lineage)
        )

    async def heads(self, documents: Sequence[DocumentId]) -> Mapping[DocumentId, Head]:
        """Indexed reads, of up to 256 documents each."""
        found = await self._database.read(lambda connection: self._sql.heads(connection, documents))
        return {id: Head(head.lineage, head.seq, head.deleted_at is not None) for id, head in found.items()}

    async def put_checkpoint(self, document: DocumentId, lineage: str, checkpoint: Checkpoint) -> None:
        """Raises NotFound, Gone, LineageRetired, or BadRequest for a seq that the log has not reached."""
        now = self._now()
        await self._database.write(lambda connection: _put_checkpoint(connection, document, lineage, checkpoint, now))

    async def ping(self) -> None:
        """Takes the write lock (on Postgres: a transaction id) and reads a row."""
        await self._database.write(lambda connection: connection.execute(text("SELECT count(*) FROM alembic_version")))

    def _append(self, connection: Connection, batch: Sequence[Prepared], create: bool = False) -> list[Appended]:
        documents = sorted({prepared.append.document for prepared in batch})
        heads = self._sql.lock(connection, documents)
        if len(heads) < len(documents) and not create:
            raise _Missing()
        result = plan(batch, heads, self._now())
        self._sql.write(connection, result)
        late = [p for p, done in zip(batch, result.results, strict=True) if isinstance(done.error, PreconditionFailed)]
        # Or it was an earlier try of the same append, whose outcome was unknown, that moved the document on.
        known = _known(connection, late) if late else {}
        return [known.get(p.append.batch, done) for p, done in zip(batch, result.results, strict=True)]

    def _create_and_append(self, connection: Connection, batch: Sequence[Prepared]) -> list[Appended]:
        """Makes what is missing, unless its lineage is retired, then appends.

        Nodes that make the same documents at once wait for each other's inserts in id order, and hold no row's lock
        while they do; the locks come after, in id order again: no ring of waiting can form.
        """
        wanted = _wanted(batch)
        before = self._sql.heads(connection, list(wanted))
        over = _retired_among(connection, wanted)
        now = self._now()
        new = [
            {"id": id, "lineage": lineage, "now": now} for id, lineage in wanted.items() if (id, lineage) not in over
        ]
        if new:
            connection.execute(_CREATE, new)
        made = {id: lineage for id, lineage in wanted.items() if id not in before}
        results = self._append(connection, batch, create=True)
        # Another node may have made it in between: the lineage, which is random, says whose it is.
        return [
            replace(done, created=True) if done.first_seq == 1 and made.get(done.document) == done.lineage else done
            for done in results
        ]

    async def _settle(self, batch: Sequence[Prepared]) -> Sequence[Appended]:
        """A row could not go in: some appends of an earlier try, whose outcome was unknown, are stored already."""

        def work(connection: Connection) -> list[Appended]:
            known = _known(connection, batch)
            rest = [prepared for prepared in batch if prepared.append.batch not in known]
            fresh = iter(self._create_and_append(connection, rest))
            return [known.get(prepared.append.batch) or next(fresh) for prepared in batch]

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise Unprocessable(f"the log refuses a row: {error.orig}") from error


class _Missing(CollabError):
    """A document of the batch does not exist yet."""


_CREATE = text(
    "INSERT INTO document (id, lineage, seq, squashed_seq, metadata, log_bytes, checkpoint_bytes, created_at, "
    "updated_at) VALUES (:id, :lineage, 0, 0, '{}', 0, 0, :now, :now) ON CONFLICT (id) DO NOTHING"
)


def _wanted(batch: Sequence[Prepared]) -> dict[DocumentId, str]:
    """Every document of the batch in id order, with the lineage that it gets from its first append if it is new."""
    found: dict[DocumentId, str] = {}
    for prepared in batch:
        found.setdefault(prepared.append.document, prepared.append.lineage or new_lineage())
    return dict(sorted(found.items()))


def _known(connection: Connection, batch: Sequence[Prepared]) -> dict[bytes, Appended]:
    """Which of these appends are in the log, and where."""
    found: dict[bytes, Appended] = {}
    appends = {prepared.append.batch: prepared.append for prepared in batch}
    columns = select(update_log.c.batch, update_log.c.first_seq, update_log.c.last_seq, document.c.lineage)
    columns = columns.join(document, document.c.key == update_log.c.document_key)
    for row in connection.execute(columns.where(update_log.c.batch.in_(list(appends)))):
        append = appends[row.batch]
        # Whether that try made the document is not known any more: told once too often is better than never.
        created = row.first_seq == 1
        found[row.batch] = Appended(append.document, row.lineage, row.first_seq, row.last_seq, created=created)
    return found


def _retired_among(connection: Connection, wanted: Mapping[DocumentId, str]) -> set[tuple[DocumentId, str]]:
    columns = select(retired_lineage.c.document_id, retired_lineage.c.lineage)
    return {
        (row.document_id, row.lineage)
        for row in connection.execute(columns.where(retired_lineage.c.document_id.in_(list(wanted))))
    }


def _set_quarantine(connection: Connection, document_id: DocumentId, stored: Stored) -> None:
    connection.execute(
        update(document)
        .where(document.c.id == document_id, document.c.lineage == stored.lineage)
        .values(quarantine=stored.quarantine)
    )


def _put_checkpoint(connection: Connection, document_id: DocumentId, lineage: str, new: Checkpoint, now: int) -> None:
    head = standing(connection, document_id, lineage)
    if not 0 < new.seq <= head.seq:
        raise BadRequest(f"checkpoint at seq {new.seq}, but the log stands at {head.seq}")
    _replace_checkpoint(connection, head.key, lineage, new, now)
    _drop_old_checkpoints(connection, head.key)


def standing(connection: Connection, document_id: DocumentId, lineage: str) -> Any:
    """Where the document stands, locked against writers. Raises NotFound, LineageRetired or Gone."""
    named = ("key", "lineage", "seq", "squashed_seq", "deleted_at")
    columns = select(*(document.c[name] for name in named)).where(document.c.id == document_id)
    head = connection.execute(columns.with_for_update(key_share=True)).one_or_none()
    if head is None:
        raise NotFound(f"no document {document_id}")
    if head.lineage != lineage:
        raise LineageRetired(current=head.lineage)
    if head.deleted_at is not None:
        raise Gone()
    return head


def _replace_checkpoint(connection: Connection, key: int, lineage: str, new: Checkpoint, now: int) -> None:
    connection.execute(delete(checkpoint).where(checkpoint.c.document_key == key, checkpoint.c.seq == new.seq))
    connection.execute(
        insert(checkpoint).values(
            document_key=key,
            seq=new.seq,
            created_at=moment(now),
            checksum=checksum(lineage, new.state, new.index),
            state_index=new.index,
            state=new.state,
        )
    )


def _drop_old_checkpoints(connection: Connection, key: int) -> None:
    of_document = checkpoint.c.document_key == key
    newest_first = select(checkpoint.c.seq).where(of_document).order_by(checkpoint.c.seq.desc())
    kept = connection.execute(newest_first.limit(CHECKPOINTS_KEPT)).scalars().all()
    connection.execute(delete(checkpoint).where(of_document, checkpoint.c.seq < kept[-1]))
    size = select(func.coalesce(func.sum(func.length(checkpoint.c.state) + func.length(checkpoint.c.state_index)), 0))
    connection.execute(
        update(document).where(document.c.key == key).values(checkpoint_bytes=size.where(of_document).scalar_subquery())
    )
