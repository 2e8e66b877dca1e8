"""The way from a request to its principal: host, origin, credentials, in the order of the sockets' doorman."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from collab.auth import credentials
from collab.auth.base import Authenticator, Policy
from collab.auth.open_mode import check_host
from collab.auth.origins import Origins
from collab.errors import Forbidden
from collab.types import Principal

SAME_ORIGIN = Origins()


class Door:
    """Authenticates requests; the policy answers what a principal may do."""

    def __init__(
        self,
        authenticator: Authenticator,
        policy: Policy,
        origins: Origins = SAME_ORIGIN,
        *,
        open: bool = False,
        anywhere: bool = False,
    ) -> None:
        """`open`: no authentication is configured; `anywhere`: it may be addressed by any name all the same."""
        self._authenticator = authenticator
        self._origins = origins
        self._open = open
        self._anywhere = anywhere
        self.policy = policy

    async def authenticate(self, request: HTTPConnection, stream: bool = False) -> Principal:
        """`stream`: an event stream, where browsers cannot set headers, so that the query may carry a ticket.

        Raises Forbidden for a page of another origin, Unauthorized, or what the authenticator raises when it cannot
        know.
        """
        headers = request.headers
        host = headers.get("host")
        check_host(host, self._open, self._anywhere)
        if "origin" in headers and not self._origins.allow(headers.getlist("origin"), request.scope["scheme"], host):
            raise Forbidden("pages of this origin may not call; name it in COLLAB_ORIGINS")
        authorization = headers.getlist("authorization")
        if stream:
            query = request.scope["query_string"].decode("latin-1")
            return await self._authenticator.who(credentials.of_stream(authorization, query, []))
        return await self._authenticator.who(credentials.of_request(authorization))
