"""One line per request and per socket, written in batches beside the work.

A request only appends to a queue; lines are shaped, cleaned of secrets and written a few times a second. What does not
fit into the queue is counted in the next line.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import orjson

QUEUE_MAX = 50_000
EVERY_S = 0.25


class AccessLog:
    """Takes events from anywhere on the node; without a `write` it takes nothing."""

    def __init__(
        self,
        write: Callable[[str], object] | None = None,
        scrub: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`scrub` takes the secrets out of every text; `clock`: Unix seconds."""
        self._write = write
        self._scrub = scrub
        self._clock = clock
        self._queue: deque[tuple[float, str, dict[str, object]]] = deque()
        self._dropped = 0

    def tell(self, event: str, **fields: object) -> None:
        """Fields that are None are left out of the line."""
        if self._write is None:
            return
        if len(self._queue) >= QUEUE_MAX:
            self._dropped += 1
            return
        self._queue.append((self._clock(), event, fields))

    async def run(self) -> None:
        """Forever, until cancelled; what is queued then is written."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                if self._queue:
                    await asyncio.to_thread(self.flush)  # whoever reads the log may be slow, and must not slow us
        finally:
            self.flush()

    def flush(self) -> None:
        """Writes what is queued."""
        if self._write is None or not self._queue:
            return
        lines = [self._line(*each) for each in self._taken()]
        self._dropped = 0
        self._write("".join(lines))

    def _taken(self) -> Iterator[tuple[float, str, dict[str, object]]]:
        """What is queued, each to one: when the log ends a thread may be at it, too."""
        with suppress(IndexError):
            for _ in range(len(self._queue)):
                yield self._queue.popleft()

    def _line(self, at: float, event: str, fields: dict[str, object]) -> str:
        shown: dict[str, object] = {"event": event, "level": "info"}
        shown["timestamp"] = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        for name, value in fields.items():
            if value is not None:
                shown[name] = self._scrub(_plain(value)) if isinstance(value, str) else value
        if self._dropped:
            shown["missing_before"] = self._dropped
        # JSON escapes control characters, so that nothing that callers send can start a second line
        return orjson.dumps(shown, default=str).decode() + "\n"


def _plain(text: str) -> str:
    """What JSON can hold: no lone surrogates, and nothing endless."""
    return text[:1000].encode("utf-8", "replace").decode()
