"""An event loop whose time jumps to the next timer: no thread, no file, no socket, no waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")
STEPS_MAX = 200_000  # loop turns of one run; a run that needs more is spinning


class Stuck(AssertionError):
    """Nothing can ever happen again, or far too much does."""


class Timer:
    """What call_soon and call_at return: as much of asyncio's handle as anybody asks for."""

    __slots__ = ("arguments", "call", "moment")

    def __init__(self, moment: float, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.moment = moment
        self.call: Callable[..., object] | None = call
        self.arguments = arguments

    def cancel(self) -> None:
        """It is not called any more."""
        self.call, self.arguments = None, ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.call is None

    def when(self) -> float:
        """Virtual seconds."""
        return self.moment


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's futures and tasks on a queue and a heap: a third of a simulation's time went into asyncio's own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._queue: deque[Timer] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: object = None) -> Timer:  # type: ignore[override]
        """In the next turn."""
        timer = Timer(self.now, callback, args)
        self._queue.append(timer)
        return timer

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: object = None) -> Timer:  # type: ignore[override]
        """When the clock has reached `when`; in the order of the calls where several have the same."""
        timer = Timer(when, callback, args)
        self._count += 1
        heappush(self._timers, (when, self._count, timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: object = None) -> Timer:  # type: ignore[override]
        """After `delay` seconds."""
        return self.call_at(self.now + delay, callback, *args)

    def _run_once(self) -> None:
        """One turn: waiting is moving the clock."""
        queue, timers = self._queue, self._timers
        if not queue and not self._stopping:  # type: ignore[attr-defined]
            while timers and timers[0][2].call is None:
                heappop(timers)
            if not timers:
                raise Stuck("everybody waits and no timer is set")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            queue.append(heappop(timers)[2])
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Stuck(f"{STEPS_MAX} turns of the loop")
        for _ in range(len(queue)):
            timer = queue.popleft()
            if timer.call is not None:
                self._call(timer)

    def _call(self, timer: Timer) -> None:
        try:
            assert timer.call is not None
            timer.call(*timer.arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.call_exception_handler({"message": f"in {timer.call}", "exception": error})

    def _process_events(self, event_list: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody else could wake this loop."""


@contextmanager
def _clocks(loop: VirtualLoop) -> Iterator[None]:
    """What the runtime takes for monotonic time, and for time spent, is the loop's."""
    with (
        patch("collab.hub.monotonic", loop.time),
        patch("collab.reception.monotonic", loop.time),
        patch("collab.reception.thread_time", loop.time),
        patch("collab.claims.time", SimpleNamespace(monotonic=loop.time)),
    ):
        yield


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, then cancels whatever is left."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        with _clocks(loop):
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
