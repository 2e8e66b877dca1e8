"""What a connection has sent beyond one slice: looked at slice by slice, what others send comes between."""

from __future__ import annotations

from time import thread_time
from typing import Protocol

from collab.limits import DEFAULT
from collab.turns import Turns

SLICE_BYTES = DEFAULT.inline_bytes_max
"""Looked at in one turn of the loop: one frame of the dearest kind, or some hundreds of the smallest."""

GATHERED_SLICES = 64
"""In one turn, while all is a part of one large frame: a turn of the loop for each would cost more than they do."""


class Connection(Protocol):
    """Whose backlog it is."""

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes is looked at any more."""

    @property
    def is_arriving(self) -> bool:
        """Whether what comes belongs to a large frame."""

    @property
    def is_resting(self) -> bool:
        """Whether nothing is to be taken now; whoever ends that calls `take`."""

    def feed(self, data: memoryview) -> bool:
        """Looks at the frames in it; returns whether there was none to look at, but all is inside of a larger one."""

    def read_more(self) -> None:
        """The backlog is empty."""


class Backlog:
    """Bytes that were read and not looked at yet. While there are any, nothing more is read.

    `deaf`: the connection is over, and what still comes of it is dropped unseen.
    """

    __slots__ = ("_at", "_bytes", "_connection", "_in_line", "_turns", "deaf")

    def __init__(self, connection: Connection, turns: Turns) -> None:
        self.deaf = False
        self._connection = connection
        self._turns = turns
        self._bytes = b""
        self._at = 0
        self._in_line = False

    def put(self, data: bytes | memoryview) -> None:
        """Behind what is there."""
        self._bytes = self._bytes[self._at :] + bytes(data)
        self._at = 0

    def take(self) -> None:
        """Goes on with it when it is its turn; reads more once there is nothing left."""
        if self._in_line:
            return
        if self._at >= len(self._bytes):
            self._connection.read_more()
        else:
            self._in_line = True
            self._turns.call(self._slice)

    def _slice(self) -> None:
        self._in_line = False
        if self._connection.is_over:
            self.deaf, self._bytes, self._at = True, b"", 0
            self._connection.read_more()
        elif not self._connection.is_resting:
            if self._connection.is_arriving:
                self._gather_apart()
            else:
                self._gather()
            if not self._connection.is_resting:
                self.take()

    def _gather_apart(self) -> None:
        """A large frame, and copying it once it is whole, spaces no ticks: that would not make it less."""
        began = thread_time()
        self._gather()
        self._turns.spent_s += thread_time() - began

    def _gather(self) -> None:
        """A slice, or several in the midst of a large frame."""
        for _ in range(GATHERED_SLICES):
            start = self._at
            self._at = min(start + SLICE_BYTES, len(self._bytes))
            if not self._connection.feed(memoryview(self._bytes)[start : self._at]) or self._at == len(self._bytes):
                break
