"""Typing that goes on: the next keystroke is known by the bytes with which it must begin.

Who types letter by letter sends, but for the clock and the letter, the same message again and again. Its beginning is
made from what the gate let through before; so all that is left to look at is the letter. Nothing is taken that the
gate would refuse, and what is said of it is the same (`tests/crdt/test_streak.py` holds the two to each other).
"""

from __future__ import annotations

from collab.crdt.checked import Checked
from collab.limits import Limits
from collab.protocol.varint import write_varuint

_UPDATE, _ONE_OF_EACH = b"\x00\x02", b"\x01\x01"  # a message with an update; one client and one struct in it
_AFTER, _BETWEEN = b"\x84", b"\xc4"  # a string with a left origin, or with both


class Streak:
    """One author's run of letters, each behind the one before; `clock` is that of the next one."""

    __slots__ = (
        *("_at", "_before", "_body", "_clock_max", "_head", "_id", "_own", "_needs", "_right", "_size"),
        *("client", "clock"),
    )

    def __init__(self, last: Checked, limits: Limits) -> None:
        """`last` is the string that was taken last and itself followed what was typed before it."""
        self.client = last.runs[0][0]
        self._id = write_varuint(self.client)
        self._own = _ONE_OF_EACH + self._id
        self._at = 3 + len(self._own)
        self._clock_max = limits.clock_max
        self.follow(last)

    def follow(self, last: Checked) -> None:
        """The same author has typed something else; only behind what goes on where the last string ended is a letter
        awaited.
        """
        self.clock = last.runs[0][2]
        if not last.follows:
            self._size = -1
            return
        self._needs = last.needs  # met by now, and for ever
        self._right = last.right
        self._expect()

    def _expect(self) -> None:
        at, right = write_varuint(self.clock), self._right
        origin = (_BETWEEN if right else _AFTER) + self._id
        body = b"".join((self._own, at, origin, write_varuint(self.clock - 1), right, b"\x01"))  # the text has one byte
        size = len(body) + 2
        self._size = size + 3
        self._body = len(self._own) + len(at)
        self._before = self._at + len(at) + len(origin)
        self._head = bytearray(_UPDATE + bytes((size,)) + body)  # ids and clocks are bounded: 48 bytes at most

    def read(self, message: bytes) -> Checked | None:
        """What the gate says of the update in a message that goes on here; None if it is any other message."""
        size, clock = self._size, self.clock
        if (
            len(message) != size
            or not message.startswith(self._head)
            or message[-1]
            or message[-2] > 127
            or clock >= self._clock_max
        ):
            return None
        runs = ((self.client, clock, clock + 1),)
        return Checked(message[3:], runs, self._needs, (), 1, self._body, size - 4, message[-2:-1], self._right, True)

    def go_on(self) -> None:
        """The letter was taken."""
        self.clock = clock = self.clock + 1
        if clock & 127 > 1:  # no carry in either of the two integers: their lowest seven bits stand first
            head = self._head
            head[self._at] += 1
            head[self._before] += 1
        else:
            self._expect()
