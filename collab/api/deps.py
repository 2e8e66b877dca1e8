"""What handlers ask for by type: the parts, the caller, a document they may touch, a loaded room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from collab.api.parts import Parts
from collab.errors import Gone, NotFound
from collab.limits import DEFAULT
from collab.slot import Slot
from collab.sockets.admission import document_id
from collab.store.base import Head
from collab.types import Access, DocumentId, Principal

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


def parts_of(request: Request) -> Parts:
    """The services behind this application."""
    return cast(Parts, request.app.state.parts)


async def caller(request: Request) -> Principal:
    """Who calls. Raises Unauthorized."""
    return await authenticate(request, stream=False)


async def authenticate(request: Request, stream: bool) -> Principal:
    """`stream`: the call opens an event stream, where browsers cannot set headers and tickets count too."""
    query = request.scope["query_string"].decode("latin-1")
    return await parts_of(request).door.authenticate(request.headers, query, stream)


PartsDep = Annotated[Parts, Depends(parts_of)]
Caller = Annotated[Principal, Depends(caller)]


@dataclass(frozen=True, slots=True)
class Target:
    """A document that the caller may touch. Whether it exists is another question: ask `head_of`."""

    parts: Parts
    document: DocumentId
    principal: Principal

    async def head(self) -> Head:
        """Where its log stands, by one indexed read. Raises NotFound or Gone."""
        return await head_of(self.parts, self.document)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Slot]:
        """Its room, loaded and pinned; the document must exist."""
        await self.head()
        slot = await self.parts.hub.open(self.document)
        try:
            yield slot
        finally:
            self.parts.hub.release(slot)


async def head_of(parts: Parts, document: DocumentId) -> Head:
    """Raises NotFound or Gone."""
    head = (await parts.log.heads([document])).get(document)
    if head is None:
        raise NotFound(f"there is no document {document!r}")
    if head.deleted:
        raise Gone(f"the document {document!r} was deleted")
    return head


async def readable(request: Request, document: EncodedId) -> Target:
    """The document of the path, which the caller may read."""
    return await _target(request, document, Access.READ)


async def writable(request: Request, document: EncodedId) -> Target:
    """The document of the path, which the caller may write."""
    return await _target(request, document, Access.WRITE)


async def watchable(request: Request, document: EncodedId) -> Target:
    """The document of the path, for an event stream."""
    return await _target(request, document, Access.READ, stream=True)


async def _target(request: Request, encoded: str, needed: Access, stream: bool = False) -> Target:
    parts = parts_of(request)
    document = document_id(encoded, parts.limits)
    principal = await authenticate(request, stream)
    parts.door.policy.require(principal, document, needed)
    return Target(parts, document, principal)


Readable = Annotated[Target, Depends(readable)]
Writable = Annotated[Target, Depends(writable)]
Watchable = Annotated[Target, Depends(watchable)]
