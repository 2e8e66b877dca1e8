"""What goes on for as long as the node does is begun again when it fails, and says so."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from collab.lasting import AGAIN_FIRST_S, AGAIN_MAX_S, Lasting
from collab.metrics import Counters
from tests.patience import PATIENCE_S


class Fails:
    """Work that fails so many times, then goes on."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.slept: list[float] = []
        self.goes_on = asyncio.Event()
        self.ended = False

    async def __call__(self) -> None:
        if self.left:
            self.left -= 1
            raise RuntimeError("nobody expected this")
        self.goes_on.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_it_is_told_counted_and_begun_again_later_and_later() -> None:
    work, counters = Fails(12), Counters()
    with capture_logs() as lines:
        async with Lasting("watch", work, counters, work.sleep):
            await asyncio.wait_for(work.goes_on.wait(), PATIENCE_S)
            assert not work.ended
    assert work.ended
    assert counters.task_failures == len(lines) == len(work.slept) == 12
    assert all(line["task"] == "watch" and line["log_level"] == "error" for line in lines)
    assert work.slept[0] <= AGAIN_FIRST_S and AGAIN_MAX_S / 2 <= work.slept[-1] <= AGAIN_MAX_S


async def test_what_has_nothing_to_do_ends() -> None:
    async def nothing() -> None:
        """As `Neighbours.run` on a node that is alone."""

    async with Lasting("neighbours", nothing, Counters()) as task:
        await asyncio.wait_for(asyncio.wait({task}), PATIENCE_S)
        assert task.done() and task.exception() is None


@pytest.mark.parametrize("fails", [False, True])
async def test_the_end_is_the_end_even_if_its_last_words_fail(fails: bool) -> None:
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            if fails:
                raise OSError("nobody reads what it would still say")

    counters = Counters()
    async with asyncio.timeout(PATIENCE_S), Lasting("access log", work, counters) as task:
        while not begun:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert task.done() and begun == [1]
    assert counters.task_failures == fails
