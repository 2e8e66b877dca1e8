"""An event loop whose time jumps to the next timer: no thread, no file, no socket, no waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
STEPS_MAX = 200_000  # loop turns of one run; a run that needs more is spinning


class Stuck(AssertionError):
    """Nothing can ever happen again, or far too much does."""


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own scheduling, with a selector that waits for nothing but the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._selector = self

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def select(self, timeout: float | None) -> list[object]:
        """What BaseEventLoop calls once per turn: waiting is moving the clock."""
        self.steps += 1
        if timeout is None:
            raise Stuck("everybody waits and no timer is set")
        if self.steps > STEPS_MAX:
            raise Stuck(f"{STEPS_MAX} turns of the loop")
        if timeout > 0.0:
            self.now += timeout
        return []

    def _process_events(self, event_list: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else could wake this loop."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, then cancels whatever is left."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.set_exception_handler(lambda _, context: None)  # what is torn down may complain
        for _ in range(5):
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if not left:
                break
            loop.run_until_complete(asyncio.wait(left, timeout=10.0))
        asyncio.set_event_loop(None)
        loop.close()
