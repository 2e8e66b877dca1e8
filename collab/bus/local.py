"""The bus of a single node: nobody else is listening."""

from __future__ import annotations

from collab.bus.base import BusFrame, Deliver
from collab.types import DocumentId


class LocalBus:
    """Satisfies the Bus port within one process: `others` are the buses of further hubs, if a test has any.

    Nodes that share a database but no bus find each other's edits in the log, hence `up` is False: they look often.
    """

    up = False
    losses = 0

    def __init__(self, others: list[LocalBus] | None = None) -> None:
        """`others` is shared by all of them; this bus joins it."""
        self._others = [] if others is None else others
        self._others.append(self)
        self._documents: set[DocumentId] = set()
        self._deliver: Deliver = lambda frame: None

    def listen(self, deliver: Deliver) -> None:
        """See the port."""
        self._deliver = deliver

    def publish(self, frame: BusFrame) -> None:
        """Delivers to the other hubs at once."""
        for bus in self._others:
            if bus is not self and frame.document in bus._documents:
                bus._deliver(frame)

    async def subscribe(self, document: DocumentId) -> None:
        """See the port."""
        self._documents.add(document)

    def unsubscribe(self, document: DocumentId) -> None:
        """See the port."""
        self._documents.discard(document)
