"""An archive into the store, whole or not at all, and never over something that is there.

It is written under an id that nobody sees; the last commit gives it its own. An import that was killed leaves only
that, and the next one of the same document begins by removing it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils

from collab.crdt.clocks import Clocks
from collab.crdt.decode import STORED
from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.index import build
from collab.errors import Conflict, LineageRetired, NotFound, Unprocessable
from collab.portable.archive import ArchiveReader
from collab.portable.export import Advance, no_progress, rows_until
from collab.store.base import UNSEEN, Append, Catalog, Checkpoint, Entry, LogRow, Segments, Snapshots, UpdateLog
from collab.types import DocumentId

FOLD_AT_ONCE = 50_000


@dataclass(slots=True)
class Clock:
    """The time that the store's ports write down: that of the archive, not ours."""

    at: datetime

    def moment(self) -> datetime:
        """For catalog and snapshots."""
        return self.at

    def microseconds(self) -> int:
        """For the log: microseconds since 1970."""
        return round(self.at.timestamp() * 1_000_000)


class Importer:
    """Writes one archive through the store's ports, which must take their time from `clock`."""

    def __init__(
        self, log: UpdateLog, segments: Segments, catalog: Catalog, snapshots: Snapshots, clock: Clock
    ) -> None:
        self._log = log
        self._segments = segments
        self._catalog = catalog
        self._snapshots = snapshots
        self._clock = clock

    async def bring_in(self, archive: ArchiveReader, document: DocumentId, advance: Advance = no_progress) -> None:
        """Verifies all of it first; what fails later is taken back.

        Raises Unprocessable for an archive that is damaged, Conflict if the document exists, LineageRetired if it
        was purged and the archive would bring back what it was purged of.
        """
        archive.verify()
        state, authors = examine(archive)
        if (await self._log.heads([document])).get(document) is not None:
            raise Conflict(f"the document {document!r} exists; import under another id, or purge it first")
        stored = await self._log.load(document)
        if stored is not None and not authors.isdisjoint(stored.retired_authors):
            raise LineageRetired(f"{document!r} was purged of what this archive holds; import under another id")
        unseen = unseen_id(document)
        await self._remove(unseen)
        self._clock.at = archive.manifest.created
        made = await self._catalog.create(unseen, archive.manifest.title, archive.manifest.metadata)
        try:
            await self._write(archive, unseen, made.lineage, advance)
            if archive.manifest.seq:  # so that opening it need not read the whole log
                await self._log.put_checkpoint(unseen, made.lineage, _checkpoint(archive.manifest.seq, state))
            await self._compare(archive, unseen)
            await self._catalog.rename(unseen, made.lineage, document)
        except BaseException:
            await self._remove(unseen)
            raise

    async def _remove(self, unseen: DocumentId) -> None:
        with suppress(NotFound):
            await self._catalog.purge(unseen, frozenset())

    async def _write(self, archive: ArchiveReader, document: DocumentId, lineage: str, advance: Advance) -> None:
        for row in rows_of(archive):
            self._clock.at = row.created_at
            if row.squashed:
                await self._segments.put(document, lineage, row)
            else:
                done = await self._log.append([Append(document, lineage, uuid_utils.uuid7().bytes, row.entries)])
                if done[0].error is not None:
                    raise done[0].error
            advance(row.last_seq - row.first_seq + 1)
        for line in archive.lines("snapshots.ndjson"):
            self._clock.at = datetime.fromisoformat(line["created_at"])
            state = archive.read(line["state"])
            await self._snapshots.create(
                document, line["seq"], state, line["label"], line["metadata"], line["created_by"]
            )

    async def _compare(self, archive: ArchiveReader, document: DocumentId) -> None:
        """Reads back what was written."""
        state, waiting = fold(None, []), []
        async for row in rows_until(self._log, document, archive.manifest.seq):
            waiting += [entry.update for entry in row.entries]
            if len(waiting) >= FOLD_AT_ONCE:
                state, waiting = fold(state, waiting), []
        if content_hash(fold(state, waiting)) != archive.manifest.content_hash:
            raise Unprocessable("what was stored is not what the archive holds")


def unseen_id(document: DocumentId) -> DocumentId:
    """Where a document is while it is being imported."""
    return f"{UNSEEN}import{UNSEEN}{document}"


def imported_as(unseen: DocumentId) -> DocumentId | None:
    """The document of which this is an import that has not ended; None for any other id."""
    begins = unseen_id("")
    return unseen[len(begins) :] if unseen.startswith(begins) else None


def examine(archive: ArchiveReader) -> tuple[bytes, frozenset[int]]:
    """The folded state of an archive's log and its authors' CRDT client ids.

    Raises BadUpdate, or Unprocessable unless every update is ready after those before it, and all of them amount to
    what the manifest says.
    """
    clocks, waiting, state, seq = Clocks(), [], fold(None, []), 0
    for row in rows_of(archive):
        if row.first_seq != seq + 1 or len(row.entries) != (1 if row.squashed else row.last_seq - seq):
            raise Unprocessable(f"the log has a gap or an overlap after seq {seq}")
        seq = row.last_seq
        for entry in row.entries:
            checked = check(entry.update, STORED)
            if not clocks.is_ready(checked):
                raise Unprocessable(f"an update near seq {seq} depends on updates that are not in the archive")
            clocks.advance(checked)
            waiting.append(entry.update)
        if len(waiting) >= FOLD_AT_ONCE:
            state, waiting = fold(state, waiting), []
    state = fold(state, waiting)
    if seq != archive.manifest.seq or content_hash(state) != archive.manifest.content_hash:
        raise Unprocessable("the log does not amount to what the manifest says")
    return state, frozenset(clocks.next)


def content_hash(state: bytes) -> str:
    """By what two documents compare: the same log in the same order folds to the same bytes."""
    return hashlib.sha256(state).hexdigest()


def rows_of(archive: ArchiveReader) -> Iterator[LogRow]:
    """The log of an archive."""
    for line in archive.lines("log.ndjson"):
        yield _row(line)


def _row(line: dict[str, Any]) -> LogRow:
    try:
        entries = [
            Entry(entry["author"], entry["session"], base64.b64decode(entry["update"], validate=True))
            for entry in line["entries"]
        ]
        began = datetime.fromisoformat(line["squashed_from"]) if "squashed_from" in line else None
        ended = datetime.fromisoformat(line["created_at"])
        return LogRow(line["first_seq"], line["last_seq"], ended, entries, began, tuple(line.get("authors", ())))
    except (KeyError, TypeError, ValueError) as error:
        raise Unprocessable(f"a line of the log is not as it should be: {error!r}") from None


def _checkpoint(seq: int, state: bytes) -> Checkpoint:
    return Checkpoint(seq, state, build(state))
