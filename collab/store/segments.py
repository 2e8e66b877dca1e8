"""History segments on SQL: stretches of the log in few bytes, each put in the place of its rows by one transaction."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, or_, select, update

from collab.errors import Conflict
from collab.store.base import LogRow, Stretch
from collab.store.catalog import FIRST_SEEN
from collab.store.database import Database
from collab.store.loading import Damaged, verified
from collab.store.log import standing
from collab.store.payload import encode_segment, segment_checksum
from collab.store.tables import EPOCH, checkpoint, document, history_segment, update_log
from collab.types import DocumentId


class SqlSegments:
    """Satisfies the Segments port on any Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(
        self, before: datetime | None, joined: datetime | None, after: DocumentId, limit: int
    ) -> list[DocumentId]:
        """See the port. Two looks into an index for every document; deleted and quarantined ones are left alone."""
        kinds = ([_has_rows(before)] if before else []) + ([_has_segments(joined)] if joined else [])
        query = select(document.c.id).where(
            document.c.id > max(after, FIRST_SEEN),  # imports that are under way are nobody's business
            document.c.deleted_at.is_(None),
            document.c.quarantine.is_(None),
            or_(*kinds),
        )
        query = query.order_by(document.c.id).limit(limit)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def stretch(self, document: DocumentId, before: datetime, step_s: int, rows_max: int) -> Stretch | None:
        """See the port."""
        return await self._database.read(lambda connection: _stretch(connection, document, before, step_s, rows_max))

    async def old(self, document: DocumentId, before: datetime) -> Stretch | None:
        """See the port."""
        return await self._database.read(lambda connection: _old(connection, document, before))

    async def put(self, document: DocumentId, lineage: str, segment: LogRow) -> None:
        """See the port. On SQLite the replaced bytes are zeroed, and out of the WAL when it is next emptied."""
        payload = await asyncio.to_thread(encode_segment, segment.authors, segment.entries[0].update)
        await self._database.write(lambda connection: _put(connection, document, lineage, segment, payload))


def _has_rows(before: datetime) -> ColumnElement[bool]:
    rows = update_log.c
    oldest = select(rows.created_at).where(rows.document_key == document.c.key).order_by(rows.last_seq).limit(1)
    return and_(document.c.squashed_seq < document.c.seq, oldest.scalar_subquery() < before)


def _has_segments(before: datetime) -> ColumnElement[bool]:
    segments = history_segment.c
    old = and_(segments.document_key == document.c.key, segments.last_at < before)
    return select(func.count()).select_from(history_segment).where(old).scalar_subquery() > 1


def _head(connection: Connection, document_id: DocumentId) -> Any:
    named = ("key", "lineage", "seq", "squashed_seq")
    asked = select(*(document.c[name] for name in named))
    asked = asked.where(document.c.id == document_id, document.c.deleted_at.is_(None))
    return connection.execute(asked).one_or_none()


def _stretch(
    connection: Connection, document_id: DocumentId, before: datetime, step_s: int, rows_max: int
) -> Stretch | None:
    head = _head(connection, document_id)
    if head is None:
        return None
    columns, over = update_log.c, step_of(before, step_s)
    query = select(update_log).where(columns.document_key == head.key, columns.last_seq > head.squashed_seq)
    found = iter(connection.execute(query.order_by(columns.last_seq).limit(rows_max)))
    first = next(found, None)
    if first is None or step_of(first.created_at, step_s) >= over:
        return None
    step = step_of(first.created_at, step_s)
    rows, reached = [], int(head.squashed_seq)
    for row in [first, *takewhile(lambda row: step_of(row.created_at, step_s) == step, found)]:
        rows.append(_sound(row, head.lineage, reached))
        reached = rows[-1].last_seq
    newest = select(func.coalesce(func.max(checkpoint.c.seq), 0)).where(checkpoint.c.document_key == head.key)
    return Stretch(head.lineage, rows, connection.execute(newest).scalar_one())


def step_of(moment: datetime, step_s: int) -> int:
    """Which step of time, counted from 1970."""
    return (moment - EPOCH) // timedelta(seconds=step_s)


def _old(connection: Connection, document_id: DocumentId, before: datetime) -> Stretch | None:
    head = _head(connection, document_id)
    if head is None:
        return None
    columns = history_segment.c
    query = select(history_segment).where(columns.document_key == head.key, columns.last_at < before)
    rows, reached = [], 0
    for row in connection.execute(query.order_by(columns.last_seq)):
        if row.first_seq != reached + 1:  # clocks went back meanwhile: what is not old yet lies between
            break
        rows.append(_sound(row, head.lineage, reached))
        reached = rows[-1].last_seq
    return Stretch(head.lineage, rows, head.seq) if len(rows) > 1 else None


def _sound(row: Any, lineage: str, before: int) -> LogRow:
    try:
        return verified(row, lineage, before)
    except Damaged as damage:
        raise Conflict(f"not squashed: {damage}") from None


def _put(connection: Connection, document_id: DocumentId, lineage: str, segment: LogRow, payload: bytes) -> None:
    head = standing(connection, document_id, lineage)
    first, last = segment.first_seq, segment.last_seq
    if first == head.seq + 1 == head.squashed_seq + 1:
        seq, freed = last, 0  # an import: there never were rows
    else:
        seq, freed = head.seq, _free(connection, head.key, head.squashed_seq, segment)
    values = {"document_key": head.key, "first_seq": first, "last_seq": last, "payload": payload}
    values |= {"first_at": segment.squashed_from, "last_at": segment.created_at}
    sealed = segment_checksum(lineage, first, last, payload)
    connection.execute(insert(history_segment).values(**values, checksum=sealed))
    changes = {
        "seq": seq,
        "squashed_seq": max(last, head.squashed_seq),
        "log_bytes": document.c.log_bytes - freed + len(payload),
    }
    connection.execute(update(document).where(document.c.key == head.key).values(changes))


def _free(connection: Connection, key: int, squashed_seq: int, segment: LogRow) -> int:
    """Removes what the segment stands for; answers how many bytes that was. Raises Conflict unless it fits exactly."""
    table = update_log if segment.first_seq == squashed_seq + 1 else history_segment
    columns = table.c
    there = and_(
        columns.document_key == key, columns.last_seq >= segment.first_seq, columns.last_seq <= segment.last_seq
    )
    sums = select(func.min(columns.first_seq), func.max(columns.last_seq), func.sum(func.length(columns.payload)))
    first, last, size = connection.execute(sums.where(there)).one()
    if (first, last) != (segment.first_seq, segment.last_seq) or not _folded(connection, key, table, last):
        raise Conflict(f"no segment fits between seq {segment.first_seq} and {segment.last_seq} now")
    connection.execute(delete(table).where(there))
    return int(size)


def _folded(connection: Connection, key: int, table: Table, last_seq: int) -> bool:
    """Rows go only once a checkpoint holds them as well."""
    newest = select(func.coalesce(func.max(checkpoint.c.seq), 0)).where(checkpoint.c.document_key == key)
    return table is history_segment or int(connection.execute(newest).scalar_one()) >= last_seq
