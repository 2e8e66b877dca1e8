"""How ticks are spaced: not at all at light load; further apart, within bounds, as rooms or the whole core fill up.

At middle rates every tick carries one or two updates and costs a full fan-out, so that CPU per update is highest just
where it hurts. Spacing ticks lets updates gather: the fan-out is paid once for several.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from collab.journal import LINGER_S

SAMPLE_S = 0.1
LINGER_S_MAX = 0.1  # a commit's wait on a busy node: it costs by its documents, and each of them gathers more
SHOWN_LINGER_S = 0.005  # the same on an idle node if people on other nodes, who are shown what is committed, wait too
IDLE = 0.03  # below this share of a core commits wait as little as they may
BUSY = 0.12  # from this share on, as long as they may: nobody sees it, and each commit takes time from the loop
CALM = 0.1  # below this share of a core no tick waits for the others' sake
FULL = 0.3  # from this share on all rooms tick together, as far apart as they may
SMOOTH = 0.5  # weight of the newest sample
ROOM_SHARE = 0.05  # of a core, for one room's fan-out; beyond it the room rests
CREDIT_S = 0.1  # of rest that a room may owe: some hundred clients' fan-out a few times in a row
WRITE_S = 8e-6  # what one write costs when the loop hands it to the kernel, after the tick; measured on loopback


class Pace:
    """Watches this process's CPU share and says when the next ticks should be."""

    def __init__(self, rest_s_max: float, apart_s: Callable[[], float] = lambda: 0.0) -> None:
        """`apart_s`: CPU seconds so far of what ticks further apart would not make less; they are not counted."""
        self.rest_s_max = rest_s_max
        self._apart_s = apart_s
        self.load = 0.0
        self.linger_s = LINGER_S
        """Seconds for which a commit waits for company, unless somebody waits for it."""
        self.shown_linger_s = SHOWN_LINGER_S
        """The same where rooms are shared with other nodes."""
        self.beat_s = 0.0
        """Seconds from one round of ticks to the next; 0.0 on a calm node: each tick in the turn in which it is due."""

    def rest_s(self, owed_s: float, tick_s: float, writes: int) -> tuple[float, float]:
        """(seconds that a room rests after a tick, rest that it owes from then on).

        `owed_s` is what it still owed before, `tick_s` what the tick took, `writes` how many it wrote to.
        """
        owed_s += (tick_s + writes * WRITE_S) / ROOM_SHARE
        rest_s = min(max(0.0, owed_s - CREDIT_S), self.rest_s_max)
        return rest_s, min(owed_s, CREDIT_S + self.rest_s_max)

    def observe(self, share: float) -> None:
        """One sample: CPU seconds per second since the last one."""
        self.load += SMOOTH * (share - self.load)
        fullness = min(1.0, max(0.0, (self.load - CALM) / (FULL - CALM)))
        self.beat_s = self.rest_s_max * fullness
        business = min(1.0, max(0.0, (self.load - IDLE) / (BUSY - IDLE)))
        self.linger_s = LINGER_S + (LINGER_S_MAX - LINGER_S) * business
        self.shown_linger_s = SHOWN_LINGER_S + (LINGER_S - SHOWN_LINGER_S) * business

    async def run(self) -> None:
        """Samples until cancelled."""
        wall, cpu = time.monotonic(), self._spent_s()
        while True:
            await asyncio.sleep(SAMPLE_S)
            wall_before, cpu_before = wall, cpu
            wall, cpu = time.monotonic(), self._spent_s()
            self.observe((cpu - cpu_before) / max(wall - wall_before, 1e-6))

    def _spent_s(self) -> float:
        return time.process_time() - self._apart_s()
