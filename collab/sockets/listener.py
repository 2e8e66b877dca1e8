"""A socket of the plain dialect on the fast shell: what is read goes into its room, what the room writes goes out."""

from __future__ import annotations

import structlog

from collab.core.session import Session
from collab.errors import CollabError
from collab.sockets.admission import Admission, Sockets
from collab.sockets.connection import FastConnection

log = structlog.get_logger(__name__)


class FastSocket(FastConnection):
    """One connection: reads frames into its room and is its session's outbox."""

    __slots__ = ("_take", "admission", "session")

    def __init__(self, sockets: Sockets, admission: Admission) -> None:
        super().__init__(sockets)
        self._take = sockets.hub.receive
        self.admission = admission
        self.session: Session | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes is looked at any more."""
        return self.session is None

    def _join(self) -> None:
        try:
            self.session = self.sockets.join(self.admission, self)
        except CollabError as error:
            self.sockets.abandon(self.admission)
            self.close(error)
        else:
            if self.full:  # the greeting alone was too much: it came before there was a session to pause
                self.sockets.hub.pause(self.admission.slot, self.session)

    def _leave(self, error: CollabError | None = None) -> None:
        session, self.session = self.session, None  # nothing more of this connection is looked at
        if session is not None:
            self.sockets.leave(self.admission, session, error)

    def pause_writing(self) -> None:
        self.full = True
        if self.session is not None:
            self.sockets.hub.pause(self.admission.slot, self.session)

    def resume_writing(self) -> None:
        self.full = False
        if self.session is not None:
            self.sockets.hub.resume(self.admission.slot, self.session)

    def renew(self, token: bytes) -> None:
        """Presents a fresh ticket or token."""
        if self.session is not None:
            self.sockets.renew(self.admission, self.session, token)

    def _receive(self, message: bytes) -> None:
        if self.session is None:
            return
        try:
            pause_s = self._take(self.admission.slot, self.session, message)
        except CollabError as error:
            self.refuse(error)
            return
        except Exception:  # picows would end the connection, too, but not say why
            log.exception("frame failed", document=self.admission.slot.room.document)
            self.refuse(CollabError())
            return
        if pause_s > 0.0:
            self.rest(pause_s)

    def _pay(self) -> float:
        return 0.0 if self.session is None else self.sockets.hub.reception.count(self.session)
