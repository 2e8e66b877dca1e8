"""The short way for typing that goes on: a letter behind the one before, by the connection that holds the id."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from collab.crdt.checked import Checked
from collab.crdt.streak import Streak
from collab.types import Access

if TYPE_CHECKING:
    from collab.core.room import Room
    from collab.core.session import Session

WRITE = Access.WRITE


class Typing:
    """Streaks of one room's sessions."""

    def __init__(self, room: Room) -> None:
        self._room = ref(room)  # no cycle: a room that is unloaded frees its memory at once
        self._limits = room.limits
        self._clocks = room.history.clocks
        self._owner = room.authors.owner

    def begin(self, session: Session, last: Checked) -> None:
        """The session has typed something behind what it typed before: the next letter is awaited."""
        session.streak = Streak(last, self._limits)

    def take(self, session: Session, streak: Streak, message: bytes, now: float) -> float | None:
        """Takes a message that is the awaited letter, and returns as `Room.receive` does; None, if it is not.

        All that the room would ask of it is asked here, or was asked of the letter before.
        """
        room = self._room()
        checked = streak.read(message)
        if (
            room is None
            or checked is None
            or self._clocks.next.get(streak.client) != streak.clock
            or self._owner(streak.client) is not session
            or session.access < WRITE
            or room.read_only is not None
            or room.retired_authors
            or room.history.size_bytes + len(checked.raw) > self._limits.document_bytes_max
        ):
            session.streak = None
            return None
        session.frames_left -= 1
        pause_s = session.pay_frames(now) if session.frames_left < 0 else 0.0
        streak.go_on()
        self._clocks.reach(streak.client, streak.clock)
        room.gather(checked, session, session.principal.id, session.id)
        if room.pending:
            room.release(now)
        return pause_s
