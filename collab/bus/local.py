"""The bus of a single node: nobody else is listening."""

from __future__ import annotations

from collections.abc import Callable

from collab.bus.base import BusFrame
from collab.types import DocumentId


class LocalBus:
    """Satisfies the Bus port for one process; several hubs in one test may share one instance."""

    def __init__(self) -> None:
        self._subscribers: dict[DocumentId, list[Callable[[BusFrame], None]]] = {}

    def publish(self, frame: BusFrame) -> None:
        """Delivers to the other subscribers at once; each ignores its own node's frames."""
        for deliver in self._subscribers.get(frame.document, ()):
            deliver(frame)

    async def subscribe(self, document: DocumentId, deliver: Callable[[BusFrame], None]) -> None:
        """Frames published from now on are delivered."""
        self._subscribers.setdefault(document, []).append(deliver)

    async def unsubscribe(self, document: DocumentId) -> None:
        """Drops all subscriptions of the document."""
        self._subscribers.pop(document, None)

    async def ping(self) -> None:
        """Always reachable."""
