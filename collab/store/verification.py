"""Checks everything that is stored: the schema, the file, and on demand every checksum of every document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, func, select

from collab.errors import CollabError
from collab.store.database import Database
from collab.store.loading import Damaged, history_after, verified
from collab.store.payload import checksum
from collab.store.tables import checkpoint, document, history_segment, snapshot, update_log
from collab.types import DocumentId

ROWS_AT_ONCE = 500  # a read lasts milliseconds, so that it never holds up the writer's WAL
DOCUMENTS_AT_ONCE = 200


@dataclass(slots=True)
class Verified:
    """What was looked at in one document, and what is wrong with it."""

    document: DocumentId
    rows: int = 0
    segments: int = 0
    checkpoints: int = 0
    snapshots: int = 0
    faults: list[str] = field(default_factory=list)


async def file_faults(database: Database) -> list[str]:
    """What SQLite itself finds wrong with its file; nothing on Postgres, which checks pages as it reads them."""
    if database.dialect != "sqlite":
        return []

    def work(connection: Connection) -> list[str]:
        lines = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        strays = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [line for line in lines if line != "ok"] + [
            f"row {row[1]} of {row[0]} has no document" for row in strays
        ]

    return await database.read(work)


async def document_count(database: Database) -> int:
    """How many documents there are, deleted ones too."""
    query = select(func.count()).select_from(document)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def every_document(database: Database) -> AsyncIterator[Verified]:
    """Verifies each document's whole log, checkpoints and snapshots, in small reads, while others write."""
    after = 0
    while True:
        query = select(document.c.key, document.c.id).where(document.c.key > after).order_by(document.c.key)
        page = await database.read(partial(_rows, query=query.limit(DOCUMENTS_AT_ONCE)))
        if not page:
            return
        for row in page:
            yield await _verify(database, row.key, row.id)
        after = page[-1].key


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Any]:
    return connection.execute(query).all()


async def _verify(database: Database, key: int, id: DocumentId) -> Verified:
    found = Verified(id)
    try:
        await _verify_log(database, key, found)
        await database.read(lambda connection: _verify_states(connection, key, found))
    except CollabError as error:  # the file itself is damaged here; the other documents are looked at all the same
        found.faults.append(error.detail)
    return found


async def _verify_log(database: Database, key: int, found: Verified) -> None:
    reached = 0
    while True:
        last, seq = await database.read(partial(_verify_rows, key=key, reached=reached, found=found))
        if found.faults or last == reached:
            break
        reached = last
    if not found.faults and reached != seq:
        found.faults.append(f"the log ends at seq {reached}, but the document stands at {seq}")


def _verify_rows(connection: Connection, key: int, reached: int, found: Verified) -> tuple[int, int]:
    """The next stretch of the log; answers how far it is good, and where the document stands."""
    columns = select(document.c.key, document.c.lineage, document.c.seq, document.c.squashed_seq)
    head = connection.execute(columns.where(document.c.key == key)).one_or_none()
    if head is None:  # purged since it was listed
        return reached, reached
    if not reached:
        _look_for_strays(connection, head, found)
    for row in history_after(connection, head, reached, ROWS_AT_ONCE):
        try:
            checked = verified(row, head.lineage, reached)
        except Damaged as damage:
            found.faults.append(str(damage))
            break
        reached = checked.last_seq
        found.rows += not checked.squashed
        found.segments += checked.squashed
    return reached, head.seq


def _look_for_strays(connection: Connection, head: Any, found: Verified) -> None:
    """Rows that a segment stands for should be gone, and no segment lies beyond where segments end."""
    doubled = select(update_log.c.last_seq).where(
        update_log.c.document_key == head.key, update_log.c.last_seq <= head.squashed_seq
    )
    beyond = select(history_segment.c.last_seq).where(
        history_segment.c.document_key == head.key, history_segment.c.last_seq > head.squashed_seq
    )
    for query in (doubled, beyond):
        seq = connection.execute(query.limit(1)).scalar_one_or_none()
        if seq is not None:
            found.faults.append(f"segments are said to end at seq {head.squashed_seq}, which seq {seq} contradicts")


def _verify_states(connection: Connection, key: int, found: Verified) -> None:
    lineage = connection.execute(select(document.c.lineage).where(document.c.key == key)).scalar_one_or_none()
    if lineage is None:
        return
    for row in connection.execute(select(checkpoint).where(checkpoint.c.document_key == key)):
        found.checkpoints += 1
        if checksum(lineage, row.state, row.state_index) != row.checksum:
            found.faults.append(f"the checkpoint at seq {row.seq} does not match its checksum")
    for row in connection.execute(select(snapshot).where(snapshot.c.document_key == key)):
        found.snapshots += 1
        if checksum(lineage, row.state) != row.checksum:
            found.faults.append(f"snapshot {row.id} does not match its checksum")
