"""Connections: two ordered pipes with delays, a server end that the real socket shell drives, and what can go wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from collab.protocol.frames import messages


class Violation(AssertionError):
    """A promise was broken; the text says which."""


class Pipe:
    """One direction: in order, each item late by a random time; `frozen` holds everything back."""

    def __init__(self, random: Random, latency_s: float, deliver: Callable[[Any], None]) -> None:
        self._random = random
        self._latency_s = latency_s
        self._deliver = deliver
        self._items: deque[tuple[float, Any]] = deque()
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.frozen = False  # the network is silent
        self.paused = False  # the receiver does not read
        self.broken = False
        self.seconds_per_byte = 0.0

    def __len__(self) -> int:
        return len(self._items)

    def send(self, item: Any, size: int = 0) -> None:
        """Queues one item."""
        if self.broken:
            return
        now = asyncio.get_running_loop().time()
        due = now + self._random.expovariate(1.0) * self._latency_s
        self._last = max(self._last, due) + size * self.seconds_per_byte
        self._items.append((self._last, item))
        self._arm()

    def thaw(self) -> None:
        """Goes on after a silence, or when it is read again."""
        self._arm()

    def break_(self) -> None:
        """What is under way is lost, and nothing more is taken."""
        self.broken = True
        self._items.clear()

    def _arm(self) -> None:
        if self._items and self._timer is None and not self.frozen and not self.paused:
            self._timer = asyncio.get_running_loop().call_at(self._items[0][0], self._due)

    def _due(self) -> None:
        self._timer = None
        if self.frozen or self.paused or self.broken or not self._items:
            return
        _, item = self._items.popleft()
        self._deliver(item)
        self._arm()


class Frame:
    """What picows hands to its listener, as far as the shell looks at it."""

    fin = True
    rsv1 = False

    def __init__(self, msg_type: object, payload: bytes) -> None:
        self.msg_type = msg_type
        self._payload = payload

    def get_payload_as_bytes(self) -> bytes:
        return self._payload


class ServerEnd:
    """Stands in for picows' transport and the one below it: a buffer with a high-water mark, and a pipe behind it."""

    def __init__(self, random: Random, latency_s: float, receive: Callable[[bytes], None], lost: Callable[[int], None]):
        self.underlying_transport = self
        self.unbounded: Callable[[str], None] = lambda reason: None  # told when the shell writes into a full buffer
        self.is_disconnected = False
        self.is_close_frame_sent = False
        self.dead = False  # the process behind it is gone
        self.buffered = 0
        self.listener: Any = None
        self.down = Pipe(random, latency_s, self._arrived)
        self._receive = receive
        self._lost = lost
        self._high = 0
        self._full = False
        self._code = 1006
        self.up: Pipe

    # --- what the shell calls

    def set_write_buffer_limits(self, high: int) -> None:
        self._high = high

    def write(self, wire: bytes) -> None:
        """Like uvloop's: takes everything, and says when there is too much."""
        if self.dead or self.is_disconnected:
            return
        if self._full:
            self.unbounded("a full outbox was written to: its size has no bound")
        self.buffered += len(wire)
        self.down.send(wire, len(wire))
        if self.buffered > self._high and not self._full:
            self._full = True
            self.listener.pause_writing()

    def send_ping(self) -> None:
        self.down.send(b"ping")

    def send_close(self, code: Any, message: str = "") -> None:
        self._code = int(getattr(code, "value", code))
        self.is_close_frame_sent = True
        self.down.send(None)  # a tab that reads it hangs up, as browsers do

    def disconnect(self) -> None:
        """Flushes, then closes."""
        self.is_disconnected = True
        if not self.is_close_frame_sent:
            self.down.send(None)

    def abort(self) -> None:
        self.is_disconnected = True
        if not self.down.broken:
            self.down.break_()
            self._lost(self._code)

    def is_closing(self) -> bool:
        return self.is_disconnected

    def is_reading(self) -> bool:
        return not self.up.paused

    def pause_reading(self) -> None:
        self.up.paused = True

    def resume_reading(self) -> None:
        self.up.paused = False
        self.up.thaw()

    # --- the other end of the pipe

    def _arrived(self, wire: bytes | None) -> None:
        if wire is None:
            self.down.break_()
            self._lost(self._code)
        elif wire == b"ping":
            self._receive(wire)
        else:
            self.buffered -= len(wire)
            if self._full and self.buffered <= self._high // 4:
                self._full = False
                if not self.dead and not self.is_disconnected:
                    self.listener.resume_writing()
            for message in messages(wire):
                self._receive(message)
