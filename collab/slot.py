"""A room's place in the hub: pins, timing, listeners, and who waits for a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

import structlog

from collab.bus.base import BusFrame
from collab.core.history import Answers
from collab.core.room import Room
from collab.core.session import Session
from collab.errors import CollabError

log = structlog.get_logger(__name__)
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """What listeners (long polls, event streams, webhooks) are told: `kind` is commit, presence, snapshot,
    access or end."""

    kind: str
    seq: int
    data: object = None


class Slot:
    """Runtime state around one room; the room itself knows no time and no loop."""

    __slots__ = (
        "_futures",
        "_listeners",
        "claimed_ms",
        "client_id",
        "creator",
        "deciding",
        "editing",
        "failed",
        "filling",
        "heard_seq",
        "held",
        "kept_alive_at",
        "owes_until",
        "pins",
        "rests_until",
        "room",
        "scheduled",
        "taps",
        "used_at",
    )

    def __init__(self, room: Room, now: float, counters: Answers | None = None) -> None:
        """`counters`: where the answers that the room makes are counted."""
        self.room = room
        room.history.counters = counters
        self.pins = 0
        self.used_at = now
        self.kept_alive_at = now
        self.rests_until = 0.0
        self.owes_until = 0.0  # rest for its past fan-out, beyond what it has on credit
        self.scheduled = False
        self.claimed_ms: dict[int, int] = {}  # when sessions here took their client ids, Unix ms, for other nodes
        self.deciding = False  # a look at contested client ids is scheduled
        self.creator: str | None = None  # whose edit would bring the document into being
        self.failed: CollabError | None = None
        self.heard_seq = 0  # other nodes say that the document stands here, or further
        self.held: dict[int, BusFrame] = {}  # their commits that came before an earlier one, by first seq
        self.filling = False  # a read of the log is scheduled
        self.renew_client()
        self.editing = asyncio.Lock()
        # Called with every message that comes in (session, bytes) and every run of frames that all are shown (None,
        # wire), while somebody traces this room.
        self.taps: set[Callable[[Session | None, bytes], None]] = set()
        self._listeners: set[Callable[[RoomEvent], Any]] = set()
        self._futures: set[asyncio.Future[Any]] = set()

    def renew_client(self) -> None:
        """Edits made on this node's behalf share one CRDT client id per opening.

        It is fresh each time: after a crash a reused id could give an uncommitted clock, which some client has already
        seen, a second meaning.
        """
        self.client_id = _random.randrange(1, 2**32)

    @property
    def behind(self) -> bool:
        """True while something is known to be committed that the room does not have."""
        ledger = self.room.ledger
        return ledger.gap or self.heard_seq > ledger.seq

    @property
    def may_unload(self) -> bool:
        """Nobody is in it, nobody holds it, and all of it is on disk."""
        return not (self.pins or self.room.sessions or self.room.unsaved)

    @property
    def waiting(self) -> int:
        """How many wait for a commit."""
        return len(self._futures)

    @contextmanager
    def listening(self, listener: Callable[[RoomEvent], Any]) -> Iterator[None]:
        """Calls the listener for every event while the block runs; it must not block or raise."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def tell(self, kind: str, data: object = None) -> None:
        """Tells all listeners."""
        if self._listeners:
            event = RoomEvent(kind, self.room.ledger.seq, data)
            for listener in list(self._listeners):
                listener(event)

    def expect(self, future: asyncio.Future[Any]) -> None:
        """Registers a future that gets the error if the room fails."""
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    def fail(self, error: CollabError) -> None:
        """The room is over: everybody in it, and everybody who waits, learns why."""
        self.failed = error
        for end in (*(session.outbox.close for session in self.room.sessions), self._settle):
            try:
                end(error)
            except Exception:  # of one socket: the others, and rooms whose tick comes next, must not go without theirs
                log.exception("the end of a room was not told", document=self.room.document)

    def _settle(self, error: CollabError) -> None:
        for future in list(self._futures):
            if not future.done():
                future.set_exception(error)
        self.tell("end", error)
