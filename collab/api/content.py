"""A document's content as text, JSON or XML, for clients that do not speak Yjs; edits are merged with what people type.

The formats themselves live in `collab/engine/formats.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from collab.api import etags
from collab.api.bodies import media_type
from collab.api.deps import Readable, Target, Writable
from collab.api.etags import IfMatch, IfNoneMatch
from collab.api.idempotency import RepeatableDep
from collab.api.models import Json
from collab.api.polls import unchanged
from collab.api.problems import LOADED, answers
from collab.api.updates import Committed, committed
from collab.errors import (
    Conflict,
    DocumentFull,
    EngineUnavailable,
    LineageRetired,
    Overloaded,
    PreconditionFailed,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from collab.guarded import Make

router = APIRouter(prefix="/documents/{document}/content", tags=["content"])

WORK = (EngineUnavailable, Overloaded, Unprocessable)
"""What a call that needs the engine may answer besides."""
EDIT = (*LOADED, *WORK, Conflict, LineageRetired, PreconditionFailed, DocumentFull, TooLarge)
FORMAT_OF = {"text/plain": "text", "application/json": "json", "application/xml": "xml", "text/xml": "xml"}

Kind = Literal["text", "map", "array", "xml"]
Form = Literal["text", "json", "xml"]
Root = Annotated[
    str | None,
    Query(
        description="Name of the root type, as the editor uses it; may be left out if there is only one.",
        max_length=200,
        examples=["default"],
        json_schema_extra={"format": "text"},
    ),
]
RootType = Annotated[
    Kind | None, Query(alias="type", description="What the root is; inferred from its content where that can be.")
]
TEXT = {"type": "string"}
SHOWN: dict[str, Any] = {
    "description": "The content.",
    "content": {
        "application/json": {"schema": {}},
        "text/plain": {"schema": TEXT},
        "application/xml": {"schema": TEXT},
    },
    "headers": {"ETag": {"schema": TEXT, "description": '`"<lineage>.<seq>"`'}},
}
PUT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The whole new content of the root.",
        "content": {
            "text/plain": {"schema": {**TEXT, "format": "text"}, "example": "hello world"},
            "application/json": {"schema": {}, "example": {"title": "Minutes"}},
            "application/xml": {"schema": TEXT, "example": "<paragraph>hello</paragraph>"},
        },
    }
}


class Operation(BaseModel):
    """One change: at a position, at a quoted text, or at a JSON pointer; `collab/engine/patch.py` has the table."""

    model_config = ConfigDict(extra="forbid")

    op: Literal["insert", "delete", "replace", "set", "remove"]
    root: Annotated[str | None, Field(description="Instead of the query's.", max_length=200)] = None
    type: Kind | None = None
    index: Annotated[int | None, Field(ge=0, le=2**31 - 1, description="Code points from the start.")] = None
    length: Annotated[int | None, Field(ge=0, le=2**31 - 1, description="Code points.")] = None
    find: Annotated[str | None, Field(description="The text to act on, quoted.")] = None
    occurrence: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="Which one, if it occurs often.")] = None
    where: Literal["before", "after"] | None = None
    text: str | None = None
    attributes: dict[str, Json] | None = None
    pointer: Annotated[str | None, Field(description="JSON pointer (RFC 6901).", examples=["/todo/0"])] = None
    value: Json = None


class Edited(Committed):
    """Where an edit ended up; `changed` is False if the content was so already."""

    changed: bool


@router.get(
    "",
    summary="Read the content",
    response_class=Response,
    responses={200: SHOWN, 304: {"description": "Nothing newer."}, **answers(*LOADED, *WORK)},
)
async def read_content(
    target: Readable,
    root: Root = None,
    type: RootType = None,
    format: Annotated[Form | None, Query(description="`text` of a text, else `json`, if not given.")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One root as text, JSON or XML; or, with no parameter at all, everything as one JSON object.

    XML fragments (Tiptap, ProseMirror) read as XML, or as ProseMirror's JSON. A text as `json` is a Quill delta.
    """
    head = await target.head()
    name = etags.version(head.lineage, head.seq)
    if etags.none_match(if_none_match, name):
        return unchanged(name)
    async with target.room() as slot:
        state, seq = await target.parts.hub.reception.inspection.state(slot.room)
        name = etags.version(slot.room.lineage, seq)
    return await show(target, state, root, type, format, {"ETag": etags.quoted(name), "Cache-Control": "no-cache"})


async def show(
    target: Target, state: bytes, root: str | None, kind: str | None, form: str | None, headers: Mapping[str, str]
) -> Response:
    """The content of a state as an answer."""
    engine = target.parts.engine
    if root is None and kind is None and form is None:
        return Response(await engine.read_all([state]), media_type="application/json", headers=headers)
    shown = await engine.read([state], root, kind, form)
    return Response(shown.body, media_type=shown.media_type, headers=headers)


async def body_format(request: Request) -> str:
    """What the body is written in. Raises UnsupportedMediaType."""
    found = FORMAT_OF.get(media_type(request))
    if found is None:
        raise UnsupportedMediaType(f"send one of {', '.join(FORMAT_OF)}")
    return found


@router.put(
    "",
    summary="Replace the content of a root",
    openapi_extra=PUT_BODY,
    responses=answers(*EDIT, UnsupportedMediaType),
)
async def put_content(
    target: Writable,
    form: Annotated[str, Depends(body_format)],
    request: Request,
    root: Root = None,
    type: RootType = None,
    if_match: IfMatch = None,
) -> Edited:
    """The new content is turned into the smallest edits that reach it, merged live with what people type.

    A word changed in a text is one small edit and moves nobody's cursor. A root that is not there yet needs `type`.
    """
    body = await request.body()
    return await edit(
        target, if_match, lambda parts, client: target.parts.engine.write(parts, client, body, root, type, form)
    )


@router.patch("", summary="Edit the content", responses=answers(*EDIT))
async def patch_content(
    operations: Annotated[list[Operation], Field(max_length=1000)],
    target: Writable,
    repeatable: RepeatableDep,
    root: Root = None,
    type: RootType = None,
    if_match: IfMatch = None,
) -> Edited:
    """Operations in order, each seeing what those before it did; all of them are done, or none.

    * `insert` `{index, text}`, or `{find, where, text}` before or after a quoted text
    * `delete`, `replace` `{index, length}` or `{find}`, and for `replace` the new `text`
    * `set`, `remove`, `insert` `{pointer, value}` by JSON pointer, in maps, arrays and XML's JSON

    Positions and lengths count code points. A quoted text that occurs often needs `occurrence`.
    """
    named = {name: value for name, value in (("root", root), ("type", type)) if value is not None}
    todo = [named | operation.model_dump(exclude_unset=True) for operation in operations]

    async def work() -> str:
        done = await edit(target, if_match, lambda parts, client: target.parts.engine.patch(parts, client, todo))
        return f"{int(done.changed)}{done.version}"

    reference = await repeatable.once(work)
    return Edited(**committed(reference[1:]).model_dump(), changed=reference[0] == "1")


async def edit(target: Target, if_match: str | None, make: Make) -> Edited:
    """Makes an edit of the document as it is now and sends it the way of all updates.

    With If-Match what people typed a moment ago counts, and of several writers on any nodes one wins.
    """
    async with target.room() as slot:
        seq, changed = await target.parts.hub.edit(slot, target.principal.id, make, etags.condition(if_match))
        return Edited(seq=seq, version=etags.version(slot.room.lineage, seq), changed=changed)
