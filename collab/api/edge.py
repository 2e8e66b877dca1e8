"""What happens to a request before it is routed: its path stays encoded, its body is bounded.

Servers hand over a decoded path, in which the id `a/b` (sent as `a%2Fb`) has become two segments. API paths are
therefore routed as they were sent, and `deps.document_id` decodes the one segment that is an id.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collab.limits import Limits

API = "/api"
_AS_SENT = "/%:@!$&'()*+,;=-._~"


class Edge:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw = scope.get("raw_path") or b""
        if raw.startswith((scope.get("root_path", "") + API + "/").encode()):
            scope = {**scope, "path": quote(raw, safe=_AS_SENT)}
        await self.app(scope, bounded(receive, Headers(scope=scope), self.limits), send)


def bounded(receive: Receive, headers: Headers, limits: Limits) -> Receive:
    """Receives like `receive`, but raises 413 once the body is larger than its kind may be."""
    binary = headers.get("content-type", "").startswith("application/octet-stream")
    bytes_max = limits.body_bytes_max if binary else limits.json_bytes_max
    announced = headers.get("content-length", "0")
    read = int(announced) - bytes_max if announced.isdecimal() and int(announced) > bytes_max else 0
    left = -1 if read else bytes_max

    async def receive_bounded() -> Message:
        nonlocal left
        message = await receive() if left >= 0 else {"type": "http.request"}
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"the body exceeds {bytes_max} bytes")
        return message

    return receive_bounded
