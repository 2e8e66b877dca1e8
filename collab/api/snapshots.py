"""Snapshots: named, immutable states that people keep."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collab.api import etags
from collab.api.bodies import BINARY, binary_answer, created, media_type
from collab.api.deps import Readable, Target, Writable
from collab.api.etags import IfNoneMatch
from collab.api.idempotency import RepeatableDep
from collab.api.models import Cursor, Label, Metadata, changes_of, merge_patch_body
from collab.api.problems import LOADED, NAMED, answers
from collab.bus.base import Kind
from collab.crdt.clocks import Clocks
from collab.crdt.gate import check
from collab.errors import (
    BadRequest,
    BadUpdate,
    Conflict,
    DocumentFull,
    NotFound,
    Quarantined,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from collab.limits import DEFAULT
from collab.store.base import Head, Snapshot

router = APIRouter(prefix="/documents/{document}/snapshots", tags=["snapshots"])

EXAMPLE_ID = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
LATEST = "latest"
SnapshotName = Annotated[
    str,
    Path(
        alias="snapshot",
        description=f"The snapshot's id, or `{LATEST}` for the newest one.",
        examples=[LATEST, EXAMPLE_ID],
        json_schema_extra={"format": "snapshot-id"},
    ),
]


async def snapshot_id(target: Readable, snapshot: SnapshotName) -> str:
    """The id that the path means. Raises NotFound if there is no snapshot at all."""
    if snapshot != LATEST:
        return snapshot
    page = await target.parts.snapshots.list(target.document, 1)
    if not page.items:
        raise NotFound("this document has no snapshots")
    return page.items[0].id


SnapshotId = Annotated[str, Depends(snapshot_id)]


class NewSnapshot(BaseModel):
    """What a snapshot is kept with; everything may be left out."""

    model_config = ConfigDict(extra="forbid")

    label: Label | None = None
    metadata: Metadata = Field(default_factory=dict)


class SnapshotPatch(BaseModel):
    """A merge patch (RFC 7396): what is left out stays, null removes."""

    model_config = ConfigDict(extra="forbid")

    label: Label | None = None
    metadata: Metadata | None = None


class SnapshotDetails(BaseModel):
    """A snapshot's particulars."""

    id: str = Field(examples=[EXAMPLE_ID])
    document: str = Field(examples=["notes"])
    seq: int = Field(description="The document's seq when it was taken.", examples=[42])
    label: str | None = Field(examples=["before the review"])
    metadata: dict[str, Any] = Field(examples=[{"team": "a"}])
    created_by: str = Field(examples=["anonymous"])
    created_at: datetime
    bytes: int = Field(examples=[2048])


class SnapshotPage(BaseModel):
    """One page, newest first; `cursor` fetches the next one."""

    items: list[SnapshotDetails]
    cursor: str | None = None


def snapshot_details(snapshot: Snapshot) -> SnapshotDetails:
    """Shapes a snapshot of the store."""
    return SnapshotDetails(
        id=snapshot.id,
        document=snapshot.document,
        seq=snapshot.seq,
        label=snapshot.label,
        metadata=dict(snapshot.metadata),
        created_by=snapshot.created_by,
        created_at=snapshot.created_at,
        bytes=snapshot.size_bytes,
    )


async def snapshot_body(request: Request) -> NewSnapshot | bytes:
    """JSON or nothing: take one; bytes: keep this state."""
    kind, raw = media_type(request), await request.body()
    if kind == BINARY:
        return raw
    if not raw:
        return NewSnapshot()
    if kind != "application/json":
        raise UnsupportedMediaType(f"send JSON, or a state as {BINARY}")
    try:
        return NewSnapshot.model_validate_json(raw)
    except ValidationError as error:
        faults = error.errors()
        if faults[0]["type"] == "json_invalid":
            raise BadRequest(f"the body is not JSON: {faults[0]['msg']}") from None
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None


SNAPSHOT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/NewSnapshot"},
                "example": {"label": "before the review"},
            },
            BINARY: {"schema": {"type": "string", "format": "yjs-update"}},
        },
    }
}


@router.post(
    "",
    status_code=201,
    summary="Take a snapshot",
    openapi_extra=SNAPSHOT_BODY,
    responses={
        **created("read_snapshot", document="$request.path.document", snapshot="$response.body#/id"),
        **answers(*LOADED, Conflict, DocumentFull, TooLarge, UnsupportedMediaType, BadUpdate, Unprocessable),
    },
)
async def create_snapshot(
    target: Writable,
    body: Annotated[NewSnapshot | bytes, Depends(snapshot_body)],
    repeatable: RepeatableDep,
    request: Request,
    response: Response,
    label: Annotated[Label | None, Query(description="For an uploaded state; otherwise in the body.")] = None,
) -> SnapshotDetails:
    """Keeps the document as it is now, whatever happens to it later; or, sent as bytes, a state of yours.

    An uploaded state must be whole: it may come from a document of yours, or from a backup.
    """

    async def work() -> str:
        if isinstance(body, bytes):
            return (await keep_uploaded(target, body, label)).id
        return (await take(target, body.label, body.metadata)).id

    snapshot = await target.parts.snapshots.get(target.document, await repeatable.once(work))
    response.headers["Location"] = f"{request.scope['path']}/{snapshot.id}"
    return snapshot_details(snapshot)


async def take(target: Target, label: str | None, metadata: dict[str, Any]) -> Snapshot:
    """Keeps what the document holds now, everything that anybody sees included."""
    async with target.room() as slot:
        await target.parts.hub.durable(slot, slot.room.ledger.entered)
        state, seq = await target.parts.hub.reception.inspection.state(slot.room)
        return await _keep(target, Head(slot.room.lineage, seq), state, label, metadata)


async def keep_uploaded(target: Target, state: bytes, label: str | None) -> Snapshot:
    """Keeps a state that the caller sent. Raises BadUpdate, or Unprocessable if it is not whole."""
    if not Clocks().is_ready(check(state, target.parts.limits)):
        raise Unprocessable("the state depends on updates that it does not hold")
    return await _keep(target, await target.head(), state, label, {})


async def _keep(target: Target, head: Head, state: bytes, label: str | None, metadata: dict[str, Any]) -> Snapshot:
    """Raises LineageRetired if the document was purged, and made anew, since it stood there."""
    parts, by, lineage = target.parts, target.principal.id, head.lineage or None
    await parts.permissions.census.check_space(target.document)
    kept = await parts.snapshots.create(target.document, head.seq, state, label, metadata, by, lineage)
    target.tell("snapshot.create", snapshot=kept.id)
    slot = parts.hub.slots.get(target.document)
    if slot is not None:
        slot.tell("snapshot", kept.id)
    parts.hub.neighbours.tell(Kind.SNAPSHOT, target.document)
    return kept


@router.get("", summary="List snapshots", responses=answers(*NAMED, Unprocessable))
async def list_snapshots(
    target: Readable,
    limit: Annotated[int, Query(ge=1, le=DEFAULT.page_size_max, description="Most items in a page.")] = 100,
    cursor: Cursor = None,
) -> SnapshotPage:
    """Newest first."""
    page = await target.parts.snapshots.list(target.document, limit, cursor)
    return SnapshotPage(items=[snapshot_details(item) for item in page.items], cursor=page.cursor)


@router.get("/{snapshot}", summary="Read a snapshot's details", responses=answers(*NAMED, Quarantined))
async def read_snapshot(target: Readable, snapshot: SnapshotId) -> SnapshotDetails:
    """Without its state."""
    return snapshot_details(await target.parts.snapshots.get(target.document, snapshot))


@router.patch(
    "/{snapshot}",
    summary="Relabel a snapshot",
    openapi_extra=merge_patch_body("SnapshotPatch"),
    responses=answers(*NAMED, Quarantined, TooLarge, Unprocessable),
)
async def patch_snapshot(body: SnapshotPatch, target: Writable, snapshot: SnapshotId) -> SnapshotDetails:
    """A JSON merge patch (RFC 7396) of label and metadata; the state never changes."""
    return snapshot_details(await target.parts.snapshots.patch(target.document, snapshot, changes_of(body)))


@router.delete("/{snapshot}", status_code=204, summary="Delete a snapshot", responses=answers(*NAMED, Quarantined))
async def delete_snapshot(target: Writable, snapshot: SnapshotId) -> None:
    """For good."""
    await target.parts.snapshots.delete(target.document, snapshot)
    target.tell("snapshot.delete", snapshot=snapshot)


@router.get(
    "/{snapshot}/state",
    summary="Read a snapshot's state",
    response_class=Response,
    responses={
        200: binary_answer("A Yjs V1 update: the whole state.", etag=True),
        304: {"description": "You have it: a snapshot never changes."},
        **answers(*NAMED, Quarantined),
    },
)
async def read_snapshot_state(target: Readable, snapshot: SnapshotId, if_none_match: IfNoneMatch = None) -> Response:
    """Apply it to an empty document with `Y.applyUpdate`."""
    found = await target.parts.snapshots.get(target.document, snapshot)
    headers = {"ETag": etags.quoted(found.id), "Cache-Control": "private, max-age=31536000, immutable"}
    if etags.none_match(if_none_match, found.id):
        return Response(status_code=304, headers=headers)
    return Response(found.state, media_type=BINARY, headers=headers)
