"""What passes through one room, told to whoever watches: decoded, and without content unless that is asked for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from collab.core.session import Session
from collab.crdt.content import STRING, read_text
from collab.crdt.decode import decode as decode_update
from collab.crdt.gate import check
from collab.errors import CollabError
from collab.limits import Limits
from collab.protocol.frames import messages
from collab.protocol.messages import Kind, decode
from collab.slot import RoomEvent, Slot

HELD_MAX = 500  # lines that wait for a slow watcher; older ones are dropped and counted
CONTENT_CHARS_MAX = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One frame or event. `way` is "in" (from a socket), "out" (to all of them) or "room"; `at` Unix seconds."""

    at: float
    way: str
    what: str
    bytes: int
    session: str | None
    user: str | None
    detail: dict[str, Any]


class Trace:
    """Lines of one room while it is watched; bounded, so that no watcher can fill the memory."""

    def __init__(self, slot: Slot, limits: Limits, content: bool, clock: Callable[[], float] = time.time) -> None:
        self.dropped = 0
        self._slot = slot
        self._limits = limits
        self._content = content
        self._clock = clock
        self._held: deque[Line] = deque()
        self._more = asyncio.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Listens while the block runs."""
        self._slot.taps.add(self.pass_frame)
        try:
            with self._slot.listening(self.pass_event):
                yield
        finally:
            self._slot.taps.discard(self.pass_frame)

    async def lines(self) -> list[Line]:
        """Those that wait, oldest first; waits for one if there is none."""
        await self._more.wait()
        self._more.clear()
        held = list(self._held)
        self._held.clear()
        return held

    def pass_frame(self, session: Session | None, data: bytes) -> None:
        """A message from a session, or (None) the frames that all are shown. Never raises."""
        if session is not None:
            self._tell("in", *describe(data, self._limits, self._content), len(data), session)
        else:
            for message in messages(data):
                self._tell("out", *describe(message, self._limits, self._content), len(message), None)

    def pass_event(self, event: RoomEvent) -> None:
        """What the room tells its listeners."""
        if event.kind != "presence":  # its frame is told already
            self._tell("room", event.kind, {"seq": event.seq}, 0, None)

    def _tell(self, way: str, what: str, detail: dict[str, Any], size: int, session: Session | None) -> None:
        name, user = (session.id, session.principal.id) if session is not None else (None, None)
        if len(self._held) >= HELD_MAX:
            self._held.popleft()
            self.dropped += 1
        self._held.append(Line(self._clock(), way, what, size, name, user, detail))
        self._more.set()


def describe(data: bytes, limits: Limits, content: bool) -> tuple[str, dict[str, Any]]:
    """(kind, particulars) of a message; one that cannot be decoded is told as such. Never raises: it only looks on."""
    try:
        kind, body = decode(data)
        if kind in (Kind.UPDATE, Kind.STEP2):
            return kind.name.lower(), _update(body, limits, content)
    except CollabError as error:
        return "undecodable", {"error": error.detail}
    except Exception as error:
        return "undecodable", {"error": repr(error)}
    return kind.name.lower(), {"body_bytes": len(body)}


def _update(body: bytes, limits: Limits, content: bool) -> dict[str, Any]:
    """Of one that is too large to be read on the event loop only its size."""
    if len(body) > limits.inline_bytes_max:
        return {"body_bytes": len(body)}
    checked = check(body, limits)
    told: dict[str, Any] = {
        "adds": [f"{client}: {first}-{end - 1}" for client, first, end in checked.runs[:8]],
        "deletes": sum(end - first for _, first, end in checked.deletes),
        "structs": checked.count,
    }
    if content:
        told["text"] = _text(body)
    return told


def _text(body: bytes) -> str:
    found = decode_update(body)
    texts = [
        read_text(body, struct.body)[0].decode()
        for section in found.sections
        for struct in section.structs
        if struct.info & 31 == STRING
    ]
    return " ".join(texts)[:CONTENT_CHARS_MAX]
