"""A request to open a socket, and who decides about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from collab.types import Access, DocumentId, Principal

KEPT = ("host", "origin", "x-forwarded-for", "x-forwarded-proto")  # headers that a renewal looks at again


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request to open a socket. `path` is raw (percent-encoded), header names are lower case.

    `headers` keeps every value: which of two counts is a question that attackers answer differently.
    `peer` is None for a Unix socket.
    """

    path: str
    query: str
    headers: Mapping[str, Sequence[str]]
    peer: str | None
    secure: bool = False

    def values(self, name: str) -> Sequence[str]:
        """Every value of a header."""
        return self.headers.get(name, ())

    @property
    def subprotocols(self) -> list[str]:
        """What the client offers; it fails the connection unless one of them is selected."""
        if not (values := self.values("sec-websocket-protocol")):
            return []
        offered = ",".join(values)
        return [name.strip() for name in offered.split(",") if name.strip()]

    def kept(self) -> Upgrade:
        """What is needed of it while the socket is open; sockets that came the same way share it."""
        return _kept(tuple((name, tuple(self.values(name))) for name in KEPT), self.peer, self.secure)


@lru_cache(4096)
def _kept(headers: tuple[tuple[str, tuple[str, ...]], ...], peer: str | None, secure: bool) -> Upgrade:
    return Upgrade("", "", dict(headers), peer, secure)


class Doorman(Protocol):
    """Decides who may open a socket on a document."""

    async def greet(self, upgrade: Upgrade) -> str | None:
        """Lets a socket open on which tokens come later; returns the selected subprotocol. Raises Forbidden."""

    async def admit(
        self, upgrade: Upgrade, document: DocumentId, token: str | None = None
    ) -> tuple[Principal, Access, str | None]:
        """Returns (who, access of at least READ, selected subprotocol). Raises Unauthorized, Forbidden, NotFound.

        `token` came over the open socket, in the place of all that the upgrade brought.
        """

    async def renew(
        self, upgrade: Upgrade, document: DocumentId, principal: Principal, token: str
    ) -> tuple[Principal, Access]:
        """The same user by a token that came over the open socket. Raises as `admit` does."""

    def still(self, principal: Principal, document: DocumentId) -> Access:
        """What is left, at this moment, to who was admitted. Raises Unauthorized if nothing is."""

    def address(self, upgrade: Upgrade) -> str:
        """Where the client is, as far as named proxies say."""
