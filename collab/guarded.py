"""Edits under a condition (If-Match): stored first, if the document still stands where it was read, and then shown.

All else is shown first. But of two writers that come to two nodes with one version only the document's row can say who
was first; and what it refuses nobody must have seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Protocol

from collab.core.elsewhere import take_checked
from collab.crdt.checked import Checked
from collab.errors import StorageUnavailable
from collab.metrics import Counters
from collab.neighbours import Neighbours
from collab.reception import Reception, Writer
from collab.slot import Slot
from collab.store.base import Appended, Entry

Make = Callable[[list[bytes], int], Awaitable[bytes | None]]
"""(a document's parts, CRDT client id) to the update that makes an edit; None if there is nothing to do."""

Condition = Callable[[str, int], None]
"""Given lineage and seq; raises PreconditionFailed unless the edit may be made at this version."""

SESSION = "rest"


class Rooms(Protocol):
    """The hub, as far as it is needed here."""

    counters: Counters
    neighbours: Neighbours

    async def durable(self, slot: Slot, number: int) -> int:
        """Waits until the ledger number is committed."""

    def settle(self, slot: Slot) -> None:
        """The room has something to show."""

    def advanced(self, slot: Slot) -> None:
        """The room has more that is committed."""


class Guarded:
    """One per hub. The caller holds the room's lock for edits."""

    def __init__(self, rooms: Rooms, reception: Reception, journal: Writer, wait_s: float) -> None:
        self._rooms = rooms
        self._reception = reception
        self._journal = journal
        self._wait_s = wait_s

    async def edit(self, slot: Slot, author: str, make: Make, condition: Condition) -> tuple[int, bool]:
        """(seq, changed). Raises PreconditionFailed, too, if the document has moved on when it comes to the commit."""
        room = slot.room
        condition(room.lineage, room.ledger.seq)
        while room.unsaved:  # what people typed a moment ago counts
            await self._rooms.durable(slot, room.ledger.entered)
            condition(room.lineage, room.ledger.seq)
        seq = room.ledger.seq
        update = await make(room.history.parts(), slot.client_id)
        if update is None:
            return seq, False
        checked = await self._reception.admit(slot, update, author, lambda c: c if room.admits(c) else None)
        if checked is None:  # known by now; whoever brought it may not have been told yet
            return await self._rooms.durable(slot, room.ledger.entered), False
        return await self._commit(slot, checked, author, seq), True

    async def _commit(self, slot: Slot, checked: Checked, author: str, expected: int) -> int:
        if slot.failed is not None:
            raise slot.failed
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        slot.expect(told)
        done, entries = partial(self._done, slot, checked, told), [Entry(author, SESSION, checked.raw)]
        try:
            self._journal.append(slot.room.document, slot.room.lineage, entries, done, expected)
            self._journal.hurry()
            return await asyncio.wait_for(told, self._wait_s)
        except TimeoutError:
            raise StorageUnavailable("the commit is taking too long; it may still happen") from None
        finally:
            if told.cancel() or told.cancelled():
                slot.renew_client()  # the next edit is made without this one, and must not use the same clocks again

    def _done(self, slot: Slot, checked: Checked, told: asyncio.Future[int], done: Appended) -> None:
        if not told.done():
            told.set_exception(done.error) if done.error is not None else told.set_result(done.first_seq)
        if done.error is None and slot.failed is None:
            self._show(slot, checked, done)

    def _show(self, slot: Slot, checked: Checked, done: Appended) -> None:
        slot.room.lineage = done.lineage
        if done.last_seq > slot.room.ledger.seq:  # else a look at the log has brought it already
            take_checked(slot.room, [checked], done.first_seq, done.last_seq, monotonic())
            self._rooms.counters.updates_in += 1
            self._rooms.settle(slot)
            self._rooms.advanced(slot)
        self._rooms.neighbours.committed(slot, (checked.raw,), done.first_seq, done.last_seq)
