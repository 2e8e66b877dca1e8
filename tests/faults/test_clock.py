"""A slice of the clock's jumps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults import shim
from tests.faults.clock import TEN_YEARS_S, Jumps, jumping


@pytest.mark.skipif(shim.missing() is not None, reason=str(shim.missing()))
def test_a_wall_clock_ten_years_off_either_way_hangs_nothing_and_loses_nothing(tmp_path: Path) -> None:
    async def story(jumps: Jumps) -> None:
        await jumps.begin()
        for offset_s in (TEN_YEARS_S, -TEN_YEARS_S):
            await jumps.jump(offset_s)
        await jumps.crash(0)
        await jumps.jump(TEN_YEARS_S)
        await jumps.end()

    with jumping(tmp_path) as jumps:
        asyncio.run(asyncio.wait_for(story(jumps), 120.0))
