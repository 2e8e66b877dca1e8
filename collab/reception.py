"""Where bytes of clients come in: counted, charged to whoever sent them, and given to their room.

A socket is slowed by not being read, so an attack holds up its own connection; nothing of it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from time import monotonic, thread_time
from typing import Protocol, TypeVar

from collab.core.allowance import Allowances
from collab.core.bucket import Bucket
from collab.core.session import Session
from collab.crdt.checked import Checked
from collab.errors import Overloaded, RateLimited
from collab.inspection import PAUSE_S_MAX, Inspection, Inspector
from collab.limits import Limits
from collab.metrics import Counters
from collab.protocol.frames import frame
from collab.protocol.messages import encode_denied, encode_status
from collab.slot import Slot
from collab.store.base import Appended, Entry
from collab.turns import Turns
from collab.types import ANONYMOUS, DocumentId

T = TypeVar("T")

SMALL_BYTES = 1024  # frames up to here are bounded by their number alone
STEP1 = b"\x00"  # the second byte of one: what it costs is not told by its size
SLOWED = "slowed down: more than one connection may send"  # clients know it by its first two words
TYPED, KEYSTROKE_BYTES = b"\x00\x02", 128  # such frames are cheap, and measuring them would be dearer


class Writer(Protocol):
    """What is needed of the journal."""

    @property
    def full(self) -> bool:
        """True while too many bytes wait for a commit."""

    @property
    def healthy(self) -> bool:
        """False from the first storage error until a commit works again."""

    def append(
        self,
        document: DocumentId,
        lineage: str,
        entries: Sequence[Entry],
        on_done: Callable[[Appended], None],
        expected: int | None = None,
    ) -> None:
        """Queues entries for the next commit; with `expected` only for a document that stands there. Plain call."""

    def hurry(self) -> None:
        """The next commit should not linger: somebody waits for it."""

    async def flush(self, document: DocumentId | None = None) -> None:
        """Returns when all that was queued before, or that of one document, is settled."""


class Pauses(Protocol):
    """The hub's settings, as far as they are needed here."""

    @property
    def full_pause_s(self) -> float:
        """How long sockets are not read while the journal is full."""


class Rooms(Protocol):
    """The hub, as far as it is needed here."""

    limits: Limits
    counters: Counters

    @property
    def settings(self) -> Pauses:
        """How rooms live."""

    def settle(self, slot: Slot) -> None:
        """Does what follows from anything that a session brought."""

    def release(self, slot: Slot) -> None:
        """Gives a pin back."""


class Reception:
    """One per hub; all calls happen on the event loop."""

    def __init__(self, rooms: Rooms, journal: Writer, inspector: Inspector, turns: Turns) -> None:
        self.allowances = Allowances(rooms.limits)
        self.inspection = Inspection(inspector, turns, rooms.limits, self._receive, rooms.settle, rooms.release)
        self._rooms = rooms
        self._limits = rooms.limits
        self._counters = rooms.counters
        self._journal = journal
        self._full_pause_s = rooms.settings.full_pause_s

    def receive(self, slot: Slot, session: Session, data: bytes) -> float:
        """One frame from a socket; returns the seconds for which it should not be read.

        Raises CollabError for a frame that ends the session.
        """
        self._counters.frames_in += 1
        for tap in tuple(slot.taps) if slot.taps else ():
            tap(session, data)
        if session.aside is not None:
            session.aside.append(data)
            return 0.0
        if session.streak is not None:
            room = slot.room
            pause_s = room.typing.take(room, session, session.streak, data, monotonic())
            if pause_s is not None:
                if slot.scheduled and pause_s == 0.0 and not (room.overdue or self._journal.full):
                    return 0.0
                return self._settled(slot, session, pause_s, True)
        if len(data) <= SMALL_BYTES and data[1:2] != STEP1:
            return self._receive(slot, session, data)
        owed_s = session.allowance.bytes.take(monotonic(), len(data))
        if self.inspection.is_heavy(slot, data):
            pause_s = self._pause(session, owed_s)
            self.inspection.begin(slot, session, data)
            return pause_s
        return max(self._receive(slot, session, data), self._pause(session, owed_s))

    def _receive(self, slot: Slot, session: Session, data: bytes) -> float:
        ledger = slot.room.ledger
        entered = ledger.entered
        if data[:2] == TYPED and len(data) <= KEYSTROKE_BYTES:
            pause_s = slot.room.receive(session, data, monotonic())
        else:
            pause_s = self._receive_measured(slot, session, data)
        return self._settled(slot, session, pause_s, ledger.entered > entered)

    def _settled(self, slot: Slot, session: Session, pause_s: float, took: bool) -> float:
        """What follows from a frame; for how long to read nothing more. `took`: it brought something to be stored."""
        self._rooms.settle(slot)
        if pause_s > 0.0:
            pause_s = self._pause(session, pause_s)
        if took and self._journal.full:
            return max(pause_s, self._full_pause_s)
        return pause_s

    def _receive_measured(self, slot: Slot, session: Session, data: bytes) -> float:
        """Charges what it costs in CPU time: the wall's would charge a busy machine to whoever is on it."""
        now, began = monotonic(), thread_time()
        owed_s = 0.0
        try:
            pause_s = slot.room.receive(session, data, now)
        finally:
            took_s = thread_time() - began
            if took_s > self._limits.work_counts_s:
                owed_s = session.allowance.work.take(now, took_s)
        owed_s = min(owed_s, PAUSE_S_MAX)
        if owed_s > 0.0 and session.aside is None:
            self.inspection.rest(slot, session, owed_s)
            return pause_s
        return max(owed_s, pause_s)

    def ask(self, slot: Slot, session: Session, payload: bytes) -> None:
        """As message 102 behind all that the session has sent, for dialects without it; it is no frame of its own."""
        if session.aside is None:
            slot.room.promises.ask(session, payload)
        else:
            session.aside.append(encode_status(payload))
            session.frames_left += 1

    def count(self, session: Session) -> float:
        """A frame that brings nothing; returns and raises as `receive` does."""
        session.frames_left -= 1
        owed_s = session.pay_frames(monotonic()) if session.frames_left < 0 else 0.0
        return self._pause(session, owed_s) if owed_s > 0.0 else 0.0

    def _pause(self, session: Session, owed_s: float) -> float:
        """How long to read nothing of who owes so much time; told why first, then ended. Raises RateLimited."""
        if owed_s > self._limits.debt_s_max:
            raise RateLimited(f"{owed_s:.0f} s ahead of what one connection may send")
        if owed_s > self._limits.debt_told_s and not session.told_slow:
            session.told_slow = True
            session.write(frame(encode_denied(SLOWED)))
        return min(owed_s, PAUSE_S_MAX)

    async def submit(self, slot: Slot, update: bytes, author: str, session_id: str) -> int:
        """An update that came by REST, into its room; returns the ledger number to wait for.

        Raises as `admit` and `Room.submit` do.
        """
        return await self.admit(
            slot, update, author, lambda checked: slot.room.submit(checked, author, session_id, monotonic()), True
        )

    async def admit(
        self, slot: Slot, update: bytes, author: str, take: Callable[[Checked], T], at_once: bool = False
    ) -> T:
        """Checks an update that came by REST, a large one in a child, and gives it to `take`.

        `at_once`: that puts it into the room, so what is asked before and noted after is done in turns if it is much.

        Raises as `Room.check` does, Overloaded while too much waits for the database, and RateLimited for a user whose
        large updates cost others too much.
        """
        if self._journal.full:
            raise Overloaded("too much waits for the database already; nothing of this was taken")
        clock = monotonic
        if len(update) <= self._limits.inline_bytes_max:
            return take(slot.room.check(update))
        work = Bucket(0.0, 0.0) if author == ANONYMOUS.id else self.allowances.of(author, clock()).work
        if owed_s := work.debt_s(clock()):
            raise RateLimited("too much work for this node", retry_after_s=ceil(owed_s))
        with self.inspection.weighed(update):
            checked = await self.inspection.inspector.check(update)
        await self.inspection.refuse_retired(slot.room, checked)
        if at_once:
            checked = await self.inspection.weigh(slot.room, checked)
        began = thread_time()
        try:
            taken = take(checked)
        finally:
            work.take(clock(), thread_time() - began)
        if at_once:
            self._rooms.settle(slot)
            await self.inspection.note(slot.room, checked)
        return taken
