"""Every refusal as application/problem+json (RFC 9457), from one table: errors.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from collab.errors import (
    BadRequest,
    CollabError,
    Draining,
    Forbidden,
    Gone,
    NotFound,
    Quarantined,
    RateLimited,
    StorageUnavailable,
    TooLarge,
    Unauthorized,
    Unprocessable,
    all_errors,
)
from collab.metrics import Refusals

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
WHERE = "rest"


class Fault(BaseModel):
    """One value that does not fit."""

    where: list[str | int] = Field(examples=[["body", "title"]])
    detail: str = Field(examples=["Input should be a valid string"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="Address of the code's explanation.", examples=["/docs#not_found"])
    title: str = Field(description="What the code means.", examples=["There is no such thing here."])
    status: int = Field(examples=[404])
    detail: str = Field(description="What was wrong with this request.", examples=["There is no such thing here."])
    code: str = Field(description="Stable name of the error.", examples=["not_found"])
    may_retry: bool = Field(description="True if the same request may succeed later.")
    offset: int | None = Field(None, description="Byte of the update at which the decoder stopped.")
    errors: list[Fault] | None = Field(None, description="Every value that does not fit.")


class MethodNotAllowed(CollabError):
    """This path does not take this method."""

    code, http_status, close_code, may_retry = "method_not_allowed", 405, 4405, False


_BY_STATUS: Mapping[int, type[CollabError]] = {
    400: BadRequest,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    422: Unprocessable,
}


def install(app: FastAPI, refusals: Refusals) -> None:
    """Makes every error of the application a counted problem."""

    def answer(error: CollabError, headers: Mapping[str, str] | None = None) -> Response:
        refusals.count(WHERE, error.code)
        return problem(error, headers)

    async def on_collab(request: Request, error: CollabError) -> Response:
        return answer(error)

    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(of_validation(error))

    async def on_http(request: Request, error: HTTPException) -> Response:
        kind = _BY_STATUS.get(error.status_code, BadRequest)
        detail = None if kind in (NotFound, MethodNotAllowed) else error.detail
        headers = {"Allow": _allowed(app, request)} if kind is MethodNotAllowed else None
        return answer(kind(detail), headers)

    async def on_bug(request: Request, error: Exception) -> Response:
        log.error("request failed", method=request.method, exc_info=error)
        return answer(CollabError())

    app.add_exception_handler(CollabError, on_collab)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, on_bug)


def problem(error: CollabError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer; errors that may pass come with Retry-After."""
    body: dict[str, Any] = {
        "type": f"/docs#{error.code}",
        "title": title(type(error)),
        "status": error.http_status,
        "detail": error.detail,
        "code": error.code,
        "may_retry": error.may_retry,
    }
    body |= {key: error.extra[key] for key in ("offset", "errors", "exact_after") if error.extra.get(key) is not None}
    extra = {"Retry-After": str(error.extra.get("retry_after_s", RETRY_AFTER_S))} if error.may_retry else {}
    if error.http_status == 401:
        extra["WWW-Authenticate"] = "Bearer"  # RFC 9110 15.5.2 wants one
    # ASCII: details may quote what the caller sent, lone surrogates included
    told: Mapping[str, str] = error.extra.get("headers") or {}  # type: ignore[assignment]
    return Response(json.dumps(body), error.http_status, {**extra, **told, **(headers or {})}, MEDIA_TYPE)


def title(kind: type[CollabError]) -> str:
    """The default message of an error class: its docstring's first line."""
    return (kind.__doc__ or "").split("\n")[0]


def of_validation(error: RequestValidationError) -> CollabError:
    """What FastAPI found, without what the caller sent."""
    faults = [{"where": list(fault["loc"]), "detail": fault["msg"]} for fault in error.errors()]
    first = faults[0]
    detail = f"{'.'.join(map(str, first['where']))}: {first['detail']}"
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return BadRequest(f"the body is not JSON ({detail})", errors=faults)
    return Unprocessable(detail, errors=faults)


def _allowed(app: FastAPI, request: Request) -> str:
    """Every method of the path: the router itself names only those of the first route it met."""
    methods: set[str] = set()
    for template, operations in app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), request.scope["path"]):
            methods |= {name.upper() for name in operations}
    return ", ".join(sorted(methods))


ALWAYS = (Unauthorized, Forbidden, RateLimited, StorageUnavailable)
"""What any call may answer."""
NAMED = (BadRequest, NotFound, Gone, *ALWAYS)
"""What any call on a document may answer."""
LOADED = (*NAMED, Quarantined, Draining)
"""What any call that loads a document may answer."""


def answers(*kinds: type[CollabError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a call that may be refused like this, an example for each code."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = by_status.setdefault(kind.http_status, {"description": "", "content": {MEDIA_TYPE: _content()}})
        entry["description"] = f"{entry['description']} {title(kind)}".strip()
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {"value": json.loads(bytes(problem(kind()).body))}
        if kind.may_retry:
            entry["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}}
    return by_status


def _content() -> dict[str, Any]:
    return {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}


def table() -> Iterable[type[CollabError]]:
    """Every error that a REST answer can carry, for the docs page."""
    return [*all_errors(), MethodNotAllowed] if MethodNotAllowed not in all_errors() else all_errors()
