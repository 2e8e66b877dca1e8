"""Reading a document back: every checksum is verified, and damage never passes for an empty document.

The newest checkpoint and the rows after it are tried first; if one is damaged, an older checkpoint, then the whole
log, history segments included. If none of them reaches the document's head, the longest good prefix is given with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Table, func, select

from collab.errors import Gone, LineageRetired, NotFound, Quarantined
from collab.store.base import Checkpoint, Entry, LogRow, Stored
from collab.store.payload import checksum, decode_entries, decode_segment, segment_checksum
from collab.store.tables import checkpoint, document, history_segment, retired_lineage, snapshot, update_log
from collab.types import DocumentId

logger = structlog.get_logger("collab.store")


def load(
    connection: Connection, document_id: DocumentId, new_lineage: Callable[[], str], deleted: bool = False
) -> tuple[Stored, str | None] | None:
    """What the document holds, and the quarantine text that the catalog remembers of it."""
    head = _head(connection, document_id)
    authors = _retired_authors(connection, document_id)
    if head is None:
        if not authors:
            return None
        return Stored(new_lineage(), 0, None, (), retired_authors=authors, created=False), None
    if head.deleted_at is not None and not deleted:
        raise Gone()
    stored = _best(connection, document_id, head)
    return replace(stored, retired_authors=authors, bytes_stored=head.bytes_stored), head.quarantine


def read(
    connection: Connection, document_id: DocumentId, after_seq: int, limit: int, lineage: str | None = None
) -> list[LogRow]:
    """Rows with last_seq > after_seq, at most `limit`; Quarantined if one of them is damaged."""
    head = _head(connection, document_id)
    if head is None:
        raise NotFound(f"no document {document_id}")
    if head.deleted_at is not None:
        raise Gone()
    if lineage not in (None, head.lineage):
        raise LineageRetired(current=head.lineage)
    found = history_after(connection, head, after_seq, limit)
    rows, problem = _good_prefix(found, head.lineage, after_seq)
    if problem:
        raise Quarantined(problem)
    return rows


class Damaged(ValueError):
    """A stored row is not what was written; the text says which and how."""


def verified(row: Any, lineage: str, before: int, overlap: bool = False) -> LogRow:
    """The row that should follow seq `before`; with `overlap` it may begin earlier. Raises Damaged."""
    if row.first_seq > before + 1 or (row.first_seq <= before and not overlap):
        raise Damaged(f"log rows are missing or doubled: after seq {before} comes one that begins at {row.first_seq}")
    if hasattr(row, "first_at"):
        return _verified_segment(row, lineage)
    if checksum(lineage, row.payload) != row.checksum:
        raise Damaged(f"the log row at seq {row.last_seq} does not match its checksum")
    try:
        entries = decode_entries(row.payload)
    except ValueError as error:
        raise Damaged(f"the log row at seq {row.last_seq}: {error}") from error
    if len(entries) != row.last_seq - row.first_seq + 1:
        raise Damaged(f"the log row at seq {row.last_seq} holds {len(entries)} entries from seq {row.first_seq}")
    return LogRow(row.first_seq, row.last_seq, row.created_at, entries)


def _verified_segment(row: Any, lineage: str) -> LogRow:
    if segment_checksum(lineage, row.first_seq, row.last_seq, row.payload) != row.checksum:
        raise Damaged(f"the history segment at seq {row.last_seq} does not match its checksum")
    try:
        authors, update = decode_segment(row.payload)
    except ValueError as error:
        raise Damaged(f"the history segment at seq {row.last_seq}: {error}") from error
    entry = Entry(", ".join(authors), "", update)
    return LogRow(row.first_seq, row.last_seq, row.last_at, (entry,), row.first_at, authors)


def history_after(connection: Connection, head: Any, seq: int, limit: int | None = None) -> Iterator[Any]:
    """Segments, then rows, that reach beyond `seq`; `head` has the document's key and squashed_seq."""
    found = iter(connection.execute(_after(update_log, head.key, max(seq, head.squashed_seq)).limit(limit)))
    if seq < head.squashed_seq:  # nearly never: checkpoints are newer
        found = chain(connection.execute(_after(history_segment, head.key, seq).limit(limit)), found)
    return islice(found, limit)


def readable_after(connection: Connection, head: Any, seq: int) -> list[LogRow]:
    """The same up to the first that is damaged, if one is."""
    return _good_prefix(history_after(connection, head, seq), head.lineage, seq)[0]


def _head(connection: Connection, document_id: DocumentId) -> Any:
    named = ("key", "lineage", "seq", "squashed_seq", "deleted_at", "quarantine")
    columns = select(*(document.c[name] for name in named), bytes_stored().label("bytes_stored"))
    return connection.execute(columns.where(document.c.id == document_id)).one_or_none()


def bytes_stored() -> ColumnElement[int]:
    """What a document has on disk, in a query of documents."""
    of_snapshots = select(func.coalesce(func.sum(snapshot.c.size_bytes), 0)).where(
        snapshot.c.document_key == document.c.key
    )
    return document.c.log_bytes + document.c.checkpoint_bytes + of_snapshots.scalar_subquery()


def _retired_authors(connection: Connection, document_id: DocumentId) -> frozenset[int]:
    of_document = retired_lineage.c.document_id == document_id
    lists = connection.execute(select(retired_lineage.c.authors).where(of_document)).scalars()
    return frozenset(author for authors in lists for author in authors)


def _best(connection: Connection, document_id: DocumentId, head: Any) -> Stored:
    """The first base that reaches the head, else the one that gets furthest."""
    best: Stored | None = None
    for base in _bases(connection, document_id, head):
        stored = _from_base(connection, head, base)
        if stored.quarantine is None:
            return stored
        if best is None or stored.seq > best.seq:
            best = stored
    assert best is not None, "the empty base always comes last"
    return best


def _bases(connection: Connection, document_id: DocumentId, head: Any) -> Iterator[Checkpoint | None]:
    """Good checkpoints, newest first, then the empty document (the whole log follows it)."""
    newest_first = select(checkpoint).where(checkpoint.c.document_key == head.key).order_by(checkpoint.c.seq.desc())
    seqs = connection.execute(newest_first.with_only_columns(checkpoint.c.seq)).scalars().all()
    for seq in seqs:
        row = connection.execute(newest_first.where(checkpoint.c.seq == seq)).one()
        if checksum(head.lineage, row.state, row.state_index) == row.checksum and row.seq <= head.seq:
            yield Checkpoint(row.seq, row.state, row.state_index)
        else:
            logger.error("checkpoint_damaged", document=document_id, seq=row.seq)
    yield None


def _from_base(connection: Connection, head: Any, base: Checkpoint | None) -> Stored:
    start = base.seq if base else 0
    rows, problem = _good_prefix(history_after(connection, head, start), head.lineage, start)
    reached = rows[-1].last_seq if rows else start
    if problem is None and reached != head.seq:
        problem = f"the log ends at seq {reached}, but the document stands at {head.seq}"
    return Stored(head.lineage, reached, base, rows, quarantine=problem)


def _good_prefix(result: Iterable[Any], lineage: str, start: int) -> tuple[list[LogRow], str | None]:
    rows: list[LogRow] = []
    before = start
    for row in result:
        try:
            # A reader's position, or a checkpoint, may lie inside a commit: applying an entry twice is harmless.
            rows.append(verified(row, lineage, before, overlap=not rows))
        except Damaged as damage:
            return rows, str(damage)
        before = row.last_seq
    return rows, None


def _after(table: Table, key: int, seq: int) -> Any:
    return select(table).where(table.c.document_key == key, table.c.last_seq > seq).order_by(table.c.last_seq)
