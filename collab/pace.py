"""How long rooms rest between ticks: not at all at light load, longer as the core fills up.

At middle rates every tick carries one or two updates and costs a full fan-out, so that CPU per update is highest just
where it hurts. Spacing ticks lets updates gather: the fan-out is paid once for several.
"""

from __future__ import annotations

import asyncio
import time

SAMPLE_S = 0.1
CALM = 0.35  # below this share of a core nobody waits
FULL = 0.75  # from this share on rooms rest as long as they may
SMOOTH = 0.5  # weight of the newest sample
BUSY_SHARE = 4.0  # a room whose tick took t seconds rests up to 4 t before the next: fan-out takes at most a fifth
COSTLY_S = 0.0003  # ticks cheaper than this do not rest for their own sake


class Pace:
    """Watches this process's CPU share and says how long a room rests after a tick."""

    def __init__(self, rest_s_max: float) -> None:
        self.rest_s_max = rest_s_max
        self.load = 0.0
        self._rest_s = 0.0

    def rest_s(self, tick_s: float) -> float:
        """Seconds until a room whose tick took `tick_s` should tick again."""
        own = tick_s * BUSY_SHARE if tick_s > COSTLY_S else 0.0
        return min(self.rest_s_max, max(own, self._rest_s))

    def observe(self, share: float) -> None:
        """One sample: CPU seconds per second since the last one."""
        self.load += SMOOTH * (share - self.load)
        fullness = (self.load - CALM) / (FULL - CALM)
        self._rest_s = self.rest_s_max * min(1.0, max(0.0, fullness))

    async def run(self) -> None:
        """Samples until cancelled."""
        wall, cpu = time.monotonic(), time.process_time()
        while True:
            await asyncio.sleep(SAMPLE_S)
            wall_before, cpu_before = wall, cpu
            wall, cpu = time.monotonic(), time.process_time()
            self.observe((cpu - cpu_before) / max(wall - wall_before, 1e-6))
