"""Who may use a worker next: callers take turns, and none of them holds all workers or all of the line.

Whoever keeps asking for dear things waits behind themselves; somebody else's call finds a worker, or is the next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextvars import ContextVar

from collab.errors import Overloaded

caller: ContextVar[str | None] = ContextVar("caller", default=None)
"""For whom the calls of this task are made: a proven user's id; None for the server itself, or if nobody is known."""

NOBODY = ""  # nobody's id: ids are not empty
LINE_SHARE = 4  # one caller may fill a quarter of the line


class Places:
    """So many at once; those who wait are served in turn, each caller's own calls in their order."""

    def __init__(self, count: int, waiting_max: int) -> None:
        self.waiting = 0
        self._free = count
        self._each_max = max(1, count - 1)
        self._waiting_max = waiting_max
        self._busy: Counter[str] = Counter()
        self._lines: dict[str | None, deque[asyncio.Future[None]]] = {}  # the next to be served first

    async def take(self, who: str | None) -> None:
        """Waits for a place; give it back with `give_back`. Raises Overloaded if too many wait already."""
        if self._may(who) and not self._lines.get(who):
            self._hold(who)
            return
        line = self._lines.get(who, ())
        if self.waiting >= self._waiting_max or (who is not None and len(line) >= self._waiting_max // LINE_SHARE):
            raise Overloaded("too many calls wait for the content engine")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(who, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(who)
            elif who in self._lines:
                self._leave(who, turn)
            raise
        finally:
            self.waiting -= 1

    def give_back(self, who: str | None) -> None:
        """Whoever had the place does not need it any more."""
        self._free += 1
        if who is not None:
            self._busy[who] -= 1
            if not self._busy[who]:
                del self._busy[who]
        self._serve()

    def _may(self, who: str | None) -> bool:
        return self._free > 0 and (who is None or self._busy[who] < self._each_max)

    def _hold(self, who: str | None) -> None:
        self._free -= 1
        if who is not None:
            self._busy[who] += 1

    def _serve(self) -> None:
        while (who := next(filter(self._may, self._lines), NOBODY)) != NOBODY:
            line = self._lines.pop(who)
            turn = line.popleft()
            if line:
                self._lines[who] = line  # behind the others
            if not turn.done():  # or its caller has just given up
                self._hold(who)
                turn.set_result(None)

    def _leave(self, who: str | None, turn: asyncio.Future[None]) -> None:
        line = self._lines[who]
        if turn in line:
            line.remove(turn)
        if not line:
            del self._lines[who]
