"""What the console at /console shows and does, for admins. Its shapes follow the page, so the OpenAPI leaves it out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from collab import __version__
from collab.api.deps import AdminDep, EncodedId, PartsDep, Target
from collab.api.parts import Operations, Parts
from collab.errors import NotFound, StorageUnavailable
from collab.slot import Slot
from collab.sockets.admission import document_id
from collab.trace import Trace

router = APIRouter(prefix="/console", tags=["console"], include_in_schema=False)

ROOMS_SHOWN = 200


class RoomLine(BaseModel):
    """One open room. `behind` are readers whose outbox is full, `behind_s` is the longest of them."""

    document: str
    sockets: int
    people: int
    bytes: int
    tail: int
    seq: int
    unsaved: bool
    read_only: str | None
    behind: int
    behind_s: float


class Refused(BaseModel):
    """How often an error code was given; `where` is "socket" or "rest"."""

    where: str
    code: str
    count: int


class ConsoleView(BaseModel):
    """This node, now. `figures` are what Prometheus would be told."""

    node: str
    version: str
    open: bool
    draining: bool
    figures: dict[str, float]
    refusals: list[Refused]
    quarantined: list[tuple[str, str]] | None
    rooms: list[RoomLine]
    rooms_open: int


class SessionLine(BaseModel):
    """One socket in a room."""

    id: str
    user: str
    name: str | None
    kind: str
    access: str
    expires_at: float | None
    waits_for_disk: bool
    behind_s: float | None


class HourView(BaseModel):
    """Samples of the last hour: `at` in Unix seconds, and for each name as many values."""

    sample_s: float
    at: list[float]
    series: dict[str, list[float]]


class Folded(BaseModel):
    """A checkpoint that was made; None if there was nothing to fold."""

    seq: int | None
    bytes: int | None


async def operations(parts: PartsDep, admin: AdminDep) -> Operations:
    """Raises Unauthorized, Forbidden."""
    if parts.operations is None:
        raise NotFound("this node has no console")
    return parts.operations


OperationsDep = Annotated[Operations, Depends(operations)]


@router.get("")
async def read_console(parts: PartsDep, ops: OperationsDep) -> ConsoleView:
    """Everything at a glance; the busiest rooms first."""
    hub, now = parts.hub, asyncio.get_running_loop().time()
    slots = sorted(hub.slots.values(), key=lambda slot: (-len(slot.room.sessions), slot.room.document))
    return ConsoleView(
        node=hub.node,
        version=__version__,
        open=parts.door.guard.openness.open,
        draining=hub.draining,
        figures={name: float(value) for name, value in [*parts.counters.items(), *parts.gauges().items()]},
        refusals=[Refused(where=where, code=code, count=n) for (where, code), n in parts.refusals.counts.items()],
        quarantined=await _quarantined(parts),
        rooms=[_room(slot, now) for slot in slots[:ROOMS_SHOWN]],
        rooms_open=len(slots),
    )


async def _quarantined(parts: Parts) -> list[tuple[str, str]] | None:
    """None while the database cannot say: the console must work then, too."""
    try:
        return await parts.permissions.census.quarantined()
    except StorageUnavailable:
        return None


def _room(slot: Slot, now: float) -> RoomLine:
    room = slot.room
    waits = [now - session.slow_since for session in room.sessions if session.slow_since is not None]
    return RoomLine(
        document=room.document,
        sockets=len(room.sessions),
        people=len(list(room.awareness.people())),
        bytes=room.history.size_bytes,
        tail=len(room.history.tail),
        seq=room.ledger.seq,
        unsaved=room.unsaved,
        read_only=room.read_only,
        behind=len(waits),
        behind_s=max(waits, default=0.0),
    )


@router.get("/hour")
async def read_hour(ops: OperationsDep) -> HourView:
    """For the plots."""
    at, series = ops.hour.series()
    return HourView(sample_s=ops.hour.sample_s, at=at, series=series)


@router.get("/rooms/{document}")
async def read_room(document: EncodedId, parts: PartsDep, ops: OperationsDep) -> list[SessionLine]:
    """Who is in it on this node; nobody if it is not open."""
    slot = parts.hub.slots.get(document_id(document, parts.limits))
    now = asyncio.get_running_loop().time()
    return [
        SessionLine(
            id=session.id,
            user=session.principal.id,
            name=session.principal.name,
            kind=session.principal.kind,
            access=session.access.name.lower(),
            expires_at=session.principal.expires_at,
            waits_for_disk=session.owes_status is not None,
            behind_s=None if session.slow_since is None else now - session.slow_since,
        )
        for session in (slot.room.sessions if slot is not None else ())
    ]


@router.post("/rooms/{document}/checkpoint")
async def fold_room(document: EncodedId, parts: PartsDep, ops: OperationsDep, by: AdminDep) -> Folded:
    """Folds the document's log now."""
    name = document_id(document, parts.limits)
    made = await ops.fold(name)
    parts.permissions.audit.tell("document.checkpoint", by, name)
    return Folded(seq=made.seq if made else None, bytes=len(made.state) if made else None)


@router.post("/drain", status_code=202)
async def drain(parts: PartsDep, ops: OperationsDep, by: AdminDep) -> None:
    """Closes every socket with 1012 and lets nobody in again; /readyz is red. Only a restart ends it."""
    parts.permissions.audit.tell("node.drain", by, node=parts.hub.node)
    await ops.drain()


async def traced(
    document: EncodedId, parts: PartsDep, by: AdminDep, content: Annotated[bool, Query()] = False
) -> AsyncIterator[Trace]:
    """A trace of an existing document, whose room stays pinned meanwhile. Content is asked for, and audited."""
    target = Target(parts, document_id(document, parts.limits), by)
    async with target.room() as slot:
        parts.permissions.audit.tell("document.trace", by, target.document, content=str(content).lower())
        yield Trace(slot, parts.limits, content)


@router.get("/rooms/{document}/trace", response_class=EventSourceResponse)
async def trace_room(trace: Annotated[Trace, Depends(traced)]) -> AsyncIterator[ServerSentEvent]:
    """Frames as they pass: `line` events, each with how many were dropped so far because the watcher was slow."""
    with trace.watching():
        while True:
            for line in await trace.lines():
                told = orjson.dumps({**asdict(line), "dropped": trace.dropped}).decode()
                yield ServerSentEvent(event="line", raw_data=told)
