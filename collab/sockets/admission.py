"""What both socket shells do before a socket opens: name, caller, access, a loaded room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import unquote_to_bytes

from collab.accesslog import AccessLog
from collab.core.allowance import Allowance
from collab.core.session import Outbox, Session
from collab.errors import BadRequest, CollabError, NotFound, Overloaded, StorageUnavailable
from collab.hub import Hub
from collab.limits import Limits
from collab.metrics import Refusals
from collab.slot import Slot
from collab.sockets.arrivals import Arrivals
from collab.sockets.renewals import Renewals
from collab.sockets.seats import Seats
from collab.sockets.upgrade import Doorman, Upgrade
from collab.store.base import UNBORN
from collab.types import Access, DocumentId, Principal

MOUNT = "/sync/"
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Admission:
    """A pinned room and what the caller may do in it; `upgrade` is what a renewal needs of the request."""

    slot: Slot
    principal: Principal
    access: Access
    subprotocol: str | None
    upgrade: Upgrade
    seat: tuple[str, ...]


def document_id(encoded: str, limits: Limits) -> DocumentId:
    """Decodes a percent-encoded id once. Slashes are part of it, `a%2Fb` and `a/b` are the same one."""
    try:
        document = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        raise BadRequest("the document id is not UTF-8") from None
    if not 0 < len(document) <= limits.document_id_chars_max:
        raise BadRequest(f"a document id has 1 to {limits.document_id_chars_max} characters")
    if not document.isprintable():
        raise BadRequest("a document id holds printable characters only")
    if document in (".", ".."):
        raise BadRequest("URL clients resolve . and .. away, so they cannot be document ids")
    return document


def refusal_headers(error: CollabError) -> dict[str, str]:
    """What goes with the HTTP status of a refused upgrade."""
    if error.http_status == 401:
        return {"www-authenticate": "Bearer"}
    return {"retry-after": str(error.extra.get("retry_after_s", RETRY_AFTER_S))} if error.may_retry else {}


class Sockets:
    """Everything the shells share: the hub, the doorman, ceilings and counts."""

    def __init__(
        self,
        hub: Hub,
        doorman: Doorman,
        limits: Limits,
        refusals: Refusals,
        log: AccessLog | None = None,
        make: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`make` is asked before a document may come into being; it raises if no more are taken."""
        self.hub = hub
        self.doorman = doorman
        self.limits = limits
        self.refusals = refusals
        self.seats = Seats(limits)
        self.arrivals = Arrivals(limits)
        self._renewals = Renewals(doorman)
        self._log = log or AccessLog()
        self._make = make

    def bound(self, limits: Limits) -> None:
        """Other bounds for sockets that are opened from now on."""
        self.limits = self.seats.limits = limits

    async def admit(self, upgrade: Upgrade) -> Admission:
        """Names, authorises and opens; the room stays pinned until the session leaves. Bounded in time.

        Raises what the client is told; it is counted and in the access log then.
        """
        try:
            return await self._admit(upgrade)
        except CollabError as error:
            self.refusals.count("socket", error.code)
            target = f"{upgrade.path}?{upgrade.query}" if upgrade.query else upgrade.path
            address = self.doorman.address(upgrade)
            self._log.tell("socket refused", target=target, address=address, status=error.http_status, code=error.code)
            raise

    async def _admit(self, upgrade: Upgrade) -> Admission:
        if not upgrade.path.startswith(MOUNT):
            raise NotFound("sockets live under /sync/{document}")
        document = document_id(upgrade.path[len(MOUNT) :], self.limits)
        try:
            async with asyncio.timeout(self.limits.handshake_s):
                principal, access, subprotocol = await self.doorman.admit(upgrade, document)
                slot = await self.hub.open(document)
        except TimeoutError:
            raise StorageUnavailable("opening the document took too long") from None
        try:
            if self._make is not None and access is Access.WRITE and slot.room.lineage == UNBORN:
                await self._make()
            seat = self._seat(upgrade, principal, slot)
        except (
            BaseException
        ):  # the client may be gone by now, too: a pin that is not given back keeps its room for ever
            self.hub.release(slot)
            raise
        return Admission(slot, principal, access, subprotocol, upgrade.kept(), seat)

    def _seat(self, upgrade: Upgrade, principal: Principal, slot: Slot) -> tuple[str, ...]:
        if self.hub.counters.sockets >= self.limits.sessions_max or (
            len(slot.room.sessions) >= self.limits.sessions_per_document_max
        ):
            raise Overloaded("too many connections")
        return self.seats.take(principal, self.doorman.address(upgrade))

    def join(self, admission: Admission, outbox: Outbox) -> Session:
        """The socket is open: greet it and let it take part."""
        principal = admission.principal
        allowance = self._allowance(principal)
        session = Session(token_hex(6), principal, admission.access, outbox, self.limits, allowance)
        self.hub.join(admission.slot, session)
        self._tell("socket opened", admission, session, access=session.access.name.lower())
        return session

    def _allowance(self, principal: Principal) -> Allowance | None:
        """One for all sockets of a user; while the node is open, each socket has its own."""
        if principal.kind == "open":
            return None
        return self.hub.reception.allowances.of(principal.id, asyncio.get_running_loop().time())

    def renew(self, admission: Admission, session: Session, token: bytes) -> None:
        """The session presents a fresh ticket or token."""
        self._renewals.begin(admission.upgrade, admission.slot, session, token)

    def leave(self, admission: Admission, session: Session, error: CollabError | None = None) -> None:
        """The socket is gone; `error` is why we ended it."""
        self._tell("socket closed", admission, session, code=error.close_code if error else None)
        self.seats.give_back(admission.seat)
        self.hub.leave(admission.slot, session)

    def _tell(self, event: str, admission: Admission, session: Session, **more: object) -> None:
        self._log.tell(
            event,
            session=session.id,
            document=admission.slot.room.document,
            actor=session.principal.id,
            actor_kind=session.principal.kind,
            **more,
        )

    def abandon(self, admission: Admission) -> None:
        """The socket was admitted, but never opened."""
        self.seats.give_back(admission.seat)
        self.hub.release(admission.slot)
