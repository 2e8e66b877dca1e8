"""All rooms of this node: opened once, ticked together, stored through one journal, unloaded when idle.

Every call into a room happens on the event loop's thread; no lock guards a room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from time import monotonic

import structlog

from collab.bus.base import Bus, Kind
from collab.core.session import Session
from collab.errors import CollabError, Draining, StorageUnavailable
from collab.guarded import Condition, Guarded, Make
from collab.inspection import Inline, Inspector
from collab.limits import Limits
from collab.metrics import Counters
from collab.neighbours import Neighbours
from collab.opening import Opener
from collab.pace import Pace
from collab.rebasing import Rebasing
from collab.reception import Reception, Writer
from collab.slot import RoomEvent, Slot
from collab.store.base import UNBORN, Appended, UpdateLog
from collab.turns import Turns
from collab.types import DocumentId

log = structlog.get_logger(__name__)

BEAT_S_MIN = 0.0005  # waits shorter than this are none: the loop's timers count in milliseconds
DECIDE_S = 0.25  # how often open contests for a client id are looked at


def _settle(future: asyncio.Future[int], value: int) -> None:
    if not future.done():
        future.set_result(value)


@dataclass(frozen=True, slots=True)
class HubSettings:
    """How rooms live. Seconds and bytes."""

    tick_s_max: float = 0.02  # the longest a costly room spaces its ticks
    linger_s: float = 30.0  # an empty room stays loaded this long
    resident_bytes_max: int = 512 * 1024 * 1024  # over all rooms; the least recently used empty ones go first
    commit_wait_s: float = 10.0  # a REST writer is told 503 when its commit takes longer
    full_pause_s: float = 0.05  # how often a socket that is not read looks whether the journal is still full


class Hub:
    """Opens rooms, runs their ticks, and carries their effects out."""

    def __init__(
        self,
        *,
        node: str,
        update_log: UpdateLog,
        journal: Writer,
        bus: Bus,
        limits: Limits,
        settings: HubSettings,
        counters: Counters,
        on_committed: Callable[[Slot], None] = lambda slot: None,
        on_born: Callable[[DocumentId, str], None] = lambda document, author: None,
        shorten: Callable[[DocumentId], Awaitable[object]] | None = None,
        inspector: Inspector | None = None,
        alone: bool = False,
    ) -> None:
        """`shorten` folds a log, so that its next load is short; `alone`: no other process writes this database."""
        self.node = node
        self.limits = limits
        self.settings = settings
        self.counters = counters
        self.draining = False
        self.turns = Turns()
        self.pace = Pace(settings.tick_s_max, lambda: self.turns.spent_s)
        self.slots: dict[DocumentId, Slot] = {}
        inspector = inspector or Inline(limits)
        self.reception = Reception(self, journal, inspector, self.turns)
        self.receive = self.reception.receive
        self._guarded = Guarded(self, self.reception, journal, settings.commit_wait_s)
        self._opener = Opener(update_log, journal, limits, shorten, inspector, self.turns)
        self._journal = journal
        self._on_committed = on_committed
        self._on_born = on_born
        self._taken_away: set[DocumentId] = set()  # while their rooms were being loaded
        self._opening: dict[DocumentId, asyncio.Task[Slot]] = {}
        self._due: list[Slot] = []
        self._ticking = False
        self._beat_at = float("-inf")  # the earliest moment for the next round of ticks
        self.neighbours = Neighbours(self, bus, update_log, alone)
        self.rebase = Rebasing(self).begin

    # ------------------------------------------------------------------ rooms

    async def open(self, document: DocumentId) -> Slot:
        """The document's room, loaded and pinned; release it when done. Single flight.

        Raises Draining, or what `Opener.room` raises; never returns an empty room for a document that failed to load.
        """
        while True:
            if self.draining:
                raise Draining()
            slot = self.slots.get(document)
            if slot is not None:
                slot.pins += 1
                return slot
            opening = self._opening.get(document)
            if opening is None:
                opening = asyncio.create_task(self._load(document), name="open room")
                self._opening[document] = opening
                opening.add_done_callback(lambda task: self._opened(document, task))
            await asyncio.shield(opening)

    def release(self, slot: Slot) -> None:
        """Gives a pin back; an unpinned, empty room may be unloaded."""
        slot.pins -= 1
        slot.used_at = monotonic()

    def _opened(self, document: DocumentId, task: asyncio.Task[Slot]) -> None:
        self._opening.pop(document, None)
        self._taken_away.discard(document)
        if not task.cancelled() and task.exception() is not None:
            self.counters.open_failures += 1

    async def _load(self, document: DocumentId) -> Slot:
        slot: Slot | None = None
        try:
            await self.neighbours.opening(document)
            room = await self._opener.room(document)
            if document in self._taken_away:
                raise StorageUnavailable("the document was taken away while it was being opened; try again")
            slot = self.slots[document] = Slot(room, monotonic(), self.counters)
            self.counters.rooms_opened += 1
        finally:
            self.neighbours.opened(slot, document)
        return slot

    def unload(self, slot: Slot) -> None:
        """Drops an empty room from memory; what it held is in the log."""
        document = slot.room.document
        if self.slots.get(document) is slot and slot.may_unload:
            del self.slots[document]
            self.counters.rooms_unloaded += 1
            self.neighbours.leave(document)

    def evict(self, document: DocumentId, error: CollabError) -> None:
        """Ends the room and every session in it: the document was deleted, purged or taken away."""
        if document in self._opening:
            self._taken_away.add(document)
        slot = self.slots.pop(document, None)
        if slot is not None:
            self.neighbours.leave(document)
            slot.fail(error)

    def end(self, document: DocumentId, error: CollabError) -> None:
        """The same on every node: the document's head, which the others look at, says it already."""
        self.evict(document, error)
        self.neighbours.tell(Kind.LOOK, document)

    # ------------------------------------------------------------------ sessions

    def join(self, slot: Slot, session: Session) -> None:
        """Adds a session to a pinned room; its pin is given back by leave."""
        if slot.failed is not None:
            raise slot.failed
        slot.room.join(session)
        self.counters.sockets += 1

    def leave(self, slot: Slot, session: Session) -> None:
        """The socket is gone."""
        slot.room.leave(session, monotonic())
        self.neighbours.claimed(slot)
        self.counters.sockets -= 1
        self.release(slot)
        self.touch(slot)

    def settle(self, slot: Slot) -> None:
        """Does what follows from anything that a session brought."""
        room = slot.room
        if not slot.scheduled and room.dirty:
            self.touch(slot)
        if room.authors.contests and not slot.deciding:
            self._decide_later(slot)
        if room.overdue:
            self.reception.inspection.catch_up(slot)

    @property
    def congested(self) -> bool:
        """While so much waits for the database that sockets which bring more are not read."""
        return self._journal.full

    def _decide_later(self, slot: Slot) -> None:
        slot.deciding = True
        asyncio.get_running_loop().call_later(DECIDE_S, self._decide, slot)

    def _decide(self, slot: Slot) -> None:
        slot.deciding = False
        slot.room.contests.decide(monotonic())
        self.touch(slot)
        if slot.room.authors.contests:
            self._decide_later(slot)

    def pause(self, slot: Slot, session: Session) -> None:
        """The socket's outbox is full."""
        self.counters.slow_readers += 1
        session.resuming = False
        slot.room.pause(session, monotonic())

    def resume(self, slot: Slot, session: Session) -> None:
        """The socket's outbox has drained."""
        if session.behind is not None and slot.room.history.is_much(session.behind[0]):
            self.reception.inspection.resume(slot, session)
        else:
            slot.room.resume(session)

    # ------------------------------------------------------------------ REST's door to the same path

    async def submit(self, slot: Slot, update: bytes, author: str, session_id: str = "rest") -> int:
        """An update through the one write path; returns its sequence number after the commit.

        Raises Overloaded, and takes nothing, while so much waits for the database that no more is taken.
        """
        number = await self.reception.submit(slot, update, author, session_id)
        self.settle(slot)
        return await self.durable(slot, number)

    async def edit(self, slot: Slot, author: str, make: Make, condition: Condition | None = None) -> tuple[int, bool]:
        """Content work: `make(parts, client_id)` returns an update or None; returns (seq, changed).

        One edit per room at a time, since they share the room's own CRDT client id, whose clock must not fork.
        """
        async with slot.editing:
            self.tick(slot)
            if condition is not None:
                return await self._guarded.edit(slot, author, make, condition)
            found = slot.room.ledger.entered
            update = await make(slot.room.history.parts(), slot.client_id)
            if update is None:
                return await self.durable(slot, found), False  # what it would have written may be on no disk yet
            return await self.submit(slot, update, author), True

    async def durable(self, slot: Slot, number: int) -> int:
        """Waits until the ledger number is committed; returns its sequence number."""
        if slot.failed is not None:
            raise slot.failed
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        slot.expect(told)
        tell = partial(_settle, told)
        slot.room.ledger.when_durable(number, tell)
        if not slot.scheduled:  # else the tick says so: a commit before it would only make the next one linger
            self._journal.hurry()
        try:
            return await asyncio.wait_for(told, self.settings.commit_wait_s)
        except TimeoutError:
            raise StorageUnavailable("the commit is taking too long; it may still happen") from None
        finally:
            slot.room.ledger.forget(tell)  # in a long outage those who gave up would add up

    async def beyond(self, slot: Slot, seq: int, wait_s: float) -> int:
        """Waits until a commit newer than `seq`, at most `wait_s`; returns the newest sequence number."""
        if slot.room.ledger.seq <= seq:
            told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

            def wake(event: RoomEvent) -> None:
                if event.seq > seq:
                    _settle(told, event.seq)
                elif isinstance(event.data, CollabError) and not told.done():
                    told.set_exception(event.data)  # the room, or the node, goes away

            with slot.listening(wake):
                slot.expect(told)
                try:
                    await asyncio.wait_for(told, wait_s)
                except TimeoutError:
                    pass
        return slot.room.ledger.seq

    # ------------------------------------------------------------------ ticks

    def touch(self, slot: Slot) -> None:
        """Schedules a tick if the room has something to show or store."""
        if slot.scheduled or not slot.room.dirty:
            return
        slot.scheduled = True
        wait = slot.rests_until - monotonic()
        if wait > BEAT_S_MIN:
            asyncio.get_running_loop().call_later(wait, self._become_due, slot)
        else:
            self._become_due(slot)

    def _become_due(self, slot: Slot) -> None:
        self._due.append(slot)
        if not self._ticking:
            self._ticking = True
            loop, wait = asyncio.get_running_loop(), self._beat_at - monotonic()
            loop.call_later(wait, self._tick_due) if wait > BEAT_S_MIN else loop.call_soon(self._tick_due)

    def _tick_due(self) -> None:
        self._ticking = False
        self._beat_at = monotonic() + self.pace.beat_s
        due, self._due = self._due, []
        for slot in due:
            self.tick(slot)

    def tick(self, slot: Slot) -> None:
        """Shows and stores what the room gathered since its last tick.

        A room's fault stops no other. What it had taken may be in no commit then, and its ledger would count wrong:
        it ends, and its sessions come back and load it from the log.
        """
        slot.scheduled = False
        if slot.failed is not None or not slot.room.dirty:
            return
        try:
            self._tick(slot)
        except Exception:
            log.exception("tick failed", document=slot.room.document)
            self.counters.tick_failures += 1
            self.evict(slot.room.document, StorageUnavailable("this room had to be restarted"))

    def _tick(self, slot: Slot) -> None:
        room, started, writes = slot.room, monotonic(), 0
        effects = room.drain()
        self.counters.ticks += 1
        if effects.wire is not None:
            writes = self._show(slot, effects.wire, effects.skip)
            self.counters.updates_in += len(effects.entries)
            self.neighbours.claimed(slot)
            if effects.entries:
                if room.lineage == UNBORN and slot.creator is None:
                    slot.creator = effects.entries[0].author
                done = partial(self._done, slot, effects.updates)
                self._journal.append(room.document, room.lineage, effects.entries, done)
                if room.ledger.waiting:
                    self._journal.hurry()  # a call by REST, which came before this tick
        if effects.presence is not None:
            writes += self._show(slot, effects.presence, None)
            if effects.presence_body is not None:
                self.neighbours.presence(slot, effects.presence_body, effects.nudges)
            slot.tell("presence")
        self._space(slot, started, writes)

    def _space(self, slot: Slot, started: float, writes: int) -> None:
        """Notes when the room, after a tick that began at `started`, should tick next."""
        slot.used_at = ended = monotonic()
        rest_s, owed_s = self.pace.rest_s(max(0.0, slot.owes_until - started), ended - started, writes)
        slot.rests_until, slot.owes_until = ended + rest_s, started + owed_s

    def _show(self, slot: Slot, wire: bytes, skip: Session | None) -> int:
        """Writes to everyone in the room; returns to how many."""
        live = slot.room.live
        for session, write in list(live.items()):
            if session is not skip:
                write(wire)
        self.counters.frames_out += len(live)
        for tap in tuple(slot.taps) if slot.taps else ():
            tap(None, wire)
        return len(live)

    def _done(self, slot: Slot, updates: tuple[bytes, ...], done: Appended) -> None:
        try:
            self._committed(slot, updates, done)
        except Exception:  # who waits would wait for ever: as after a tick that failed
            log.exception("a commit could not be told", document=slot.room.document)
            self.counters.tick_failures += 1
            self.evict(slot.room.document, StorageUnavailable("this room had to be restarted"))

    def _committed(self, slot: Slot, updates: tuple[bytes, ...], done: Appended) -> None:
        room = slot.room
        if done.error is not None:
            error = done.error if isinstance(done.error, CollabError) else StorageUnavailable(str(done.error))
            if self.slots.get(room.document) is slot:
                del self.slots[room.document]
                self.neighbours.leave(room.document)
            slot.fail(error)
            return
        room.lineage = done.lineage
        room.committed(done.first_seq, done.last_seq)
        self.advanced(slot)
        self.neighbours.committed(slot, updates, done.first_seq, done.last_seq)
        if done.created and slot.creator is not None:
            self._on_born(room.document, slot.creator)

    def advanced(self, slot: Slot) -> None:
        """The room has more that is committed, by this node or another."""
        slot.tell("commit")
        self._on_committed(slot)

    # ------------------------------------------------------------------ going down

    def sessions(self) -> Iterable[tuple[Slot, Session]]:
        """Every session of this node."""
        return [(slot, session) for slot in self.slots.values() for session in slot.room.sessions]
