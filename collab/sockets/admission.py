"""What both socket shells do before a socket opens: name, caller, access, a loaded room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from secrets import token_hex
from urllib.parse import unquote_to_bytes
from weakref import WeakValueDictionary

from collab.accesslog import AccessLog
from collab.core.allowance import Allowance
from collab.core.session import Outbox, Session
from collab.errors import BadRequest, CollabError, Draining, NotFound, Overloaded, StorageUnavailable
from collab.hub import Hub
from collab.limits import Limits
from collab.metrics import Refusals
from collab.protocol.hocuspocus import Wrapping
from collab.slot import Slot
from collab.sockets.arrivals import Arrivals
from collab.sockets.renewals import Renewals
from collab.sockets.seats import Seats
from collab.sockets.upgrade import Doorman, Upgrade
from collab.store.base import UNBORN
from collab.types import ANONYMOUS, Access, DocumentId, Principal

MOUNT = "/sync/"
Y_SWEET_MOUNT = "/y-sweet/"
HOCUSPOCUS_MOUNT = "/hocuspocus"
MOUNTS = (MOUNT, Y_SWEET_MOUNT, HOCUSPOCUS_MOUNT)
RETRY_AFTER_S = 1
REASON_BYTES_MAX = 123  # of a close frame (RFC 6455 5.5)


@dataclass(frozen=True, slots=True)
class Admission:
    """A pinned room and what the caller may do in it; `upgrade` is what a renewal needs of the request."""

    slot: Slot
    principal: Principal
    access: Access
    subprotocol: str | None
    upgrade: Upgrade
    seat: tuple[str, ...]
    is_y_sweet: bool = False


@dataclass(frozen=True, slots=True)
class Lobby:
    """A socket of the Hocuspocus dialect, on which documents are asked for one by one."""

    subprotocol: str | None
    upgrade: Upgrade
    seat: tuple[str, ...]


def document_id(encoded: str, limits: Limits) -> DocumentId:
    """Decodes a percent-encoded id once. Slashes are part of it, `a%2Fb` and `a/b` are the same one."""
    try:
        return checked_id(unquote_to_bytes(encoded).decode(), limits)
    except UnicodeDecodeError:
        raise BadRequest("the document id is not UTF-8") from None


def checked_id(document: str, limits: Limits) -> DocumentId:
    """Raises BadRequest for what cannot be a document's id."""
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


def close_reason(error: CollabError) -> str:
    """What goes with its close code: as much as a close frame holds, and whole characters."""
    return error.detail.encode()[:REASON_BYTES_MAX].decode(errors="ignore")


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
        self.wrappings: WeakValueDictionary[bytes, Wrapping] = WeakValueDictionary()
        self.lobbies = 0  # open sockets of the Hocuspocus dialect; their documents count as sessions, besides
        self._renewals = Renewals(doorman)
        self._log = log or AccessLog()
        self._make = make

    def bound(self, limits: Limits) -> None:
        """Other bounds for sockets that are opened from now on."""
        self.limits = self.seats.limits = limits

    async def admit(self, upgrade: Upgrade) -> Admission | Lobby:
        """Names, authorises and opens; the room stays pinned until the session leaves. Bounded in time.

        Raises what the client is told; it is counted and in the access log then.
        """
        target = f"{upgrade.path}?{upgrade.query}" if upgrade.query else upgrade.path
        with self._telling(upgrade, target):
            if upgrade.path.startswith(MOUNT):
                return await self._admit(upgrade, document_id(upgrade.path[len(MOUNT) :], self.limits))
            if upgrade.path.startswith(Y_SWEET_MOUNT):
                admitted = await self._admit(upgrade, document_id(upgrade.path[len(Y_SWEET_MOUNT) :], self.limits))
                return replace(admitted, is_y_sweet=True)
            if upgrade.path == HOCUSPOCUS_MOUNT or upgrade.path.startswith(f"{HOCUSPOCUS_MOUNT}/"):
                return await self._welcome(upgrade)
            raise NotFound("sockets live under /sync/{document}, /y-sweet/{document} and /hocuspocus")

    async def admit_document(self, lobby: Lobby, document: str, token: str) -> Admission:
        """The same for a document that is asked for on an open socket; with an empty token the upgrade's own counts."""
        upgrade = lobby.upgrade
        with self._telling(upgrade, document):
            return await self._admit(upgrade, checked_id(document, self.limits), token or None)

    @contextmanager
    def _telling(self, upgrade: Upgrade, target: str) -> Iterator[None]:
        """Counts and logs a refusal."""
        try:
            yield
        except CollabError as error:
            self.refusals.count("socket", error.code)
            address = self.doorman.address(upgrade)
            self._log.tell(
                "socket refused",
                target=target,
                address=address,
                status=error.http_status,
                code=error.code,
                detail=error.detail,  # an origin that is not named is otherwise hard to tell from a missing permission
            )
            raise

    async def _welcome(self, upgrade: Upgrade) -> Lobby:
        if self.hub.draining:
            raise Draining()
        try:
            async with asyncio.timeout(self.limits.handshake_s):
                subprotocol = await self.doorman.greet(upgrade)
        except TimeoutError:
            raise StorageUnavailable("opening the socket took too long") from None
        self._check_room_for_one()
        lobby = Lobby(subprotocol, upgrade, self.seats.take(ANONYMOUS, self.doorman.address(upgrade)))
        self.lobbies += 1
        return lobby

    async def _admit(self, upgrade: Upgrade, document: DocumentId, token: str | None = None) -> Admission:
        try:
            async with asyncio.timeout(self.limits.handshake_s):
                principal, access, subprotocol = await self.doorman.admit(upgrade, document, token)
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
        self._check_room_for_one()
        if len(slot.room.sessions) >= self.limits.sessions_per_document_max:
            raise Overloaded("too many connections")
        return self.seats.take(principal, self.doorman.address(upgrade))

    def _check_room_for_one(self) -> None:
        if self.hub.counters.sockets + self.lobbies >= self.limits.sessions_max:
            raise Overloaded("too many connections")

    def join(self, admission: Admission, outbox: Outbox) -> Session:
        """The socket is open: greet it and let it take part. Raises Unauthorized.

        Loading takes a while; a permission taken back meanwhile was looked for among sessions, and this was none yet.
        """
        principal = admission.principal
        access = min(admission.access, self.doorman.still(principal, admission.slot.room.document))
        session = Session(token_hex(6), principal, access, outbox, self.limits, self._allowance(principal))
        session.owes_step2 = admission.is_y_sweet
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

    def abandon(self, admission: Admission | Lobby) -> None:
        """The socket was admitted, but never opened."""
        if isinstance(admission, Lobby):
            self.quit(admission)
        else:
            self.seats.give_back(admission.seat)
            self.hub.release(admission.slot)

    def quit(self, lobby: Lobby) -> None:
        """A socket of the Hocuspocus dialect is gone, its documents with it."""
        self.lobbies -= 1
        self.seats.give_back(lobby.seat)

    def wrapping(self, prefix: bytes) -> Wrapping:
        """The one for this address of the Hocuspocus dialect: shared while anybody has it."""
        return self.wrappings.setdefault(prefix, Wrapping(prefix))
