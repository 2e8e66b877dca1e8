"""Reading a document into a room: all of it, or an error; never an empty room for what failed to load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from collab.core.history import History
from collab.core.room import Room
from collab.crdt.clocks import Clocks
from collab.crdt.index import StateIndex
from collab.errors import BadUpdate, CollabError, Forbidden, Quarantined
from collab.inspection import Inspector
from collab.limits import Limits
from collab.store.base import UNBORN, Stored, UpdateLog
from collab.turns import Turns
from collab.types import DocumentId

log = structlog.get_logger(__name__)

LONG = 5_000  # updates in a tail: checking more would keep the loop for 0.1 s, so they are folded in a child first
BYTES_PER_UPDATE = 64  # a tail may be longer by one for so many bytes of the base: folding that costs as much again
BREATH = 1_000  # updates, or times 8 bytes of them, between two looks at what else the loop has to do


class Queue(Protocol):
    """What opening needs of the journal."""

    async def flush(self, document: DocumentId | None = None) -> None:
        """Returns when all that was queued before, or that of one document, is settled."""


class Opener:
    """Makes rooms. `shorten` folds a document's log, so that the next load of it is short."""

    def __init__(
        self,
        update_log: UpdateLog,
        journal: Queue,
        limits: Limits,
        shorten: Callable[[DocumentId], Awaitable[object]] | None,
        inspector: Inspector,
        turns: Turns,
    ) -> None:
        self._log = update_log
        self._journal = journal
        self._limits = limits
        self._shorten = shorten
        self._inspector = inspector
        self._turns = turns

    async def room(self, document: DocumentId) -> Room:
        """The document as its log has it, all that an earlier room left with the journal included.

        Raises Gone, StorageUnavailable, Quarantined, EngineUnavailable or Overloaded.
        """
        await self._journal.flush(document)
        stored = await self._log.load(document)
        if stored is not None and self._shorten is not None and _is_long(stored):
            stored = await self._shortened(document, stored)
        if stored is None:
            return Room(document, UNBORN, History(None, None, 0), 0, self._limits)
        history = await self._base(document, stored)
        poison = await self._read_tail(history, stored)
        lineage = stored.lineage if stored.created else UNBORN
        room = Room(document, lineage, history, stored.seq, self._limits)
        room.retired_authors = stored.retired_authors
        if poison is not None:
            log.error("a stored update does not pass the gate", document=document, error=poison.detail)
        if poison is not None or stored.quarantine is not None:
            room.read_only = Forbidden(Quarantined().detail)
        room.fill(0 < self._limits.document_stored_bytes_max <= stored.bytes_stored)
        return room

    async def _read_tail(self, history: History, stored: Stored) -> BadUpdate | None:
        """Takes what the log has beyond the base; returns what was wrong with the first entry that is not taken.

        Nothing after it is taken either, for it may build on it: the document is served as it was before. Raises
        EngineUnavailable, which says nothing of the bytes, if one cannot be looked at now.
        """
        read = 0
        for row in stored.rows:
            for seq, entry in row.numbered():
                try:
                    if len(entry.update) <= self._limits.inline_bytes_max:
                        history.load(entry.update, seq)
                    else:
                        history.take(await self._inspector.check(entry.update, stored=True), seq)
                except BadUpdate as error:
                    return error
                read += max(1, len(entry.update) // 8)
                if read >= BREATH:
                    read = 0
                    await asyncio.sleep(0)
        return None

    async def _shortened(self, document: DocumentId, stored: Stored) -> Stored | None:
        assert self._shorten is not None
        try:
            await self._shorten(document)
        except CollabError as error:  # then it is read as it is
            log.warning("a long log could not be folded before opening", document=document, error=error.detail)
            return stored
        return await self._log.load(document)

    async def _base(self, document: DocumentId, stored: Stored) -> History:
        """The checkpoint, unparsed. Raises Quarantined: its checksum is right, so it was written like this."""
        point = stored.checkpoint
        if point is None:
            return History(None, None, 0)
        try:
            index = await self._turns.steps(StateIndex.decoding(point.index, point.state))
            deleted = await self._turns.steps(index.reading_deleted())
        except BadUpdate as error:
            log.error("a checkpoint cannot be read", document=document, seq=point.seq, error=error.detail)
            raise Quarantined("the newest checkpoint of this document cannot be read") from None
        return History(point.state, index, point.seq, Clocks(index.clocks(), deleted))


def _is_long(stored: Stored) -> bool:
    base_bytes = len(stored.checkpoint.state) if stored.checkpoint else 0
    updates = sum(len(row.entries) for row in stored.rows)
    return stored.quarantine is None and updates > LONG + base_bytes // BYTES_PER_UPDATE
