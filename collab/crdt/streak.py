"""Typing that goes on: the next keystroke is known by the bytes with which it must begin.

Who types letter by letter sends, but for the clock and the letter, the same message again and again. Its beginning is
made from what the gate let through before; so all that is left to look at is the letter. Nothing is taken that the
gate would refuse, and what is said of it is the same (`tests/crdt/test_streak.py` holds the two to each other).
"""

from __future__ import annotations

from collab.crdt.checked import Checked
from collab.limits import Limits
from collab.protocol.varint import write_varuint

_AFTER, _BETWEEN = b"\x84", b"\xc4"  # a string with a left origin, or with both


class Streak:
    """One author's run of letters, each behind the one before; `clock` is that of the next one."""

    __slots__ = (
        *("_at", "_body", "_clock_max", "_end", "_front", "_head", "_needs", "_origin", "_own", "_right", "_size"),
        *("client", "clock"),
    )

    def __init__(self, last: Checked, limits: Limits) -> None:
        """`last` is the string that was taken last and itself followed what was typed before it."""
        self.client, _, self.clock = last.runs[0]
        self._needs = last.needs  # met by now, and for ever
        self._right = last.right
        self._end = last.right + b"\x01"  # the text has one byte
        self._clock_max = limits.clock_max
        own = write_varuint(self.client)
        self._own = b"\x01\x01" + own
        self._origin = (_BETWEEN if last.right else _AFTER) + own
        self._size = 0
        self._expect(write_varuint(self.clock - 1))

    def _expect(self, before: bytes) -> None:
        self._at = at = write_varuint(self.clock)
        size = len(self._own) + len(at) + len(self._origin) + len(before) + len(self._end) + 5
        if size != self._size:
            self._size = size
            self._body = len(self._own) + len(at)
            self._front = b"\x00\x02" + bytes((size - 3,)) + self._own  # ids and clocks are bounded: 48 bytes at most
        self._head = self._front + at + self._origin + before + self._end

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
        text, right = message[-2:-1], self._right
        return Checked(message[3:], runs, self._needs, (), 1, self._body, size - 4, text, right, True)

    def go_on(self) -> None:
        """The letter was taken."""
        self.clock += 1
        self._expect(self._at)
