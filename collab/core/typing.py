"""The short way for people who type: strings and deletions of their own, by the connection that holds the id.

A letter behind the one before is known by its bytes; after a correction or a jump the gate's fast path reads the
update. Either way all that the room would ask of it is asked here, or was asked of the letter before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collab.crdt.checked import NOTHING_NEEDED, Checked
from collab.crdt.keystroke import read_keystroke
from collab.crdt.streak import Streak
from collab.types import Access

if TYPE_CHECKING:
    from collab.core.room import Room
    from collab.core.session import Session

WRITE = Access.WRITE
UPDATE, KEYSTROKE_BYTES = b"\x00\x02", 128  # of messages; longer ones are left to the gate


class Typing:
    """Streaks of one room's sessions."""

    def __init__(self, room: Room) -> None:
        """The room itself is passed in: no cycle, so that one that is unloaded frees its memory at once."""
        self._limits = room.limits
        self._bytes_max = room.limits.document_bytes_max
        self._clocks = room.history.clocks
        self._owner = room.authors.owner

    def begin(self, session: Session, last: Checked) -> None:
        """The session has typed something behind what it typed before: the next letter is awaited."""
        streak = session.streak
        if streak is not None and streak.client == last.runs[0][0]:
            streak.follow(last)
        else:
            session.streak = Streak(last, self._limits)

    def take(self, room: Room, session: Session, streak: Streak, message: bytes, now: float) -> float | None:
        """Takes a message that is the awaited letter, and returns as `Room.receive` does; None, if it is not.

        So it does with other keystrokes of the same author that have all they need.
        """
        client, clocks = streak.client, self._clocks
        if (
            clocks.next.get(client) != streak.clock
            or self._owner(client) is not session
            or session.access < WRITE
            or room.read_only is not None
            or room.retired_authors
            or room.history.size_bytes + len(message) > self._bytes_max
        ):
            session.streak = None
            return None
        checked = streak.read(message)
        if checked is not None:
            streak.go_on()
            clocks.reach(client, streak.clock)
        else:
            checked = self._read_other(streak, message)
            if checked is None:
                return None
            clocks.advance(checked)
            if checked.runs:
                streak.follow(checked)
        session.frames_left -= 1
        pause_s = session.pay_frames(now) if session.frames_left < 0 else 0.0
        room.gather(checked, session, session.principal.id, session.id)
        if room.pending.items:
            room.release(now)
        return pause_s

    def _read_other(self, streak: Streak, message: bytes) -> Checked | None:
        """A string at the author's next clock, or a deletion: what the gate says of it.

        None if it is anything else, adds nothing, or lacks something.
        """
        size = len(message)
        if size > KEYSTROKE_BYTES or not message.startswith(UPDATE) or message[2] != size - 3:
            return None
        checked = read_keystroke(message[3:], self._limits)
        if checked is None:
            return None
        if checked.deletes:
            client, start, end = checked.deletes[0]
            if end > self._clocks.next.get(client, 0) or self._clocks.deleted.contains(client, start, end):
                return None
        elif checked.runs[0][:2] != (streak.client, streak.clock) or not (
            checked.needs is NOTHING_NEEDED or self._clocks.is_ready(checked)
        ):
            return None
        return checked
