"""What goes in and out beside JSON: Yjs updates, state vectors, and how bodies and answers are documented."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from fastapi import Depends, Request

from collab.errors import BadUpdate, UnsupportedMediaType

BINARY = "application/octet-stream"
_BYTES = {"type": "string", "format": "binary"}


def media_type(request: Request) -> str:
    """The body's content type, without parameters, lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def update_body(request: Request) -> bytes:
    """The body of a call that takes only a Yjs update. Raises UnsupportedMediaType."""
    if media_type(request) != BINARY:
        raise UnsupportedMediaType(f"send the update as {BINARY}")
    return await request.body()


UpdateBody = Annotated[bytes, Depends(update_body)]
UPDATE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A Yjs V1 update, as `Y.encodeStateAsUpdate` or a document's `update` event gives it.",
        "content": {BINARY: {"schema": {**_BYTES, "format": "yjs-update"}}},
    }
}


def decode_vector(text: str | None) -> bytes | None:
    """A state vector from a query: base64url, padding optional. Raises BadUpdate."""
    if text is None:
        return None
    try:
        bare = text.rstrip("=")
        return base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadUpdate("`since` is not base64url") from None


def binary_answer(description: str, etag: bool = False) -> dict[str, Any]:
    """Documents an answer of bytes."""
    answer: dict[str, Any] = {"description": description, "content": {BINARY: {"schema": _BYTES}}}
    if etag:
        answer["headers"] = {"ETag": {"schema": {"type": "string"}, "description": '`"<lineage>.<seq>"`'}}
    return answer


def created(operation: str, **parameters: str) -> dict[int | str, dict[str, Any]]:
    """Documents a 201: where the thing is, and which call reads it with which values of this one."""
    return {
        201: {
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Where it is."}},
            "links": {operation: {"operationId": operation, "parameters": parameters}},
        }
    }
