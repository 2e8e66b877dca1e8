"""What a room wants done after a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collab.core.history import MERGED_BYTES
from collab.crdt.gate import Checked
from collab.crdt.merge import merge_tick
from collab.protocol.frames import frame
from collab.protocol.messages import encode_update
from collab.types import Entry

if TYPE_CHECKING:
    from collab.core.session import Session


class Effects:
    """One per room and tick; empty fields ask for nothing.

    `wire` goes to every live session but `skip` (the tick's sole author); `presence` goes to all;
    `entries` go to the journal; `updates` are the same, merged, for the other nodes once they are committed, and
    `presence_body` is what they are told of this node's people; `nudges`: whom of theirs to nudge.
    """

    __slots__ = ("entries", "nudges", "presence", "presence_body", "skip", "updates", "wire")

    def __init__(self) -> None:
        self.wire: bytes | None = None
        self.skip: Session | None = None
        self.presence: bytes | None = None
        self.presence_body: bytes | None = None
        self.nudges: bytes | None = None
        self.entries: list[Entry] = []
        self.updates: tuple[bytes, ...] = ()


def merged(updates: list[Checked]) -> tuple[bytes, ...]:
    """One update that holds them all; or all of them, where merging does not know how, or would cost too much."""
    if len(updates) > 1 and sum([len(update.raw) for update in updates]) > MERGED_BYTES and _is_dear(updates):
        return tuple(update.raw for update in updates)
    one = updates[0].raw if len(updates) == 1 else merge_tick(updates)
    return (one,) if one is not None else tuple(update.raw for update in updates)


def _is_dear(updates: list[Checked]) -> bool:
    """Whether merging would parse much: updates in several pieces have to be parsed again."""
    parsed = 0
    for update in updates:
        if update.text is None:
            size = len(update.raw)
            parsed += size if len(update.runs) > 1 else 0
            if size > MERGED_BYTES or parsed > MERGED_BYTES:
                return True
    return False


def wire_of(updates: tuple[bytes, ...]) -> bytes:
    """The frames that show them."""
    return b"".join([frame(encode_update(update)) for update in updates])
