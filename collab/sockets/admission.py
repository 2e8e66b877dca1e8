"""What both socket shells do before a socket opens: name, caller, access, a loaded room."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol
from urllib.parse import unquote_to_bytes

from collab.core.session import Outbox, Session
from collab.errors import BadRequest, NotFound, Overloaded, StorageUnavailable
from collab.hub import Hub
from collab.limits import Limits
from collab.metrics import Refusals
from collab.slot import Slot
from collab.types import Access, DocumentId, Principal

MOUNT = "/sync/"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request to open a socket. `path` is raw (percent-encoded), header names are lower case.

    `headers` keeps every value: which of two counts is a question that attackers answer differently.
    `peer` is None for a Unix socket.
    """

    path: str
    query: str
    headers: Mapping[str, Sequence[str]]
    peer: str | None
    secure: bool = False

    def values(self, name: str) -> Sequence[str]:
        """Every value of a header."""
        return self.headers.get(name, ())

    @property
    def subprotocols(self) -> list[str]:
        """What the client offers; it fails the connection unless one of them is selected."""
        offered = ",".join(self.values("sec-websocket-protocol"))
        return [name.strip() for name in offered.split(",") if name.strip()]


class Doorman(Protocol):
    """Decides who may open a socket on a document."""

    async def admit(self, upgrade: Upgrade, document: DocumentId) -> tuple[Principal, Access, str | None]:
        """Returns (who, access of at least READ, selected subprotocol). Raises Unauthorized, Forbidden, NotFound."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A pinned room and what the caller may do in it."""

    slot: Slot
    principal: Principal
    access: Access
    subprotocol: str | None


def document_id(encoded: str, limits: Limits) -> DocumentId:
    """Decodes a percent-encoded id once. Slashes are part of it, `a%2Fb` and `a/b` are the same one."""
    try:
        document = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        raise BadRequest("the document id is not UTF-8") from None
    if not 0 < len(document) <= limits.document_id_chars_max:
        raise BadRequest(f"a document id has 1 to {limits.document_id_chars_max} characters")
    if not document.isprintable():
        raise BadRequest("a document id holds printable characters only")
    if document in (".", ".."):
        raise BadRequest("URL clients resolve . and .. away, so they cannot be document ids")
    return document


class Sockets:
    """Everything the shells share: the hub, the doorman, ceilings and counts."""

    def __init__(self, hub: Hub, doorman: Doorman, limits: Limits, refusals: Refusals) -> None:
        self.hub = hub
        self.doorman = doorman
        self.limits = limits
        self.refusals = refusals

    async def admit(self, upgrade: Upgrade) -> Admission:
        """Names, authorises and opens; the room stays pinned until the session leaves. Bounded in time."""
        if not upgrade.path.startswith(MOUNT):
            raise NotFound("sockets live under /sync/{document}")
        document = document_id(upgrade.path[len(MOUNT) :], self.limits)
        try:
            async with asyncio.timeout(self.limits.handshake_s):
                principal, access, subprotocol = await self.doorman.admit(upgrade, document)
                slot = await self.hub.open(document)
        except TimeoutError:
            raise StorageUnavailable("opening the document took too long") from None
        if self.hub.counters.sockets >= self.limits.sessions_max or (
            len(slot.room.sessions) >= self.limits.sessions_per_document_max
        ):
            self.hub.release(slot)
            raise Overloaded("too many connections")
        return Admission(slot, principal, access, subprotocol)

    def join(self, admission: Admission, outbox: Outbox) -> Session:
        """The socket is open: greet it and let it take part."""
        session = Session(token_hex(6), admission.principal, admission.access, outbox, self.limits)
        self.hub.join(admission.slot, session)
        return session
