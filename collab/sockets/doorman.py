"""Who may open a socket: the same guard as REST has."""

from __future__ import annotations

from collab.auth import credentials
from collab.auth.guard import Approach, Guard
from collab.sockets.admission import Upgrade
from collab.types import Access, DocumentId, Principal


class PolicyDoorman:
    """Satisfies the Doorman port."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def admit(self, upgrade: Upgrade, document: DocumentId) -> tuple[Principal, Access, str | None]:
        """Raises what the guard raises."""
        principal = await self._guard.admit(approach_of(upgrade))
        access = self._guard.require(principal, document, Access.READ)
        return principal, access, credentials.select_subprotocol(upgrade.subprotocols)


def approach_of(upgrade: Upgrade) -> Approach:
    """What the guard looks at."""
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
    )
