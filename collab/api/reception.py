"""The outermost step of every request: it gets an id, is written down, and is told what is left of its rates."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from secrets import token_hex
from typing import cast

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.accesslog import AccessLog
from collab.auth.credentials import scrub
from collab.types import Principal

KEY = "collab.visit"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class Visit:
    """What is learned of a request on its way. `admitted` is what the guard said: the caller, or why not."""

    id: str
    address: str | None = None
    admitted: Principal | Exception | None = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 500  # if nothing is answered, somebody outside answers with this


def visit_of(scope: Scope) -> Visit:
    """Every request has one."""
    return cast(Visit, scope[KEY])


class Reception:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, log: AccessLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit = scope[KEY] = Visit(_id_of(scope))
        structlog.contextvars.bind_contextvars(request=visit.id)
        began = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                told = {"x-request-id": visit.id, **visit.headers}
                message["headers"] = [*message.get("headers", ()), *((k.encode(), v.encode()) for k, v in told.items())]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            self._tell(scope, visit, time.perf_counter() - began)

    def _tell(self, scope: Scope, visit: Visit, took_s: float) -> None:
        who = visit.admitted if isinstance(visit.admitted, Principal) else None
        query = scope["query_string"].decode("latin-1")
        self.log.tell(
            "request",
            request=visit.id,
            method=scope["method"],
            target=f"{(scope.get('raw_path') or b'').decode('latin-1')}{'?' if query else ''}{query}",
            status=visit.status,
            ms=round(took_s * 1000, 2),
            address=visit.address,
            actor=who.id if who else None,
            actor_kind=who.kind if who else None,
        )


def _id_of(scope: Scope) -> str:
    """The caller's own id if it brings a harmless one, so that its logs and ours can be laid side by side."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value) and scrub(given := value.decode()) == given:
            return cast(str, given)
    return token_hex(8)
