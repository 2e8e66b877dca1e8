"""Unchanged polls answered before routing: they are most of what a polling client asks, and the answer is so small.

Only a plain 304 is given here, under the rules of `state.read_state`; whatever else a request may deserve, a refusal
included, it gets from the application behind.
"""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from collab.api import etags
from collab.api.deps import Target
from collab.api.edge import API
from collab.api.parts import Parts
from collab.errors import CollabError
from collab.sockets.admission import document_id
from collab.types import Access

STATE = re.compile(f"{API}/documents/([^/]+)/state")


class Polls:
    """ASGI middleware: answers an unchanged poll, passes everything else on."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self.parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Long polls, and requests without a tag, are never answered here."""
        if scope["type"] == "http" and scope["method"] == "GET" and b"wait=" not in scope["query_string"]:
            found = STATE.fullmatch(scope["path"])
            request = HTTPConnection(scope)
            tag = request.headers.get("if-none-match")
            if found is not None and tag is not None:
                name = await self._unchanged(found[1], request, tag)
                if name is not None:
                    await unchanged(name)(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _unchanged(self, encoded: str, request: HTTPConnection, tag: str) -> str | None:
        """The version that the caller has, if it is the document's."""
        parts = self.parts
        try:
            document = document_id(encoded, parts.limits)
            principal = await parts.door.authenticate(request)
            parts.door.policy.require(principal, document, Access.READ)
            head = await Target(parts, document, principal).head()
        except CollabError:
            return None  # the application finds it again, and says it as a problem
        name = etags.version(head.lineage, head.seq)
        return name if etags.none_match(tag, name) else None


def unchanged(name: str) -> Response:
    """304: the caller has it."""
    return Response(status_code=304, headers={"ETag": etags.quoted(name), "Cache-Control": "no-cache"})
