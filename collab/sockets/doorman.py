"""Who may open a socket: the same authenticator, policy and origins as REST."""

from __future__ import annotations

from collab.auth import credentials
from collab.auth.base import Authenticator, Policy
from collab.auth.open_mode import check_host
from collab.auth.origins import Origins
from collab.errors import Forbidden
from collab.sockets.admission import Upgrade
from collab.types import Access, DocumentId, Principal


class PolicyDoorman:
    """Satisfies the Doorman port."""

    def __init__(
        self, authenticator: Authenticator, policy: Policy, origins: Origins, *, open: bool, anywhere: bool
    ) -> None:
        """`open`: no authentication is configured; `anywhere`: it may be addressed by any name all the same."""
        self._authenticator = authenticator
        self._policy = policy
        self._origins = origins
        self._open = open
        self._anywhere = anywhere

    async def admit(self, upgrade: Upgrade, document: DocumentId) -> tuple[Principal, Access, str | None]:
        """Host, origin, credentials, access: in this order, so that a strange page learns nothing of a token."""
        host = upgrade.headers.get("host")
        check_host(host, self._open, self._anywhere)
        origin = upgrade.headers.get("origin")
        scheme = "wss" if upgrade.secure else "ws"
        if not self._origins.allow([origin] if origin is not None else [], scheme, host):
            raise Forbidden("pages of this origin may not connect; name it in COLLAB_ORIGINS")
        authorization = upgrade.headers.get("authorization")
        given = credentials.of_stream([authorization] if authorization else [], upgrade.query, upgrade.subprotocols)
        principal = await self._authenticator.who(given)
        access = self._policy.require(principal, document, Access.READ)
        return principal, access, credentials.select_subprotocol(upgrade.subprotocols)
