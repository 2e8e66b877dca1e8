"""Documents as things with a name: create, list, read, rename, delete, bring back, purge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from secrets import randbelow
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from uuid_utils import uuid7

from collab.api.bodies import created
from collab.api.content import WORK, Form, Kind
from collab.api.deps import ID_SCHEMA, Caller, PartsDep, Readable, Target, Writable
from collab.api.erasure import erase
from collab.api.etags import version
from collab.api.idempotency import RepeatableDep
from collab.api.listing import Wanted, visible
from collab.api.models import Cursor, Metadata, Title, changes_of, merge_patch_body
from collab.api.parts import Parts
from collab.api.problems import ALWAYS, LOADED, NAMED, answers
from collab.errors import (
    BadRequest,
    Conflict,
    Gone,
    TooLarge,
    Unprocessable,
)
from collab.limits import DEFAULT
from collab.sockets.admission import checked_id
from collab.store.base import Document
from collab.types import Access, DocumentId, Principal

router = APIRouter(prefix="/documents", tags=["documents"])
ROOTS_MAX = 32
RootName = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"format": "text"})]


class NewRoot(BaseModel):
    """First content of a root type."""

    model_config = ConfigDict(extra="forbid")

    type: Kind = Field(examples=["text"])
    format: Form | None = Field(None, description="`text` of a text, else `json`, if not given.")
    value: JsonValue = Field(description="A string, unless the format is `json`.", examples=["hello"])

    def body(self) -> bytes:
        """As a PUT of the content would send it. Raises Unprocessable."""
        if self.format == "json" or (self.format is None and self.type != "text"):
            return json.dumps(self.value).encode()
        if not isinstance(self.value, str):
            raise Unprocessable(f"content of a {self.type} is a string, unless its format is json")
        try:
            return self.value.encode()
        except UnicodeEncodeError:
            raise Unprocessable("the content holds half a surrogate pair, which is no text") from None


class NewDocument(BaseModel):
    """What a document is created with; everything may be left out."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str | None, Field(json_schema_extra=ID_SCHEMA, examples=["notes"])] = None
    title: Title | None = None
    metadata: Metadata = Field(default_factory=dict)
    content: Annotated[dict[RootName, NewRoot], Field(max_length=ROOTS_MAX)] = Field(default_factory=dict)


class DocumentPatch(BaseModel):
    """A merge patch (RFC 7396): what is left out stays, null removes."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    metadata: Metadata | None = None


class DocumentDetails(BaseModel):
    """A document's particulars. `version` in quotes is the entity tag of its state and content."""

    id: str = Field(examples=["notes"])
    title: str | None = Field(examples=["Minutes of May"])
    metadata: dict[str, Any] = Field(examples=[{"team": "a"}])
    version: str = Field(description="`<lineage>.<seq>`", examples=["9f86d081884c7d65.42"])
    lineage: str = Field(description="Another one means another document under the same id.")
    seq: int = Field(ge=0, description="How many updates are in its log.", examples=[42])
    bytes: int = Field(ge=0, description="What its log and checkpoint take up.", examples=[2048])
    online: int = Field(ge=0, description="Sockets open, on all nodes.", examples=[2])
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    squashed_seq: int = Field(0, ge=0, description="Updates up to this one are no longer kept one by one.")
    quarantine: str | None = Field(None, description="Why it is read-only, if stored bytes failed their check.")


class DocumentPage(BaseModel):
    """One page; `cursor` fetches the next one."""

    items: list[DocumentDetails]
    cursor: str | None = None


async def details(parts: Parts, document: Document) -> DocumentDetails:
    """Shapes a document of the catalog."""
    return (await details_of(parts, [document]))[0]


async def details_of(parts: Parts, documents: Sequence[Document]) -> list[DocumentDetails]:
    """The same of several."""
    present = await parts.hub.neighbours.roster.ask_all([document.id for document in documents])
    return [shaped(document, present[document.id].sockets) for document in documents]


def shaped(document: Document, online: int) -> DocumentDetails:
    """With so many sockets open."""
    return DocumentDetails(
        id=document.id,
        title=document.title,
        metadata=dict(document.metadata),
        version=version(document.lineage, document.seq),
        lineage=document.lineage,
        seq=document.seq,
        bytes=document.bytes_stored,
        online=online,
        created_at=document.created_at,
        updated_at=document.updated_at,
        deleted_at=document.deleted_at,
        squashed_seq=document.squashed_seq,
        quarantine=document.quarantine,
    )


@router.post(
    "",
    status_code=201,
    summary="Create a document",
    responses={
        **created("read_document", document="$response.body#/id"),
        **answers(*LOADED, *WORK, Conflict, TooLarge),
    },
)
async def create_document(
    body: NewDocument, parts: PartsDep, principal: Caller, repeatable: RepeatableDep, response: Response
) -> DocumentDetails:
    """Creates it, empty or with content; without an `id` one is chosen (UUIDv7).

    Documents also come into being when the first socket writes to them; this call is for those who want a title,
    metadata, first content, or to be sure that the id was free.
    """

    async def work() -> str:
        document = checked_id(body.id, parts.limits) if body.id is not None else str(uuid7())
        parts.door.require(principal, document, Access.WRITE)
        return await born(parts, document, body, principal)

    document = await repeatable.once(work)
    parts.door.require(principal, document, Access.READ)  # a repeated call did no work, so nobody has asked
    response.headers["Location"] = f"/api/documents/{quote(document, safe='')}"
    return await details(parts, await parts.catalog.get(document))


async def born(parts: Parts, document: DocumentId, body: NewDocument, principal: Principal) -> str:
    """Creates the document; its first content is made before, so that what cannot be made creates nothing."""
    made: list[bytes] = []
    client_id = randbelow(2**32 - 1) + 1
    for name, root in body.content.items():
        update = await parts.engine.write(made, client_id, root.body(), name, root.type, root.format)
        made += [update] if update is not None else []
    await parts.permissions.census.check()
    created = await parts.catalog.create(document, body.title, body.metadata)
    if made:
        async with Target(parts, document, principal).room() as slot:
            for update in made:
                await parts.hub.submit(slot, update, principal.id)
    parts.permissions.audit.tell("document.create", principal, document)
    return created.id


@router.get("", summary="List documents", responses=answers(*ALWAYS, BadRequest, Unprocessable))
async def list_documents(
    request: Request,
    parts: PartsDep,
    principal: Caller,
    limit: Annotated[int, Query(ge=1, le=DEFAULT.page_size_max, description="Most items in a page.")] = 100,
    cursor: Cursor = None,
    prefix: Annotated[str, Query(description="Only ids that begin like this.", examples=["team-a/"])] = "",
    deleted: Annotated[bool, Query(description="Soft-deleted ones as well.")] = False,
) -> DocumentPage:
    """Pages by id, stable while documents are written, created and deleted. Only what the caller may read is listed.

    `metadata.KEY=VALUE` (any number of them, e.g. `metadata.team=a`) keeps those whose top-level metadata has this
    string under this key.
    """
    wanted = {k.removeprefix("metadata."): v for k, v in request.query_params.items() if k.startswith("metadata.")}
    asked = Wanted(limit, cursor, prefix, wanted or None, deleted)
    page = await visible(parts.catalog, parts.door.policy, principal, asked)
    return DocumentPage(items=await details_of(parts, page.items), cursor=page.cursor)


@router.get("/{document}", summary="Read a document's details", responses=answers(*NAMED))
async def read_document(target: Readable) -> DocumentDetails:
    """Title, metadata, version, size, times, and how many sockets are open."""
    return await details(target.parts, await target.parts.catalog.get(target.document))


@router.head("/{document}", summary="Ask whether a document exists", responses=answers(*NAMED))
async def probe_document(target: Readable) -> Response:
    """The same without the body, by one indexed read."""
    await target.head()
    return Response(media_type="application/json")


@router.patch(
    "/{document}",
    summary="Rename a document, change its metadata",
    responses=answers(*NAMED, TooLarge, Unprocessable),
    openapi_extra=merge_patch_body("DocumentPatch"),
)
async def patch_document(body: DocumentPatch, target: Writable) -> DocumentDetails:
    """A JSON merge patch (RFC 7396): what is left out stays, null removes, objects are merged."""
    return await details(target.parts, await target.parts.catalog.patch(target.document, changes_of(body)))


@router.delete(
    "/{document}",
    status_code=204,
    summary="Delete a document, softly or for good",
    responses=answers(*NAMED),
)
async def delete_document(
    target: Writable,
    purge: Annotated[bool, Query(description="Erase it: log, checkpoints, snapshots. This cannot be undone.")] = False,
) -> None:
    """Soft deletion hides it and ends its sockets (close code 4410); `undelete` brings it back.

    A purge leaves nothing but the ids of the CRDT clients that wrote in it, so that a copy which comes back from a
    week offline is refused (code `lineage_retired`, close code 4411) instead of bringing the content back.
    """
    if purge:
        await erase(target.parts, target.document)
        target.tell("document.purge")
        return
    await target.head()
    await target.parts.catalog.set_deleted(target.document, True)
    target.parts.hub.end(target.document, Gone())
    target.tell("document.delete")


@router.post("/{document}/undelete", summary="Bring a soft-deleted document back", responses=answers(*NAMED))
async def undelete_document(target: Writable) -> DocumentDetails:
    """Does nothing to one that is not deleted."""
    document = await target.parts.catalog.set_deleted(target.document, False)
    target.tell("document.undelete")
    return await details(target.parts, document)
