"""Permissions of open sockets are kept true: what is revoked anywhere ends or shrinks here within a second.

Every node reads the revocations that others wrote four times a second, from the database that all share: a bus may
make it quicker, and its loss makes it no slower than this.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
import uuid_utils

from collab.auth.base import REMEMBERED_S, KeyStore, Revocation, RevocationStore
from collab.auth.open_mode import Openness
from collab.auth.revocations import Revocations, covers
from collab.auth.shared_clock import SharedClock
from collab.errors import StorageUnavailable, Unauthorized
from collab.hub import Hub
from collab.protocol.frames import frame
from collab.protocol.messages import encode_access
from collab.types import Access, DocumentId, Principal

log = structlog.get_logger("collab.auth")

POLL_S = 0.25
KEYS_EVERY = 4  # looks: an open node closes within a second of its first key
OVERLAP_S = 60.0  # a row appears when its commit does, later than the time written in it


class Vigil:
    """Knows every revocation, and applies each to the sessions of this node once."""

    def __init__(
        self,
        store: RevocationStore,
        keys: KeyStore,
        revocations: Revocations,
        openness: Openness,
        hub: Hub,
        clock: SharedClock | None = None,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        """`clock` is set by the store's once a second; `on_closed` is called once the node is open no more."""
        self._store = store
        self._keys = keys
        self._revocations = revocations
        self._openness = openness
        self._hub = hub
        self._clock = clock or SharedClock()
        self._on_closed = on_closed
        self._was_open = False
        self._since = self._clock() - REMEMBERED_S
        self._failing = False

    async def revoke(
        self, user: str | None, document: DocumentId | None, key: str | None, access: Access = Access.NONE
    ) -> tuple[int, int]:
        """Durable, and applied on this node, when it returns; returns how many sessions here it ended and lowered."""
        at = datetime.fromtimestamp(self._clock(), UTC)
        revocation = Revocation(str(uuid_utils.uuid7()), at, user, document, key, access)
        await self._store.add(revocation)
        return self._apply(revocation)

    async def run(self) -> None:
        """Forever, until cancelled."""
        for round in itertools.count():
            await asyncio.sleep(POLL_S)
            try:
                await self.look(keys=round % KEYS_EVERY == 0)
                self._failing = False
            except StorageUnavailable as error:
                if not self._failing:
                    log.warning("revocations of other nodes cannot be read now", error=error.detail)
                self._failing = True
            except Exception:
                log.exception("vigil failed")

    async def look(self, keys: bool = True) -> tuple[int, int]:
        """Reads what is new and applies it; returns as `revoke` does. Raises StorageUnavailable.

        `keys`: whether the clock is looked at, too, and an open node asks if a key exists by now.
        """
        if keys:
            await self._clock.set_by(self._store.now)
        began = self._clock()
        if began < self._since:  # it was set back: what was forgotten as too old may count again
            self._since = began - REMEMBERED_S
        ended = lowered = 0
        for revocation in await self._store.since(datetime.fromtimestamp(self._since, UTC)):
            more_ended, more_lowered = self._apply(revocation)
            ended, lowered = ended + more_ended, lowered + more_lowered
        self._since = began - OVERLAP_S
        self._revocations.forget(began)
        if self._openness.open:
            self._was_open = True
            self._openness.open = not (keys and (await self._keys.list(1)).items)
        if self._was_open and not self._openness.open:  # a key exists now, or tokens are trusted since a reload
            ended += self._close_the_node()
        return ended, lowered

    def _close_the_node(self) -> int:
        self._was_open = False
        log.warning("closed: everybody needs a key or a token now")
        self._on_closed()
        return self._shrink(lambda principal, document: Access.NONE if principal.kind == "open" else None)[0]

    def _apply(self, revocation: Revocation) -> tuple[int, int]:
        if not self._revocations.add(revocation):
            return 0, 0
        return self._shrink(
            lambda principal, document: revocation.access if covers(revocation, principal, document) else None
        )

    def _shrink(self, most: Callable[[Principal, DocumentId], Access | None]) -> tuple[int, int]:
        """Leaves each session at most what `most` says of it; None says nothing. Event streams ask it themselves."""
        ended = lowered = 0
        for slot in list(self._hub.slots.values()):
            for session in list(slot.room.sessions):
                access = most(session.principal, slot.room.document)
                if access is None or access >= session.access:
                    continue
                session.access = access
                if access is Access.NONE:
                    session.outbox.close(Unauthorized("this permission was revoked"))
                    ended += 1
                else:
                    session.write(frame(encode_access(access.name.lower())))
                    lowered += 1
            slot.tell("access", most)
        return ended, lowered
