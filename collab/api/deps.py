"""What handlers ask for by type: the parts, the caller, a document they may touch, a loaded room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from collab.api.parts import Parts
from collab.api.reception import visit_of
from collab.auth.proxies import UNKNOWN
from collab.engine.places import caller as engine_caller
from collab.errors import Gone, NotFound
from collab.limits import DEFAULT
from collab.slot import Slot
from collab.sockets.admission import document_id
from collab.store.base import UNBORN, Head
from collab.types import Access, DocumentId, Principal, Scope

ID_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": DEFAULT.document_id_chars_max,
    "format": "document-id",
}
EncodedId = Annotated[
    str,
    Path(
        alias="document",
        description=(
            "The document's id, percent-encoded, `/` included (`a%2Fb` is the id `a/b`): 1 to "
            f"{DEFAULT.document_id_chars_max} printable characters."
        ),
        json_schema_extra=ID_SCHEMA,
        examples=["notes"],
    ),
]


async def parts_of(request: Request) -> Parts:
    """The services behind this application. A coroutine, because plain dependencies are run in threads."""
    return cast(Parts, request.app.state.parts)


PartsDep = Annotated[Parts, Depends(parts_of)]


async def caller(request: Request, parts: PartsDep) -> Principal:
    """Who calls. Raises Unauthorized."""
    return await parts.door.authenticate(request)


async def stream_caller(request: Request, parts: PartsDep) -> Principal:
    """Who opens an event stream: browsers cannot set headers there, so the query may carry a ticket."""
    return await parts.door.authenticate(request, stream=True)


async def admin(parts: PartsDep, request: Request) -> Principal:
    """Who calls, and may do everything. Raises Unauthorized, Forbidden."""
    principal = await parts.door.authenticate(request)
    parts.door.guard.require_scope(principal, Scope.ADMIN)
    return principal


AdminDep = Annotated[Principal, Depends(admin)]
Caller = Annotated[Principal, Depends(caller)]
StreamCaller = Annotated[Principal, Depends(stream_caller)]


@dataclass(frozen=True, slots=True)
class Target:
    """A document that the caller may touch. Whether it exists is another question: ask `head_of`."""

    parts: Parts
    document: DocumentId
    principal: Principal

    def tell(self, action: str, **detail: str | None) -> None:
        """Writes into the audit what was done."""
        self.parts.permissions.audit.tell(action, self.principal, self.document, None, **detail)

    async def head(self) -> Head:
        """Where its log stands, by one indexed read or none. Raises NotFound or Gone."""
        return await head_of(self.parts, self.document)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Slot]:
        """Its room, loaded and pinned; the document must exist."""
        head = await self.head()
        slot = await self._open(head)
        try:
            if slot.room.lineage == UNBORN:  # the document was made since its room was opened
                await self._name(slot)
            if head.seq > slot.room.ledger.seq and not self.parts.alone:  # another node's commit, not heard yet
                await self.parts.hub.neighbours.gaps.reach(slot, head.seq)
            yield slot
        finally:
            self.parts.hub.release(slot)

    async def _name(self, slot: Slot) -> None:
        """Gives the room the lineage that its document has by now, as its first commit would."""
        head = await self.head()
        if slot.room.lineage == UNBORN and slot.failed is None:
            slot.room.lineage = head.lineage

    async def _open(self, head: Head) -> Slot:
        hub = self.parts.hub
        slot = await hub.open(self.document)
        if not self.parts.alone and slot.room.lineage not in (UNBORN, head.lineage):
            try:  # purged and made anew on another node, not heard yet: the old room must answer nothing
                await hub.neighbours.gaps.look([slot])
            finally:
                hub.release(slot)
            slot = await hub.open(self.document)
        return slot


@dataclass(frozen=True, slots=True)
class Watched:
    """A document and its room."""

    target: Target
    slot: Slot


async def head_of(parts: Parts, document: DocumentId) -> Head:
    """Raises NotFound or Gone."""
    slot = parts.hub.slots.get(document) if parts.alone else None
    if slot is not None and slot.room.ledger.seq and slot.failed is None:
        return Head(slot.room.lineage, slot.room.ledger.seq)
    head = (await parts.log.heads([document])).get(document)
    if head is None:
        raise NotFound(f"there is no document {document!r}")
    if head.deleted:
        raise Gone(f"the document {document!r} was deleted")
    return head


async def readable(document: EncodedId, parts: PartsDep, principal: Caller) -> Target:
    """The document of the path, which the caller may read."""
    return _target(document, parts, principal, Access.READ)


async def writable(document: EncodedId, parts: PartsDep, principal: Caller) -> Target:
    """The document of the path, which the caller may write."""
    return _target(document, parts, principal, Access.WRITE)


async def watched(
    document: EncodedId, request: Request, parts: PartsDep, principal: StreamCaller
) -> AsyncIterator[Watched]:
    """The document of the path, for an event stream; its room stays pinned until the stream has ended.

    A stream takes a seat as a socket does. Raises Overloaded.
    """
    target = _target(document, parts, principal, Access.READ)
    async with target.room() as slot:
        with seated(target, request):
            yield Watched(target, slot)


@contextmanager
def seated(target: Target, request: Request) -> Iterator[None]:
    """A call that may last takes a seat as a socket does. Raises Overloaded."""
    seats = target.parts.seats
    seat = seats.take(target.principal, visit_of(request.scope).address or UNKNOWN)
    try:
        yield
    finally:
        seats.give_back(seat)


def _target(encoded: str, parts: Parts, principal: Principal, needed: Access) -> Target:
    document = document_id(encoded, parts.limits)
    parts.door.require(principal, document, needed)
    engine_caller.set(None if principal.kind == "open" else principal.id)
    return Target(parts, document, principal)


Readable = Annotated[Target, Depends(readable)]
Writable = Annotated[Target, Depends(writable)]
WatchedDep = Annotated[Watched, Depends(watched)]
