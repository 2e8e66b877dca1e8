"""A document out of the store into an archive."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import IO, Any

from collab.crdt.fold import fold
from collab.portable.archive import FORMAT, SQUASHED, ArchiveWriter, Digest, Manifest
from collab.store.base import Catalog, Document, LogRow, Snapshot, Snapshots, UpdateLog
from collab.types import DocumentId

ROWS_AT_ONCE = 500
Advance = Callable[[int], None]
"""Told how many updates of the log were dealt with."""
Readable = Callable[[bytes], Awaitable[bytes | None]]
"""What people can read of a state, as JSON; None if it cannot be told now."""


def no_progress(updates: int) -> None:
    """Nobody looks."""


class Exporter:
    """Reads one document through the store's ports."""

    def __init__(
        self, log: UpdateLog, catalog: Catalog, snapshots: Snapshots, readable: Readable | None = None
    ) -> None:
        """Without `readable` the archive has no content.json."""
        self._log = log
        self._catalog = catalog
        self._snapshots = snapshots
        self._readable = readable

    async def export(self, document: DocumentId, target: IO[bytes], advance: Advance = no_progress) -> Manifest:
        """Writes the archive as of now. Raises NotFound, Gone, or Quarantined if the document is damaged."""
        details = await self._catalog.get(document)
        archive = ArchiveWriter(target)
        with archive.member("log.ndjson") as member:
            state = await write_log(member, rows_until(self._log, document, details.seq), advance)
        with archive.member("state.bin") as member:
            member.write(state)
        await write_snapshots(archive, self._snapshots_of(document))
        content = await self._readable(state) if self._readable is not None else None
        if content is not None:
            with archive.member("content.json") as member:
                member.write(content)
        made = manifest(details, details.seq, state, archive)
        archive.close(made)
        return made

    async def _snapshots_of(self, document: DocumentId) -> AsyncIterator[Snapshot]:
        """The oldest first."""
        found: list[str] = []
        cursor = None
        while True:
            page = await self._snapshots.list(document, ROWS_AT_ONCE, cursor)
            found += [snapshot.id for snapshot in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        for snapshot_id in reversed(found):
            yield await self._snapshots.get(document, snapshot_id)


async def rows_until(log: UpdateLog, document: DocumentId, seq: int) -> AsyncIterator[LogRow]:
    """The log up to and including `seq`; rows are whole, so it may go a little further."""
    reached = 0
    while reached < seq:
        for row in await log.read(document, reached, ROWS_AT_ONCE):
            yield row
            reached = row.last_seq
            if reached >= seq:
                return


async def write_log(member: Digest, rows: AsyncIterator[LogRow], advance: Advance) -> bytes:
    """Writes the lines of the log; returns the state that it folds to."""
    state = fold(None, [])
    waiting: list[bytes] = []
    async for row in rows:
        member.line(row_line(row))
        waiting += [entry.update for entry in row.entries]
        advance(row.last_seq - row.first_seq + 1)
        if len(waiting) >= 50_000:
            state, waiting = fold(state, waiting), []
    return fold(state, waiting)


def row_line(row: LogRow) -> dict[str, Any]:
    """A log row as JSON."""
    entries: Sequence[dict[str, str]] = [
        {"author": e.author, "session": e.session, "update": base64.b64encode(e.update).decode()} for e in row.entries
    ]
    line = {
        "first_seq": row.first_seq,
        "last_seq": row.last_seq,
        "created_at": row.created_at.isoformat(),
        "entries": entries,
    }
    if row.squashed_from is not None:
        line |= {"squashed_from": row.squashed_from.isoformat(), "authors": list(row.authors)}
    return line


async def write_snapshots(archive: ArchiveWriter, snapshots: AsyncIterator[Snapshot]) -> None:
    """A member for each one's state, and one with what is known of all."""
    lines: list[dict[str, Any]] = []
    async for snapshot in snapshots:
        name = f"snapshots/{len(lines) + 1}.bin"
        lines.append(snapshot_line(snapshot, name))
        with archive.member(name) as member:
            member.write(snapshot.state)
    with archive.member("snapshots.ndjson") as member:
        for line in lines:
            member.line(line)


def snapshot_line(snapshot: Snapshot, member: str) -> dict[str, Any]:
    """A snapshot's particulars as JSON."""
    return {
        "id": snapshot.id,
        "seq": snapshot.seq,
        "label": snapshot.label,
        "metadata": snapshot.metadata,
        "created_by": snapshot.created_by,
        "created_at": snapshot.created_at.isoformat(),
        "state": member,
    }


def manifest(details: Document, seq: int, state: bytes, archive: ArchiveWriter) -> Manifest:
    """The manifest of what was written so far."""
    return Manifest(
        document=details.id,
        title=details.title,
        metadata=details.metadata,
        lineage=details.lineage,
        seq=seq,
        created_at=details.created_at.isoformat(),
        updated_at=details.updated_at.isoformat(),
        content_hash=hashlib.sha256(state).hexdigest(),
        members=archive.members,
        format=SQUASHED if details.squashed_seq else FORMAT,
    )
