"""Server-Sent Events: new versions, snapshots, presence; a stream that was cut resumes where it was.

Events tell the newest state of things, not each step: a slow reader gets fewer of them, never a backlog.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from collab.api import etags
from collab.api.deps import Watched, WatchedDep
from collab.api.presence import written
from collab.api.problems import LOADED, answers, problem
from collab.api.snapshots import SnapshotDetails, snapshot_details
from collab.errors import CollabError, Overloaded, Unauthorized
from collab.limits import DEFAULT
from collab.slot import RoomEvent
from collab.types import Access

router = APIRouter(prefix="/documents/{document}/events", tags=["live"])

EXAMPLE = """event: update
data: {"seq":42,"version":"9f86d081884c7d65.42"}
id: 9f86d081884c7d65.42.-

event: presence
data: {"people":[],"sockets":0}
id: 9f86d081884c7d65.42.-

"""


@router.get(
    "",
    summary="Watch a document",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}}},
        **answers(*LOADED, Overloaded),
    },
)
async def read_events(
    watched: WatchedDep, last_event_id: Annotated[str | None, Header(description="Where to resume.")] = None
) -> AsyncIterator[ServerSentEvent]:
    """Server-Sent Events, as a browser's `EventSource` reads them:

    * `update` `{seq, version}`: something newer is committed; poll the state with `since`, or the content
    * `snapshot`: one was taken, as `GET /snapshots/{snapshot}` describes it
    * `presence` `{people, sockets}`: somebody came, went or moved
    * `end`: a problem, the last event: the document was deleted, or the node goes down

    On connecting you are told the newest version, unless `Last-Event-ID` says that you know it, any snapshot taken
    since, and who is here.
    """
    feed = Feed(watched, last_event_id or "")
    with watched.slot.listening(feed.notice):
        async for event in feed.events():
            yield event


class Feed:
    """What one stream has told, and what there is to tell."""

    def __init__(self, watched: Watched, last_event_id: str) -> None:
        lineage, _, rest = last_event_id.partition(".")
        seq, _, snapshot = rest.partition(".")
        self._target = watched.target
        self._parts = watched.target.parts
        self._document = watched.target.document
        self._slot = watched.slot
        self._resumed = lineage == watched.slot.room.lineage and seq.isdecimal()
        self._told_seq = int(seq[:16]) if self._resumed else -1
        self._snapshot = snapshot if self._resumed else "-"  # the newest one told; "-" comes before all ids
        self._presence = self._snapshots = True
        self._error: CollabError | None = None
        self._wake = asyncio.Event()

    def notice(self, event: RoomEvent) -> None:
        """Called by the room; must not block."""
        if event.kind == "presence":
            self._presence = True
        elif event.kind == "snapshot":
            self._snapshots = True
        elif event.kind == "access" and callable(event.data):  # what was taken back just now, and from whom
            if event.data(self._target.principal, self._document) is Access.NONE:
                self._error = Unauthorized("this permission was revoked")
        elif event.kind == "end" and isinstance(event.data, CollabError):
            self._error = event.data
        self._wake.set()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Until the room ends, or nobody listens any more."""
        if not self._resumed:
            await self._skip_snapshots()
        while self._error is None:
            self._wake.clear()
            for event in await self._due():
                yield event
            await self._rest()
        yield ServerSentEvent(event="end", raw_data=bytes(problem(self._error).body).decode())

    async def _rest(self) -> None:
        """Until something happens; a permission that ends, by time or by being taken back, ends the stream."""
        self._check()  # it may have ended while the room was loaded
        expires_at = self._target.principal.expires_at
        if self._error is None:
            try:
                async with asyncio.timeout(None if expires_at is None else max(0.0, expires_at - time.time())):
                    await self._wake.wait()
            except TimeoutError:
                pass  # it is over now
            self._check()

    def _check(self) -> None:
        target = self._target
        try:
            target.parts.door.guard.still(target.principal, target.document, time.time())
        except CollabError as error:
            self._error = self._error or error

    async def _due(self) -> list[ServerSentEvent]:
        events = []
        if self._snapshots:
            self._snapshots = False
            for snapshot in await self._new_snapshots():
                self._snapshot = snapshot.id
                events.append(self._event("snapshot", snapshot.model_dump_json()))
        room = self._slot.room
        if room.ledger.seq > self._told_seq:
            self._told_seq = seq = room.ledger.seq
            events.append(self._event("update", f'{{"seq":{seq},"version":"{etags.version(room.lineage, seq)}"}}'))
        if self._presence:
            self._presence = False
            found = await self._parts.hub.neighbours.roster.ask(self._document)
            events.append(self._event("presence", written(found).decode()))
        return events

    def _event(self, kind: str, data: str) -> ServerSentEvent:
        seq = max(self._told_seq, 0)
        return ServerSentEvent(event=kind, raw_data=data, id=f"{self._slot.room.lineage}.{seq}.{self._snapshot}")

    async def _new_snapshots(self) -> list[SnapshotDetails]:
        """Those after the last one told, oldest first: ids are ordered by time."""
        page = await self._parts.snapshots.list(self._document, DEFAULT.page_size_max)
        return [snapshot_details(snapshot) for snapshot in reversed(page.items) if snapshot.id > self._snapshot]

    async def _skip_snapshots(self) -> None:
        newest = await self._parts.snapshots.list(self._document, 1)
        self._snapshot = newest.items[0].id if newest.items else "-"
        self._snapshots = False
