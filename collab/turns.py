"""Dear work, one slice per turn of the event loop: whoever brings much of it waits in line, and everybody else between.

Slices are done in the order in which they were asked for. Each of those who ask has at most one in line, so that a
connection with a million frames and one with a single frame get the same share.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from time import thread_time
from typing import TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Turns:
    """One per node; all calls happen on the event loop."""

    def __init__(self) -> None:
        self._line: deque[Callable[[], None]] = deque()
        self._going = False
        self.spent_s = 0.0
        """CPU time of what was done in steps: no ticks are spaced for it, since that would not make it less."""

    def __len__(self) -> int:
        return len(self._line)

    def call(self, slice: Callable[[], None]) -> None:
        """Does it in a later turn of the loop, in which no other slice is done. It should take a millisecond or so."""
        self._line.append(slice)
        if not self._going:
            self._going = True
            asyncio.get_running_loop().call_soon(self._next)

    async def wait(self) -> None:
        """Returns when it is the caller's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call(partial(_begin, turn))
        await turn

    async def steps(self, work: Iterator[T | None]) -> T:
        """Goes through work that yields None at each step, one step a turn, and its result in the end."""
        for made in self._measured(work):
            if made is not None:
                return made
            await self.wait()
        raise AssertionError("the work has no end")

    async def through(self, work: Iterator[None]) -> None:
        """The same for work that ends without a result."""
        for _ in self._measured(work):
            await self.wait()

    def _measured(self, work: Iterator[T]) -> Iterator[T]:
        while True:
            began = thread_time()
            try:
                made = next(work)
            except StopIteration:
                return
            finally:
                self.spent_s += thread_time() - began
            yield made

    def _next(self) -> None:
        slice = self._line.popleft()
        try:
            slice()
        except Exception:
            log.exception("a slice of work failed")
        self._going = bool(self._line)
        if self._going:
            asyncio.get_running_loop().call_soon(self._next)


def _begin(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
