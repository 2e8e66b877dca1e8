"""The three ways in behind one port: what a secret looks like says who judges it."""

from __future__ import annotations

from collab.auth import opaque
from collab.auth.base import Credentials
from collab.auth.jwt import JwtAuthenticator, is_shaped
from collab.auth.keys import Keys
from collab.auth.open_mode import Openness
from collab.auth.tickets import Tickets
from collab.errors import Unauthorized
from collab.types import ANONYMOUS, Principal


class AnyAuthenticator:
    """Satisfies the Authenticator port with API keys, tickets and, if configured, JWTs; or lets everybody in."""

    def __init__(
        self,
        keys: Keys,
        tickets: Tickets,
        jwt: JwtAuthenticator | None = None,
        openness: Openness | None = None,
    ) -> None:
        """Closed unless `openness` says otherwise, each time it is asked."""
        self._keys = keys
        self._tickets = tickets
        self._jwt = jwt
        self._openness = openness or Openness()

    async def who(self, credentials: Credentials) -> Principal:
        """See the port. While open, a ticket still says who somebody is; any other secret is not looked at."""
        token = credentials.token
        if token is not None and token.startswith(opaque.TICKET) and credentials.stream:
            return await self._tickets.who(token)
        if self._openness.open:
            return ANONYMOUS
        if token is None:
            raise Unauthorized
        if token.startswith(opaque.KEY) and not credentials.in_url:
            return await self._keys.who(token)
        if self._jwt is not None and is_shaped(token):
            return await self._jwt.who(token)
        raise Unauthorized
