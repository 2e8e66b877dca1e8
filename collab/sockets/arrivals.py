"""What is arriving and not complete yet: large frames, fragments, bodies. Bounded over the whole node, and in time.

Large frames are read at a bounded rate, all of them together: who sends them as fast as it goes would take the event
loop from all others.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from collab.core.bucket import Bucket
from collab.limits import KIB, Limits

SWEPT_EVERY_S = 5.0
READ_BYTES = 256 * KIB
"""Read at once of what is arriving: some 0.3 ms. The kernel would give all that its buffer holds, up to 6 MiB."""
READ_COUNTS_BYTES = 8 * KIB
"""What a read counts as at least: that costs as much as copying so many bytes, and who is paused sends larger ones."""


class Arriving(Protocol):
    """A connection."""

    def give_up(self) -> None:
        """Ends it at once: it is too slow, or there is too much on this node already."""


class Arrivals:
    """Bytes that connections hold of what is of no use before its end has come.

    Each may hold `free_bytes` without asking; there are no more of them than there may be connections.
    """

    def __init__(self, limits: Limits) -> None:
        self.free_bytes = 4 * limits.inline_bytes_max
        self.held_bytes = 0
        self._limits = limits
        self._held: dict[Arriving, tuple[int, float]] = {}
        self._read = Bucket(limits.arriving_bytes_per_s, limits.arriving_bytes_burst)

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, connection: Arriving, size_bytes: int, now: float) -> bool:
        """So much of it has come by now; False if it was given up."""
        before, since = self._held.get(connection, (0, now))
        total = self.held_bytes - before + size_bytes
        if total > self._limits.arriving_bytes_max or now - since > self._limits.arriving_s_max:
            self.release(connection)
            connection.give_up()
            return False
        self._held[connection] = size_bytes, since
        self.held_bytes = total
        return True

    def read(self, size_bytes: int, now: float) -> float:
        """So much was read of one of them; returns for how long nothing more of it should be, in seconds."""
        return self._read.take(now, max(size_bytes, READ_COUNTS_BYTES))

    def release(self, connection: Arriving) -> None:
        """It is complete, or gone."""
        before, _ = self._held.pop(connection, (0, 0.0))
        self.held_bytes -= before

    def sweep(self, now: float) -> None:
        """Gives up those that have not completed in time what they began."""
        for connection, (_, since) in list(self._held.items()):
            if now - since > self._limits.arriving_s_max:
                self.release(connection)
                connection.give_up()

    async def run(self) -> None:
        """Sweeps until cancelled."""
        while True:
            await asyncio.sleep(SWEPT_EVERY_S)
            self.sweep(asyncio.get_running_loop().time())
