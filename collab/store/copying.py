"""Everything that is stored, copied from one database to another, of either kind; what is there already is left.

A document is copied in small transactions, each of which leaves it whole up to a seq: a copy that was broken off goes
on where it was, and one that is run again brings over what has changed since. Every row is verified before it is
written; checksums are bound to the lineage, not to the database, so that they are right or wrong there as here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, case, delete, func, insert, select, update

from collab.errors import CollabError
from collab.store.database import Database
from collab.store.loading import Damaged, verified
from collab.store.tables import (
    api_key,
    audit,
    checkpoint,
    document,
    history_segment,
    idempotency_key,
    retired_lineage,
    revocation,
    snapshot,
    update_log,
)
from collab.types import DocumentId

ROWS_AT_ONCE = 500
DOCUMENTS_AT_ONCE = 200
BESIDE = (api_key, revocation, retired_lineage, idempotency_key, audit)
"""Tables that belong to no document's key; tickets live for a minute and are not worth it."""

Row = RowMapping


@dataclass(slots=True)
class Copied:
    """What became of one document: log rows, checkpoints and snapshots that were written, and why it is not whole."""

    document: DocumentId
    rows: int = 0
    states: int = 0
    faults: list[str] = field(default_factory=list)


async def every_document(source: Database, target: Database) -> AsyncIterator[Copied]:
    """Copies document after document, deleted ones too."""
    after = 0
    while True:
        page = await source.read(partial(_heads_after, key=after))
        if not page:
            return
        for head in page:
            yield await _copy(source, target, head)
        after = page[-1]["key"]


async def beside(source: Database, target: Database) -> int:
    """Copies keys, revocations, retired lineages, the audit and idempotent answers; returns the rows written."""
    written = 0
    for table in BESIDE:
        offset = 0
        while rows := await source.read(partial(_page, table=table, offset=offset)):
            written += await target.write(partial(_put_missing, table=table, rows=rows))
            offset += len(rows)
    return written


def _heads_after(connection: Connection, key: int) -> Sequence[Row]:
    query = select(document).where(document.c.key > key).order_by(document.c.key).limit(DOCUMENTS_AT_ONCE)
    return connection.execute(query).mappings().all()


async def _copy(source: Database, target: Database, head: Row) -> Copied:
    copied = Copied(head["id"])
    try:
        key, reached = await target.write(partial(_begin, head=head))
        copied.states, reached = await _copy_segments(source, target, head, key, reached)
        while reached < head["seq"]:
            rows = await source.read(partial(_rows_after, head=head, reached=reached))
            if not rows:
                raise Damaged(f"the log ends at seq {reached}, but the document stands at {head['seq']}")
            reached = await target.write(partial(_append, key=key, rows=rows))
            copied.rows += len(rows)
        for table in (checkpoint, snapshot):
            copied.states += await _copy_states(source, target, table, head["key"], key)
        await target.write(partial(_finish, head=head, key=key))
    except Damaged as damage:
        copied.faults.append(str(damage))
    except CollabError as error:
        copied.faults.append(error.detail)
    return copied


def _begin(connection: Connection, head: Row) -> tuple[int, int]:
    """The document's key in the target, and how far its log is there. Raises Damaged."""
    found = connection.execute(select(document).where(document.c.id == head["id"])).mappings().one_or_none()
    if found is not None and found["lineage"] == head["lineage"]:
        if found["seq"] > head["seq"]:
            raise Damaged(f"the target stands at seq {found['seq']}, beyond {head['seq']}: it has edits of its own")
        return found["key"], found["seq"]
    if found is not None:
        if found["updated_at"] > head["updated_at"]:
            raise Damaged("the target has another, newer document of this id")
        for table in (update_log, history_segment, checkpoint, snapshot):
            connection.execute(delete(table).where(table.c.document_key == found["key"]))
        connection.execute(delete(document).where(document.c.key == found["key"]))
    fresh = {name: value for name, value in head.items() if name != "key"} | {
        "seq": 0,
        "squashed_seq": 0,
        "log_bytes": 0,
    }
    key: int = connection.execute(insert(document).returning(document.c.key), fresh).scalar_one()
    return key, 0


def _rows_after(connection: Connection, head: Row, reached: int) -> Sequence[Row]:
    """The next rows of the log, verified; Damaged at one that is not what was written."""
    query = select(update_log).where(update_log.c.document_key == head["key"], update_log.c.last_seq > reached)
    found = connection.execute(query.order_by(update_log.c.last_seq).limit(ROWS_AT_ONCE)).all()
    for row in found:
        reached = verified(row, head["lineage"], reached).last_seq
    return [row._mapping for row in found]


async def _copy_segments(source: Database, target: Database, head: Row, key: int, reached: int) -> tuple[int, int]:
    """One at a time, in the place of what the target has instead; answers how many, and how far the target is then."""
    table, written, after = history_segment, 0, 0
    while row := await source.read(partial(_segment_after, key=head["key"], seq=after)):
        verified(row, head["lineage"], after)
        after = row.last_seq
        written += await target.write(partial(_put_segment, key=key, row=row._mapping))
    gone = delete(table).where(table.c.document_key == key, table.c.last_seq > after)
    await target.write(lambda connection: connection.execute(gone) and None)
    return written, max(after, reached)


def _segment_after(connection: Connection, key: int, seq: int) -> Any:
    table = history_segment
    query = select(table).where(table.c.document_key == key, table.c.last_seq > seq).order_by(table.c.last_seq)
    return connection.execute(query.limit(1)).one_or_none()


def _put_segment(connection: Connection, key: int, row: Row) -> bool:
    """Whether it was not there already."""
    first, last, freed = row["first_seq"], row["last_seq"], 0
    same = select(history_segment.c.first_seq).where(
        history_segment.c.document_key == key, history_segment.c.last_seq == last
    )
    if connection.execute(same).scalar_one_or_none() == first:
        return False
    for table in (history_segment, update_log):
        covered = (table.c.document_key == key, table.c.last_seq >= first, table.c.last_seq <= last)
        size = select(func.coalesce(func.sum(func.length(table.c.payload)), 0)).where(*covered)
        freed += int(connection.execute(size).scalar_one())
        connection.execute(delete(table).where(*covered))
    connection.execute(insert(history_segment), dict(row) | {"document_key": key})
    values = {"log_bytes": document.c.log_bytes - freed + len(row["payload"])}
    values |= {name: _at_least(document.c[name], last) for name in ("seq", "squashed_seq")}
    connection.execute(update(document).where(document.c.key == key).values(values))
    return True


def _at_least(column: Any, value: int) -> Any:
    return case((column < value, value), else_=column)


def _append(connection: Connection, key: int, rows: Sequence[Row]) -> int:
    connection.execute(insert(update_log), [dict(row) | {"document_key": key} for row in rows])
    reached: int = rows[-1]["last_seq"]
    size = sum(len(row["payload"]) for row in rows)
    values = {"seq": reached, "log_bytes": document.c.log_bytes + size}
    connection.execute(update(document).where(document.c.key == key).values(values))
    return reached


async def _copy_states(source: Database, target: Database, table: Table, key: int, target_key: int) -> int:
    """Checkpoints or snapshots: one at a time, since a state may be large; what the source no longer has goes."""
    name = table.c.seq if table is checkpoint else table.c.id
    here = await source.read(partial(_names, table=table, name=name, key=key))
    there = await target.read(partial(_names, table=table, name=name, key=target_key))
    for one in here - there:
        row = await source.read(partial(_state, table=table, name=name, key=key, one=one))
        if row is not None:
            await target.write(partial(_insert, table=table, row=dict(row) | {"document_key": target_key}))
    if there - here:
        gone = delete(table).where(table.c.document_key == target_key, name.in_(there - here))
        await target.write(lambda connection: connection.execute(gone) and None)
    return len(here - there)


def _names(connection: Connection, table: Table, name: Any, key: int) -> set[Any]:
    return set(connection.execute(select(name).where(table.c.document_key == key)).scalars())


def _state(connection: Connection, table: Table, name: Any, key: int, one: Any) -> Row | None:
    query = select(table).where(table.c.document_key == key, name == one)
    return connection.execute(query).mappings().one_or_none()


def _insert(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    connection.execute(insert(table), row)


def _finish(connection: Connection, head: Row, key: int) -> None:
    """Title, metadata, times: what may change without an edit."""
    values = {name: value for name, value in head.items() if name not in ("key", "seq", "squashed_seq", "log_bytes")}
    connection.execute(update(document).where(document.c.key == key).values(values))


def _page(connection: Connection, table: Table, offset: int) -> Sequence[Row]:
    query = select(table).order_by(*table.primary_key.columns).offset(offset).limit(ROWS_AT_ONCE)
    return connection.execute(query).mappings().all()


def _put_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Inserts what is not there, replaces what is: a key may have been revoked since."""
    names = list(table.primary_key.columns)
    for row in rows:
        same = [column == row[column.name] for column in names]
        connection.execute(delete(table).where(*same))
    connection.execute(insert(table), [dict(row) for row in rows])
    return len(rows)


async def differences(source: Database, target: Database) -> list[str]:
    """Documents that do not stand there as they stand here."""
    faults: list[str] = []
    after = 0
    while page := await source.read(partial(_heads_after, key=after)):
        there = await target.read(partial(_standing, ids=[head["id"] for head in page]))
        faults += [
            f"document {head['id']}: not as in the source: {there.get(head['id'], 'missing')}"
            for head in page
            if there.get(head["id"]) != (head["lineage"], head["seq"])
        ]
        after = page[-1]["key"]
    return faults


def _standing(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    query = select(document.c.id, document.c.lineage, document.c.seq).where(document.c.id.in_(ids))
    return {row.id: (row.lineage, row.seq) for row in connection.execute(query)}
