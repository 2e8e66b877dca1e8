"""The newest updates that a room took, to know a relay by its bytes."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b

COUNT = 64
WHOLE = 1024  # bytes; larger ones are remembered by their hash


class Recent:
    """Bounded in memory whatever the updates are."""

    def __init__(self) -> None:
        self._traces: deque[bytes] = deque(maxlen=COUNT)

    def __contains__(self, update: bytes) -> bool:
        return _trace(update) in self._traces

    def add(self, update: bytes) -> None:
        """The room took it; the oldest is forgotten."""
        self._traces.append(update if len(update) <= WHOLE else _trace(update))


def _trace(update: bytes) -> bytes:
    return update if len(update) <= WHOLE else blake2b(update, digest_size=16).digest()
