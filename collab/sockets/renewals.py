"""Fresh tickets and tokens that clients present on their open sockets, so that a session outlives its permission."""

from __future__ import annotations

import asyncio

import structlog

from collab.core.session import Session
from collab.errors import CollabError
from collab.protocol.frames import frame
from collab.protocol.messages import encode_access, encode_denied
from collab.slot import Slot
from collab.sockets.upgrade import Doorman, Upgrade
from collab.types import Access

log = structlog.get_logger(__name__)


class Renewals:
    """Those under way, one per session at a time."""

    def __init__(self, doorman: Doorman) -> None:
        self._doorman = doorman
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, upgrade: Upgrade, slot: Slot, session: Session, token: bytes) -> None:
        """A plain call; the answer comes over the socket."""
        if session.renewing:
            session.write(frame(encode_denied("one token at a time")))
            return
        session.renewing = True
        task = asyncio.get_running_loop().create_task(self._renew(upgrade, slot, session, token), name="renew session")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _renew(self, upgrade: Upgrade, slot: Slot, session: Session, token: bytes) -> None:
        """A token that is not taken changes nothing: the session goes on as long as it could before."""
        try:
            text = token.decode("ascii", "replace")
            principal, access = await self._doorman.renew(upgrade, slot.room.document, session.principal, text)
        except CollabError as error:
            session.write(frame(encode_denied(error.detail)))
        except Exception:
            log.exception("renewal failed")
            session.write(frame(encode_denied(CollabError().detail)))
        else:
            if session.access is not Access.NONE:  # it may have ended meanwhile
                session.principal, session.access = principal, access
                session.write(frame(encode_access(access.name.lower())))
                slot.room.readmit(session)
        finally:
            session.renewing = False
