"""One document on a socket of the Hocuspocus dialect: its session's outbox, and the way of its frames into the room.

The room speaks the plain dialect. What it writes is wrapped, once for all who share an address; what is told to one
session alone (saved, access, denials) is said as the provider understands it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from collab.core.acks import Acks
from collab.core.session import Session
from collab.errors import BadFrame, CollabError, Draining
from collab.protocol import hocuspocus
from collab.protocol.frames import first_byte, messages
from collab.protocol.hocuspocus import READ_ONLY, READ_WRITE, Type
from collab.protocol.messages import AUTH, AWARENESS, STATUS
from collab.protocol.messages import decode as decode_plain
from collab.protocol.varint import read_varuint, write_varuint
from collab.sockets.admission import Admission
from collab.types import Access

if TYPE_CHECKING:
    from collab.sockets.switchboard import Switchboard

log = structlog.get_logger(__name__)

SETTLE_S = 2.0  # nothing has come for so long: what was sent before has arrived
RENEWED_S = 30.0  # before its permission ends, a fresh token is asked for
UNHEARD = -1


class Channel:
    """Opened by `Switchboard`; until then it only keeps what comes."""

    def __init__(self, board: Switchboard, prefix: bytes) -> None:
        self.board = board
        self.prefix = prefix
        self.waiting: list[bytes] = []  # messages that came before it was open
        self.opening: asyncio.Task[None] | None = None
        self.denied = False  # until it asks again, nothing of it is looked at
        self.has_version = False  # provider 4: it knows all messages, and answers no nudge
        self.session: Session | None = None
        self.admission: Admission | None = None
        self._wrapping = board.sockets.wrapping(prefix)
        self._acks = Acks()
        self._synced_at = 0.0
        self._heard_at = self._answered_at = UNHEARD
        self._settling: asyncio.TimerHandle | None = None
        self._renewing: asyncio.TimerHandle | None = None

    # --- outbox

    @property
    def heard(self) -> bool:
        """Any frame of the socket is a sign of life for all of its documents, each of which asks on its own."""
        return self.board.line.signs != self._heard_at

    @heard.setter
    def heard(self, heard: bool) -> None:
        self._heard_at = UNHEARD if heard else self.board.line.signs

    @property
    def answered(self) -> bool:
        """The same, for who wants to know whether it still writes."""
        return self.board.line.signs != self._answered_at

    @answered.setter
    def answered(self, answered: bool) -> None:
        self._answered_at = UNHEARD if answered else self.board.line.signs

    def write(self, wire: bytes) -> None:
        """Frames of the plain dialect, as the provider understands them."""
        kind = first_byte(wire)
        if kind <= AWARENESS:
            self.board.line.write(self._wrapping.wrap(wire))
        else:
            for message in messages(wire):
                self._tell(kind, message)

    def _tell(self, kind: int, message: bytes) -> None:
        if kind == STATUS:
            upto, _ = read_varuint(decode_plain(message)[1], 0)
            if more := self._acks.tell(upto):
                self.board.line.write(hocuspocus.encode_saved(self.prefix) * more)
        elif kind == AUTH and message[1:2] == b"\x02" and self.session is not None:
            self._authenticated(self.session.access)  # a denial has no word here that would not end the document

    def close(self, error: CollabError) -> None:
        """Ends the document here; where coming back may help, the socket, since on an open one no provider does."""
        if self.session is None:
            return
        self.leave(error)
        if error.may_retry:
            self.board.line.close(error)
            return
        self.deny(error.detail)
        if self.has_version:
            self.board.line.write(hocuspocus.encode_close(self.prefix, error.detail))

    def deny(self, reason: str) -> None:
        """The socket stays, and nothing more of this document is looked at until it brings another token."""
        self.denied, self.opening = True, None
        self.board.forget_waiting(self)
        self.board.line.write(hocuspocus.encode_denied(self.prefix, reason))

    def ping(self) -> None:
        """Over the socket."""
        self.board.line.ping()

    def refuse(self, error: CollabError) -> None:
        """Counts, then closes."""
        if self.session is not None:
            self.board.sockets.refusals.count("socket", error.code)
            self.close(error)

    def hold(self) -> None:
        """Nothing more of the socket is read."""
        self.board.hold(self)

    def go_on(self) -> None:
        """What was looked at elsewhere is done."""
        if self.session is not None and self.session.refused:
            self.board.line.write(hocuspocus.encode_refused(self.prefix))
        self.board.go_on(self)

    def renew(self, token: bytes) -> None:
        """Presents a fresh ticket or token."""
        if self.session is not None and self.admission is not None:
            self.board.sockets.renew(self.admission, self.session, token)

    def waiting_bytes(self) -> int:
        """In the socket's buffer; told once, by its first document."""
        return self.board.line.waiting_bytes() if self.board.is_first(self) else 0

    # --- in and out

    def enter(self, admission: Admission) -> None:
        """The provider may: it is told so, then greeted; then what it sent before is taken."""
        self.admission, self.opening = admission, None
        access = admission.access if admission.slot.room.read_only is None else Access.READ
        self.board.line.write(hocuspocus.encode_authenticated(self.prefix, _scope(access)))
        self.session = self.board.sockets.join(admission, self)
        self.session.is_silent = self.has_version
        if self.board.line.full:
            self.pause()
        self._renew_later()

    def leave(self, error: CollabError | None = None) -> None:
        """Its session is over; the socket may go on."""
        session, self.session = self.session, None
        if session is not None and self.admission is not None:
            self.board.sockets.leave(self.admission, session, error)
        for timer in (self._settling, self._renewing):
            if timer is not None:
                timer.cancel()
        self._settling = self._renewing = None
        self._acks = Acks()

    def pause(self) -> None:
        """The socket's outbox is full."""
        if self.session is not None and self.admission is not None:
            self.board.sockets.hub.pause(self.admission.slot, self.session)

    def resume(self) -> None:
        """It has drained."""
        if self.session is not None and self.admission is not None:
            self.board.sockets.hub.resume(self.admission.slot, self.session)

    # --- frames

    def take(self, message: bytes) -> float:
        """One message for the open document; returns the seconds for which the socket should not be read."""
        session, admission = self.session, self.admission
        if session is None or admission is None:
            return self.board.before(self, message)
        try:
            kind = message[0]
            if kind == Type.SYNC:
                return self._sync(admission, session, message)
            if kind in (Type.AWARENESS, Type.QUERY_AWARENESS):
                return self.board.sockets.hub.receive(admission.slot, session, message)
            return self._control(kind, message, session)
        except CollabError as error:
            self.refuse(error)
        except Exception:
            log.exception("frame failed", document=admission.slot.room.document)
            self.refuse(CollabError())
        return 0.0

    def _sync(self, admission: Admission, session: Session, message: bytes) -> float:
        kind, room, hub = message[1:2], admission.slot.room, self.board.sockets.hub
        if kind == b"\x00":
            if not self._acks.awaits_step2:  # it counts anew from here, and wants a step 1 for each of its own
                session.asked |= session.behind is not None
                session.write(room.ask(session))
            self._acks.step1(message)
            return hub.receive(admission.slot, session, message)
        pause_s = hub.receive(admission.slot, session, message)
        if self.session is not session:
            return pause_s  # it has ended over this frame
        self._synced_at = asyncio.get_running_loop().time()
        if kind == b"\x01":
            self._acks.step2()
        else:
            self._acks.update(message)
        if session.refused and session.aside is None:
            self.board.line.write(hocuspocus.encode_refused(self.prefix))
        self._ask(admission, session)
        if self._acks.withholds and self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLE_S, self._settle)
        return pause_s

    def _ask(self, admission: Admission, session: Session) -> None:
        """To be told when all that has come is saved."""
        if not self._acks.awaits_step2:
            self.board.sockets.hub.reception.ask(admission.slot, session, write_varuint(self._acks.owed))

    def _settle(self) -> None:
        self._settling = None
        if self.session is None or self.admission is None or not self._acks.withholds:
            return
        loop = asyncio.get_running_loop()
        rest_s = self._synced_at + SETTLE_S - loop.time()
        if rest_s > 0.0:
            self._settling = loop.call_later(rest_s, self._settle)
        elif self.has_version:
            self._acks.release()
            self._ask(self.admission, self.session)
        elif not self.session.refused:  # a new connection counts anew
            self.board.line.close(Draining("connect again: what is saved cannot be counted on this connection"))

    def _control(self, kind: int, message: bytes, session: Session) -> float:
        if kind == Type.AUTH:
            token, _ = hocuspocus.decode_token(message)
            if token:
                self.renew(token.encode())
        elif kind == Type.CLOSE:
            self.leave()
            self.board.forget(self)
            return self.board.count()
        elif kind in (Type.SYNC_REPLY, Type.BROADCAST_STATELESS):
            raise BadFrame("a message between servers")
        return self.board.sockets.hub.reception.count(session)

    # --- permissions

    def _authenticated(self, access: Access) -> None:
        self.board.line.write(hocuspocus.encode_authenticated(self.prefix, _scope(access)))
        self._renew_later()

    def _renew_later(self) -> None:
        """Asks the provider for a fresh token before the session ends; it calls its token function again."""
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        expires_at = self.session.principal.expires_at if self.session is not None else None
        if expires_at is not None:
            left_s = max(0.0, expires_at - time.time())
            loop = asyncio.get_running_loop()
            self._renewing = loop.call_later(left_s - min(RENEWED_S, left_s / 2), self._ask_for_token)

    def _ask_for_token(self) -> None:
        self._renewing = None
        self.board.line.write(hocuspocus.encode_token_request(self.prefix))


def _scope(access: Access) -> str:
    return READ_WRITE if access >= Access.WRITE else READ_ONLY
