"""Who may open a socket: the same guard as REST has."""

from __future__ import annotations

import time

from collab.auth import credentials
from collab.auth.guard import Approach, Guard
from collab.errors import Forbidden
from collab.sockets.upgrade import Upgrade
from collab.types import Access, DocumentId, Principal


class PolicyDoorman:
    """Satisfies the Doorman port."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def greet(self, upgrade: Upgrade) -> str | None:
        """Raises what the guard raises."""
        await self._guard.greet(approach_of(upgrade))
        return credentials.select_subprotocol(upgrade.subprotocols)

    async def admit(
        self, upgrade: Upgrade, document: DocumentId, token: str | None = None
    ) -> tuple[Principal, Access, str | None]:
        """Raises what the guard raises."""
        principal = (await self._guard.admit(approach_of(upgrade, token))).principal
        access = self._guard.require(principal, document, Access.READ)
        return principal, access, credentials.select_subprotocol(upgrade.subprotocols)

    async def renew(
        self, upgrade: Upgrade, document: DocumentId, principal: Principal, token: str
    ) -> tuple[Principal, Access]:
        """Only for the user who is there already. Raises what the guard raises."""
        renewed = (await self._guard.admit(approach_of(upgrade, token))).principal
        if renewed.id != principal.id:
            raise Forbidden("this token speaks for somebody else")
        return renewed, self._guard.require(renewed, document, Access.READ)

    def still(self, principal: Principal, document: DocumentId) -> Access:
        """Raises what the guard raises."""
        return self._guard.still(principal, document, time.time())

    def address(self, upgrade: Upgrade) -> str:
        """Where the client is, as far as named proxies say."""
        return self._guard.address(upgrade.peer, upgrade.values("x-forwarded-for"))


def approach_of(upgrade: Upgrade, token: str | None = None) -> Approach:
    """What the guard looks at; `token` came over the open socket."""
    return Approach(
        peer=upgrade.peer,
        scheme="wss" if upgrade.secure else "ws",
        host=upgrade.values("host"),
        origin=upgrade.values("origin"),
        authorization=upgrade.values("authorization"),
        forwarded_for=upgrade.values("x-forwarded-for"),
        forwarded_proto=upgrade.values("x-forwarded-proto"),
        query=upgrade.query,
        offered=upgrade.subprotocols,
        stream=True,
        message=token,
    )
