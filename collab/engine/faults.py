"""Errors across the pipe: by code, and only those that a caller can do something about."""

from __future__ import annotations

from typing import Any

from collab.errors import (
    BadUpdate,
    CollabError,
    EngineUnavailable,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unprocessable,
)

_TOLD: dict[str, type[CollabError]] = {
    kind.code: kind for kind in (BadUpdate, Unprocessable, PreconditionFailed, TooLarge, NotFound)
}
"""What a child may answer; anything else is its own trouble."""


def encode(error: BaseException) -> dict[str, Any]:
    """The error as the head of an answer."""
    if isinstance(error, CollabError):
        return {"error": error.code, "detail": error.detail, "extra": error.extra}
    return {"error": EngineUnavailable.code, "detail": f"{type(error).__name__}: {error}"[:500], "extra": {}}


def decode(head: dict[str, Any]) -> CollabError:
    """The error that an answer holds, as the caller shall see it; what the engine itself ran into is a 503."""
    detail, extra = str(head.get("detail")), dict(head.get("extra") or {})
    kind = _TOLD.get(str(head["error"]))
    if kind is None:
        return EngineUnavailable(f"the engine failed: {detail}")
    error = kind(detail)
    error.extra = extra
    if isinstance(error, BadUpdate):
        error.offset = extra.get("offset")
    return error
