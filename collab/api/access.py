"""The way from a request to its principal."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from collab.api.reception import visit_of
from collab.auth.guard import Approach, Guard
from collab.errors import CollabError
from collab.types import Access, DocumentId, Principal

LOCAL = "collab.local"
"""Key of a request's scope: it came by the node's own Unix socket (collab/hatch.py), not over the network."""


class Door:
    """Asks the guard about requests; the policy answers what a principal may do."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.policy = guard.policy

    async def authenticate(self, request: HTTPConnection, stream: bool = False) -> Principal:
        """`stream`: an event stream, where browsers cannot set headers, so that the query may carry a ticket.

        Asked twice on the way, it answers as the first time: a request is counted once. Raises what the guard raises.
        """
        visit = visit_of(request.scope)
        if visit.admitted is None:
            approach = approach_of(request, stream)
            visit.address = self.guard.address(approach.peer, approach.forwarded_for)
            try:
                admitted = await self.guard.admit(approach)
            except CollabError as error:
                visit.admitted = error
            else:
                visit.admitted, visit.headers = admitted.principal, dict(admitted.headers)
        if isinstance(visit.admitted, Principal):
            return visit.admitted
        raise visit.admitted

    def origin(self, request: HTTPConnection) -> str:
        """Where the caller has reached this service, as far as named proxies say: http or https, and the host."""
        return self.guard.origin(approach_of(request))

    def require(self, principal: Principal, document: DocumentId, needed: Access) -> Access:
        """See Guard.require."""
        return self.guard.require(principal, document, needed)


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
        local=scope.get(LOCAL, False),
    )
