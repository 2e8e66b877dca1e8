"""Small stand-ins for what sits at the edge of a unit: never for a database or a broker."""

from __future__ import annotations

from collections.abc import Callable

from collab.errors import CollabError
from collab.protocol.frames import messages


class Recorder:
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        self.wire: list[bytes] = []
        self.closed: CollabError | None = None
        self.pings = 0
        self.answered = self.heard = True
        self.holding = False
        self.on_write: Callable[[], None] = lambda: None

    def write(self, wire: bytes) -> None:
        self.wire.append(wire)
        self.on_write()

    def close(self, error: CollabError) -> None:
        self.closed = error

    def ping(self) -> None:
        self.pings += 1

    def refuse(self, error: CollabError) -> None:
        self.close(error)

    def hold(self) -> None:
        self.holding = True

    def go_on(self) -> None:
        self.holding = False

    def renew(self, token: bytes) -> None:
        """Nobody renews anything here."""

    def waiting_bytes(self) -> int:
        return 0

    def take(self) -> list[bytes]:
        """The messages since the last take."""
        wire, self.wire = self.wire, []
        return [message for chunk in wire for message in messages(chunk)]
