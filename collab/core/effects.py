"""What a room wants done after a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collab.types import Entry

if TYPE_CHECKING:
    from collab.core.session import Session


class Effects:
    """One per room and tick; empty fields ask for nothing.

    `wire` goes to every live session but `skip` (the tick's sole author); `presence` goes to all;
    `entries` go to the journal; `update` is what the wire shows, for the bus once it is committed.
    """

    __slots__ = ("entries", "presence", "presence_body", "skip", "wire")

    def __init__(self) -> None:
        self.wire: bytes | None = None
        self.skip: Session | None = None
        self.presence: bytes | None = None
        self.presence_body: bytes | None = None
        self.entries: list[Entry] = []
