"""A document's bytes: whole or the difference to what the caller has; cheap polls and long polls."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from collab.api import etags
from collab.api.bodies import BINARY, binary_answer, decode_vector
from collab.api.deps import Readable, Target, seated
from collab.api.etags import IfNoneMatch
from collab.api.polls import unchanged
from collab.api.problems import LOADED, answers
from collab.errors import (
    BadUpdate,
    LineageRetired,
    Overloaded,
    Unprocessable,
)
from collab.limits import DEFAULT

router = APIRouter(prefix="/documents/{document}/state", tags=["state"])

Since = Annotated[
    str | None,
    Query(
        description="A Yjs state vector, base64url: only what it lacks is sent.",
        max_length=DEFAULT.state_vector_bytes_max,
        json_schema_extra={"format": "state-vector"},
        examples=["AA"],
    ),
]
Wait = Annotated[
    float,
    Query(ge=0, le=DEFAULT.wait_s_max, description="Long poll: seconds to wait for a version newer than the ETag's."),
]


@router.get(
    "",
    summary="Read the state, or poll for it",
    response_class=Response,
    responses={
        200: binary_answer("A Yjs V1 update: the whole document, or what `since` lacks.", etag=True),
        304: {"description": "Nothing newer.", "headers": {"ETag": {"schema": {"type": "string"}}}},
        **answers(*LOADED, LineageRetired, BadUpdate, Overloaded, Unprocessable),
    },
)
async def read_state(
    target: Readable, request: Request, since: Since = None, wait: Wait = 0.0, if_none_match: IfNoneMatch = None
) -> Response:
    """Apply the answer to a document with `Y.applyUpdate`; every part of it is committed.

    Poll with `If-None-Match`: an unchanged document costs one indexed read and is answered 304. With `wait` the answer
    comes the moment a newer version commits, or as 304 when the time is over; who waits counts as an open socket does.
    """
    head = await target.head()
    name = etags.version(head.lineage, head.seq)
    if etags.none_match(if_none_match, name):
        if not wait or not await _newer(target, request, head.lineage, head.seq, wait):
            return unchanged(name)
    return await _state(target, decode_vector(since))


async def _newer(target: Target, request: Request, lineage: str, seq: int, wait_s: float) -> bool:
    with seated(target, request):
        async with target.room() as slot:
            newer = slot.room.lineage != lineage or await target.parts.hub.beyond(slot, seq, wait_s) > seq
            target.parts.door.guard.still(target.principal, target.document, time.time())  # a minute may have passed
            return newer


async def _state(target: Target, vector: bytes | None) -> Response:
    async with target.room() as slot:
        room = slot.room
        body, seq = await target.parts.hub.reception.inspection.state(room, vector)
        headers = {"ETag": etags.quoted(etags.version(room.lineage, seq)), "Cache-Control": "no-cache"}
    return Response(body, media_type=BINARY, headers=headers)
