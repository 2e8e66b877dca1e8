"""Counters for rate limits in this node's memory: bounded, and the same price however many callers there are.

A storage for the `limits` library, whose own one walks over every caller it knows at each request (2.4 ms a request
at 50,000 addresses), which is the attack that a rate limit should stop. The estimate is the sliding window's: the
previous window counts by the part of it that still lies within the last period.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import floor

import orjson
from limits.aio.storage.base import SlidingWindowCounterSupport, Storage

KEYS_MAX = 100_000  # 30 MB; beyond it the callers not seen for longest are forgotten

TOLD_MAX = 2_000  # keys told to the other nodes at once; those that took least can wait for their turn

Window = tuple[int, int, int]
"""(number of the window, count in it, count in the one before)."""


class WindowCounters(Storage, SlidingWindowCounterSupport):
    """Satisfies what `limits` asks of a storage for sliding windows. No method awaits, so none needs a lock."""

    STORAGE_SCHEME = None

    def __init__(
        self, keys_max: int = KEYS_MAX, clock: Callable[[], float] = time.monotonic, shared: bool = False
    ) -> None:
        """`clock`: seconds, of one that nobody sets back: a full window would stay full; `shared`: somebody drains what
        is taken, to tell other nodes."""
        super().__init__()
        self._windows: dict[str, Window] = {}
        self._spent: dict[str, tuple[int, int]] = {}  # since the other nodes were told: key to (amount, expiry)
        self._shared = shared
        self._keys_max = keys_max
        self._clock = clock

    def __len__(self) -> int:
        return len(self._windows)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts `amount` and returns True if that stays within `limit` per `expiry` seconds."""
        number, current, previous = self._window(key, expiry)
        if floor(previous * self._left(expiry) + current) + amount > limit:
            return False
        self._put(key, (number, current + amount, previous))
        if self._shared and len(self._spent) < self._keys_max:
            self._spent[key] = (self._spent.get(key, (0, 0))[0] + amount, expiry)
        return True

    def _put(self, key: str, window: Window) -> None:
        self._windows.pop(key, None)  # put back at the end: the order is that of the last use
        self._windows[key] = window
        if len(self._windows) > self._keys_max:
            del self._windows[next(iter(self._windows))]

    # ------------------------------------------------------------------ several nodes

    def drain(self) -> bytes | None:
        """What was taken here since the last time, for the other nodes: the largest amounts; None if nothing."""
        spent, self._spent = self._spent, {}
        if not spent:
            return None
        most = sorted(spent.items(), key=lambda item: -item[1][0])[:TOLD_MAX]
        return orjson.dumps([[key, amount, expiry] for key, (amount, expiry) in most])

    def take(self, body: bytes) -> None:
        """What was taken on another node counts here, too; nothing is refused for it there. Raises ValueError."""
        for key, amount, expiry in orjson.loads(body):
            number, current, previous = self._window(key, expiry)
            self._put(key, (number, current + amount, previous))

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """(count before, seconds it still counts, count now, seconds it still counts), as `limits` defines it."""
        _, current, previous = self._window(key, expiry)
        left_s = self._left(expiry) * expiry
        return previous, left_s if previous else 0.0, current, left_s + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forgets the key."""
        self._windows.pop(key, None)

    def _window(self, key: str, expiry: int) -> Window:
        number = int(self._clock() // expiry)
        known, current, previous = self._windows.get(key, (number, 0, 0))
        if number <= known:
            return known, current, previous
        return number, 0, current if number == known + 1 else 0

    def _left(self, expiry: int) -> float:
        """How much of the window is still to come: 1.0 at its start."""
        return 1.0 - (self._clock() / expiry) % 1.0

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """Memory does not fail."""
        return ()

    async def check(self) -> bool:
        """Always there."""
        return True

    async def reset(self) -> int | None:
        """Forgets everybody."""
        count = len(self._windows)
        self._windows.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forgets the key."""
        self._windows.pop(key, None)

    # `limits` wants these of every storage, for its fixed windows.

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Raises TypeError."""
        raise TypeError("this storage counts in sliding windows only")

    async def get(self, key: str) -> int:
        """Raises TypeError."""
        raise TypeError("this storage counts in sliding windows only")

    async def get_expiry(self, key: str) -> float:
        """Raises TypeError."""
        raise TypeError("this storage counts in sliding windows only")
