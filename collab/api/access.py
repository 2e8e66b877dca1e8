"""The way from a request to its principal: credentials out of headers and query, then the two access ports."""

from __future__ import annotations

from starlette.datastructures import Headers

from collab.auth import credentials
from collab.auth.base import Authenticator, Policy
from collab.types import Principal


class Door:
    """Authenticates requests; the policy answers what a principal may do."""

    def __init__(self, authenticator: Authenticator, policy: Policy) -> None:
        self._authenticator = authenticator
        self.policy = policy

    async def authenticate(self, headers: Headers, query: str, stream: bool = False) -> Principal:
        """`stream`: an event stream, where browsers cannot set headers, so that the query may carry a ticket.

        Raises Unauthorized, or what the authenticator raises when it cannot know.
        """
        authorization = headers.getlist("authorization")
        if stream:
            return await self._authenticator.who(credentials.of_stream(authorization, query, []))
        return await self._authenticator.who(credentials.of_request(authorization))
