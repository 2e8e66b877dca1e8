"""The wall clock as all nodes agree on it: this machine's, set right by that of the database which they share.

What one node revokes another finds, and judges, by when that was. Machines whose clocks are minutes apart would miss
it, or take a ticket for newer than the revocation that ends it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("collab.auth")

EXACT_S = 1.0  # an answer that took longer says too little
APART_S = 2.0  # less than this is left as it is: clocks that are kept by NTP are nearer than a look at the database


class SharedClock:
    """Unix seconds. Until it is first set it is the machine's own."""

    def __init__(self, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic) -> None:
        """`clock`: Unix seconds by this machine; `timer` measures how long an answer takes."""
        self._clock = clock
        self._timer = timer
        self.offset_s = 0.0

    def __call__(self) -> float:
        return self._clock() + self.offset_s

    async def set_by(self, ask: Callable[[], Awaitable[float | None]]) -> None:
        """`ask()`: Unix seconds by the database, None if its clock is this machine's. Raises what that raises."""
        began = self._timer()
        theirs = await ask()
        took_s = self._timer() - began
        if theirs is None or took_s > EXACT_S:
            return
        offset_s = theirs + took_s / 2 - self._clock()
        offset_s = offset_s if abs(offset_s) > APART_S else 0.0
        if abs(offset_s - self.offset_s) > APART_S:
            log.warning("this machine's clock and the database's are apart", seconds=round(offset_s, 1))
        if offset_s == 0.0 or abs(offset_s - self.offset_s) > EXACT_S:  # else it would go back and forth
            self.offset_s = offset_s
