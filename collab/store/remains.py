"""What can still be read of a damaged document: everything that matches its checksum, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from collab.store.base import Checkpoint, LogRow, Snapshot
from collab.store.database import Database
from collab.store.loading import Damaged, verified
from collab.store.payload import checksum
from collab.store.tables import checkpoint, document, history_segment, snapshot, update_log
from collab.types import DocumentId


@dataclass(slots=True)
class Remains:
    """The good rows (there may be gaps between them), checkpoints and snapshots, oldest first; and what is lost."""

    rows: list[LogRow] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


async def remains(database: Database, id: DocumentId) -> Remains:
    """Reads all of it; a document that is not there has none."""
    return await database.read(lambda connection: _remains(connection, id))


def _remains(connection: Connection, id: DocumentId) -> Remains:
    found = Remains()
    head = connection.execute(select(document.c.key, document.c.lineage).where(document.c.id == id)).one_or_none()
    if head is not None:
        _rows(connection, head.key, head.lineage, found)
        _states(connection, id, head.key, head.lineage, found)
    return found


def _rows(connection: Connection, key: int, lineage: str, found: Remains) -> None:
    for table in (history_segment, update_log):
        rows = select(table).where(table.c.document_key == key).order_by(table.c.last_seq)
        for row in connection.execute(rows):
            try:
                found.rows.append(verified(row, lineage, row.first_seq - 1))
            except Damaged as damage:
                found.lost.append(str(damage))


def _states(connection: Connection, id: DocumentId, key: int, lineage: str, found: Remains) -> None:
    checkpoints = select(checkpoint).where(checkpoint.c.document_key == key).order_by(checkpoint.c.seq)
    for row in connection.execute(checkpoints):
        if checksum(lineage, row.state, row.state_index) == row.checksum:
            found.checkpoints.append(Checkpoint(row.seq, row.state, row.state_index))
        else:
            found.lost.append(f"the checkpoint at seq {row.seq}")
    snapshots = select(snapshot).where(snapshot.c.document_key == key).order_by(snapshot.c.id)
    for row in connection.execute(snapshots):
        if checksum(lineage, row.state) != row.checksum:
            found.lost.append(f"the snapshot {row.id}")
            continue
        found.snapshots.append(
            Snapshot(
                row.id, id, row.seq, row.label, row.metadata, row.created_by, row.created_at, row.size_bytes, row.state
            )
        )
