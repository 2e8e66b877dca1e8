"""The way from a request to its principal."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from collab.auth.guard import Approach, Guard
from collab.types import Principal


class Door:
    """Asks the guard about requests; the policy answers what a principal may do."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.policy = guard.policy

    async def authenticate(self, request: HTTPConnection, stream: bool = False) -> Principal:
        """`stream`: an event stream, where browsers cannot set headers, so that the query may carry a ticket.

        Raises what the guard raises.
        """
        return await self.guard.admit(approach_of(request, stream))


def approach_of(request: HTTPConnection, stream: bool = False) -> Approach:
    """What the guard looks at."""
    scope, values = request.scope, request.headers.getlist
    peer = scope.get("client")
    return Approach(
        peer=peer[0] if peer else None,
        scheme=scope["scheme"],
        host=values("host"),
        origin=values("origin"),
        authorization=values("authorization"),
        forwarded_for=values("x-forwarded-for"),
        forwarded_proto=values("x-forwarded-proto"),
        query=scope["query_string"].decode("latin-1") if stream else "",
        stream=stream,
    )
