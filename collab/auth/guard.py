"""What is asked of every caller at both doors, REST and sockets, in one order, so that neither door is the weaker.

Name of the machine, origin of the page, credentials, rates: a strange page learns nothing of a token, and who guesses
is counted. What a caller may do with a document is asked afterwards, by `require`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collab.auth import credentials
from collab.auth.base import Authenticator, Credentials, Policy
from collab.auth.open_mode import Openness
from collab.auth.origins import Origins
from collab.auth.proxies import Proxies
from collab.auth.revocations import Revocations
from collab.errors import BadRequest, Forbidden, Unauthorized
from collab.types import Access, DocumentId, Principal


@dataclass(frozen=True, slots=True)
class Approach:
    """A request, as far as its right to be answered goes. Each sequence has every value of a header.

    `peer`: the address of the connection, None for a Unix socket; `offered`: subprotocols; `stream`: it opens a
    socket or an event stream, where browsers cannot set headers and tickets are taken; `message`: a token that came
    over the open socket, in the place of all others.
    """

    peer: str | None
    scheme: str
    host: Sequence[str]
    origin: Sequence[str] = ()
    authorization: Sequence[str] = ()
    forwarded_for: Sequence[str] = ()
    forwarded_proto: Sequence[str] = ()
    query: str = ""
    offered: Sequence[str] = ()
    stream: bool = False
    message: str | None = None


class Guard:
    """One per node."""

    def __init__(
        self,
        authenticator: Authenticator,
        policy: Policy,
        origins: Origins | None = None,
        openness: Openness | None = None,
        proxies: Proxies | None = None,
        revocations: Revocations | None = None,
    ) -> None:
        """Without more it is closed to strange origins, believes no proxy, and nothing was revoked."""
        self.policy = policy
        self._revocations = revocations or Revocations()
        self.openness = openness or Openness()
        self._authenticator = authenticator
        self._origins = origins or Origins()
        self._proxies = proxies or Proxies()

    def address(self, approach: Approach) -> str:
        """Where the caller is, as far as named proxies say."""
        return self._proxies.client(approach.peer, approach.forwarded_for)

    async def admit(self, approach: Approach) -> Principal:
        """Raises Forbidden, Unauthorized, or what the authenticator raises when it cannot know."""
        self._check_page(approach)
        principal = await self._authenticator.who(_credentials(approach))
        if self._revocations.cap(principal, None) is Access.NONE:
            raise Unauthorized
        return principal

    def still(self, principal: Principal, document: DocumentId, now: float) -> Access:
        """What a principal who was admitted a while ago may do now; `now` is Unix seconds. Raises Unauthorized."""
        if principal.kind == "open" and not self.openness.open:
            raise Unauthorized
        if principal.expires_at is not None and now >= principal.expires_at:
            raise Unauthorized
        access = self.policy.may(principal, document)
        if access is Access.NONE:
            raise Unauthorized
        return access

    def require(self, principal: Principal, document: DocumentId, needed: Access) -> Access:
        """See Policy.require."""
        return self.policy.require(principal, document, needed)

    def _check_page(self, approach: Approach) -> None:
        if len(approach.host) > 1:
            raise BadRequest("more than one Host header")
        host = approach.host[0] if approach.host else None
        self.openness.check_host(host)
        if approach.origin:
            scheme = self._proxies.scheme(approach.peer, approach.scheme, approach.forwarded_proto)
            if not self._origins.allow(approach.origin, scheme, host):
                raise Forbidden("pages of this origin may not call; name it in COLLAB_ORIGINS")


def _credentials(approach: Approach) -> Credentials:
    if approach.message is not None:
        return credentials.of_message(approach.message)
    if approach.stream:
        return credentials.of_stream(approach.authorization, approach.query, approach.offered)
    return credentials.of_request(approach.authorization)
