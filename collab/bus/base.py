"""The bus port: frames between nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from collab.types import DocumentId


@dataclass(frozen=True, slots=True)
class BusFrame:
    """What one node tells the others about one document.

    Either committed updates (first_seq..last_seq > 0, `payload` = the sync messages' update bytes) or presence
    (both 0, `payload` = an awareness body).
    """

    node: str
    document: DocumentId
    lineage: str
    first_seq: int
    last_seq: int
    payload: bytes


class Bus(Protocol):
    """At most once, unordered between documents, may drop; never blocks the caller; own frames are not delivered."""

    def publish(self, frame: BusFrame) -> None:
        """Hands the frame over; it leaves with the others of this tick."""

    async def subscribe(self, document: DocumentId, deliver: Callable[[BusFrame], None]) -> None:
        """Returns when frames published from now on will be delivered."""

    async def unsubscribe(self, document: DocumentId) -> None:
        """No more deliveries for this document."""

    async def ping(self) -> None:
        """Raises if the bus cannot be reached."""
