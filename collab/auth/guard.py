"""What is asked of every caller at both doors, REST and sockets, in one order, so that neither door is the weaker.

Name of the machine, origin of the page, credentials, rates: a strange page learns nothing of a token, and who guesses
is counted. What a caller may do with a document is asked afterwards, by `require`. Every refusal is in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from collab.audit import Audit, caller
from collab.auth import credentials
from collab.auth.base import Authenticator, Credentials, Policy
from collab.auth.open_mode import Openness
from collab.auth.origins import Origins
from collab.auth.proxies import Proxies, subject
from collab.auth.rates import Rates, headers
from collab.auth.revocations import Revocations
from collab.errors import BadRequest, CollabError, Forbidden, Unauthorized
from collab.types import Access, DocumentId, Principal, Scope


@dataclass(frozen=True, slots=True)
class Approach:
    """A request, as far as its right to be answered goes. Each sequence has every value of a header.

    `peer`: the address of the connection, None for a Unix socket; `offered`: subprotocols; `stream`: it opens a
    socket or an event stream, where browsers cannot set headers and tickets are taken; `message`: a token that came
    over the open socket, in the place of all others; `local`: it came by the node's own Unix socket, which only the
    owner of its data can open.
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
    local: bool = False


OPERATOR = Principal("operator", kind="local", scopes=frozenset({Scope.ADMIN}))
"""Whoever comes by the node's own Unix socket: the owner of its data."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who it is, and what a REST answer says of its rates."""

    principal: Principal
    headers: Mapping[str, str] = field(default_factory=dict)


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
        rates: Rates | None = None,
        audit: Audit | None = None,
    ) -> None:
        """Without more it is closed to strange origins, believes no proxy, nothing was revoked, nothing is counted."""
        self.policy = policy
        self.openness = openness or Openness()
        self._authenticator = authenticator
        self._origins = origins or Origins()
        self._proxies = proxies or Proxies()
        self._revocations = revocations or Revocations()
        self._rates = rates
        self._audit = audit

    def bound(self, rates: Rates | None) -> None:
        """Other rates from now on; one that changes begins to count anew."""
        self._rates = rates

    def trust(self, authenticator: Authenticator, origins: Origins, proxies: Proxies) -> None:
        """From now on: other keys, pages and proxies. Who is inside already stays."""
        self._authenticator, self._origins, self._proxies = authenticator, origins, proxies

    def names(self, origin: str) -> bool:
        """Whether pages of this origin, another than the service's own, may call."""
        return self._origins.names(origin)

    def address(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Where the caller is, as far as named proxies say; see `Approach` for both."""
        return self._proxies.client(peer, forwarded_for)

    def origin(self, approach: Approach) -> str:
        """Where the caller has reached this service: scheme and host."""
        scheme = self._proxies.scheme(approach.peer, approach.scheme, approach.forwarded_proto)
        return f"{scheme}://{approach.host[0] if approach.host else 'localhost'}"

    async def admit(self, approach: Approach) -> Admitted:
        """Raises Forbidden, Unauthorized, RateLimited, or what the authenticator raises when it cannot know."""
        if approach.local:
            return Admitted(OPERATOR)
        address = self.address(approach.peer, approach.forwarded_for)
        structlog.contextvars.bind_contextvars(address=address)
        principal: Principal | None = None
        try:
            self._check_page(approach)
            counted = subject(address)
            principal = await self._recognise(approach, counted)
            return Admitted(principal, await self._spend(principal, approach, counted))
        except CollabError as error:
            self._tell(principal, None, error)
            raise

    async def greet(self, approach: Approach) -> None:
        """For a socket on which credentials come later, each to be admitted. Raises Forbidden, RateLimited."""
        address = self.address(approach.peer, approach.forwarded_for)
        structlog.contextvars.bind_contextvars(address=address)
        try:
            self._check_page(approach)
            if self._rates is not None:
                await self._rates.check({"failures": subject(address)})
                await self._rates.spend({"streams": subject(address)})
        except CollabError as error:
            self._tell(None, None, error)
            raise

    def require(self, principal: Principal, document: DocumentId, needed: Access) -> Access:
        """See Policy.require."""
        try:
            return self.policy.require(principal, document, needed)
        except CollabError as error:
            self._tell(principal, document, error)
            raise

    def require_scope(self, principal: Principal, scope: Scope) -> None:
        """See Policy.require_scope."""
        try:
            self.policy.require_scope(principal, scope)
        except CollabError as error:
            self._tell(principal, None, error)
            raise

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

    def _check_page(self, approach: Approach) -> None:
        if len(approach.host) > 1:
            raise BadRequest("more than one Host header")
        host = approach.host[0] if approach.host else None
        self.openness.check_host(host)
        if approach.origin:
            scheme = self._proxies.scheme(approach.peer, approach.scheme, approach.forwarded_proto)
            if not self._origins.allow(approach.origin, scheme, host):
                raise Forbidden("pages of this origin may not call; name it in COLLAB_ORIGINS")

    async def _recognise(self, approach: Approach, address: str) -> Principal:
        if self._rates is not None:
            await self._rates.check({"failures": address})
        try:
            given = _credentials(approach)
            principal = await self._authenticator.who(given)
            if self._revocations.cap(principal, None) is Access.NONE:
                raise Unauthorized
        except Unauthorized:
            # Forgetting to bring anything is no guess.
            if self._rates is not None and (approach.authorization or approach.stream):
                await self._rates.spend({"failures": address})
            raise
        return principal

    async def _spend(self, principal: Principal, approach: Approach, address: str) -> Mapping[str, str]:
        if self._rates is None:
            return {}
        if approach.stream:
            await self._rates.spend({"streams": address})
            return {}
        spent = {"address": address}
        if principal.kind == "key":
            spent["key"] = principal.id
        elif principal.kind != "open":
            spent["user"] = principal.id
        return headers(await self._rates.spend(spent))

    def _tell(self, principal: Principal | None, document: DocumentId | None, error: CollabError) -> None:
        if self._audit is not None:
            self._audit.tell("access.refuse", caller(principal), document, error)


def _credentials(approach: Approach) -> Credentials:
    if approach.message is not None:
        return credentials.of_message(approach.message)
    if approach.stream:
        return credentials.of_stream(approach.authorization, approach.query, approach.offered)
    return credentials.of_request(approach.authorization)
