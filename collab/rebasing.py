"""A checkpoint was stored: an open room takes it for its base and drops the tail that it holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from collab.crdt.index import StateIndex
from collab.slot import Slot
from collab.store.base import Checkpoint
from collab.types import DocumentId

if TYPE_CHECKING:
    from collab.metrics import Counters
    from collab.turns import Turns

log = structlog.get_logger(__name__)


class Rooms(Protocol):
    """The hub, as far as it is needed here."""

    slots: dict[DocumentId, Slot]
    counters: Counters
    turns: Turns


class Rebasing:
    """Reads an index in steps: that of a hundred thousand CRDT clients would hold up the loop for half a second."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, document: DocumentId, lineage: str, checkpoint: Checkpoint) -> None:
        """For whoever stored it; a document that nobody has open needs nothing."""
        if self._slot(document, lineage, checkpoint) is None:
            return
        work = StateIndex.decoding(checkpoint.index, checkpoint.state)
        first = next(work)
        if first is not None:
            self._put(document, lineage, checkpoint, first)
            return

        async def go_on() -> None:
            self._put(document, lineage, checkpoint, await self._rooms.turns.steps(work))

        task = asyncio.get_running_loop().create_task(go_on(), name="rebase")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a checkpoint could not be taken for a base", error=repr(task.exception()))

    def _slot(self, document: DocumentId, lineage: str, checkpoint: Checkpoint) -> Slot | None:
        slot = self._rooms.slots.get(document)
        if slot is None or slot.room.lineage != lineage or slot.room.history.base_seq >= checkpoint.seq:
            return None
        if slot.room.ledger.seq < checkpoint.seq:
            return None  # it holds what is committed and our people have not seen yet
        return slot

    def _put(self, document: DocumentId, lineage: str, checkpoint: Checkpoint, index: StateIndex) -> None:
        slot = self._slot(document, lineage, checkpoint)
        if slot is not None:
            slot.room.history.rebase(checkpoint.state, index, checkpoint.seq)
            self._rooms.counters.folds += 1
