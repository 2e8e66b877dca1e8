"""What one node tells of itself, for the console: its figures, its rooms, who is in one, its last hour."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping

from pydantic import BaseModel

from collab import __version__
from collab.api.parts import Parts
from collab.hour import Hour
from collab.slot import Slot
from collab.types import DocumentId

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


class NodeView(BaseModel):
    """One node, now. `figures` are what Prometheus would be told; of its rooms those with most sockets."""

    node: str
    host: str
    version: str
    draining: bool
    figures: dict[str, float]
    refusals: list[Refused]
    rooms: list[RoomLine]
    rooms_open: int


class SessionLine(BaseModel):
    """One socket in a room."""

    node: str
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


def node_view(parts: Parts) -> NodeView:
    """Everything at a glance; the busiest rooms first."""
    hub, now = parts.hub, asyncio.get_running_loop().time()
    slots = sorted(hub.slots.values(), key=lambda slot: (-len(slot.room.sessions), slot.room.document))
    return NodeView(
        node=hub.node,
        host=platform.node(),
        version=__version__,
        draining=hub.draining,
        figures={name: float(value) for name, value in [*parts.counters.items(), *parts.gauges().items()]},
        refusals=[Refused(where=where, code=code, count=n) for (where, code), n in parts.refusals.counts.items()],
        rooms=[_room(slot, now) for slot in slots[:ROOMS_SHOWN]],
        rooms_open=len(slots),
    )


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
        read_only=None if room.read_only is None else room.read_only.detail,
        behind=len(waits),
        behind_s=max(waits, default=0.0),
    )


def session_lines(parts: Parts, document: DocumentId) -> list[SessionLine]:
    """Who is in the document's room on this node; nobody if it is not open."""
    slot = parts.hub.slots.get(document)
    now = asyncio.get_running_loop().time()
    return [
        SessionLine(
            node=parts.hub.node,
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


def hour_view(hour: Hour) -> HourView:
    """For the plots; four digits that count, since an answer may cross to another node."""
    at, series = hour.series()
    return HourView(
        sample_s=hour.sample_s,
        at=[round(moment, 1) for moment in at],
        series={name: [float(f"{value:.4g}") for value in values] for name, values in series.items()},
    )


WORST = frozenset(("commit_seconds_p50", "commit_seconds_p99"))  # the slowest node's; of all else the sum
OLD_SAMPLES = 2  # a node's value counts for so many samples after it was taken


def merged(views: Mapping[str, HourView]) -> HourView:
    """Several nodes' hours as one: sums, and of times the worst, on a common grid of the samples' length."""
    sample_s = next((view.sample_s for view in views.values()), 1.0)
    steps = {node: {int(at // sample_s): place for place, at in enumerate(view.at)} for node, view in views.items()}
    grid = sorted({step for taken in steps.values() for step in taken})
    names = {name for view in views.values() for name in view.series}
    series: dict[str, list[float]] = {name: [] for name in sorted(names)}
    for step in grid:
        places = {node: _place(taken, step) for node, taken in steps.items()}
        here = [(views[node].series, place) for node, place in places.items() if place is not None]
        for name, values in series.items():
            found = [told[name][place] for told, place in here if name in told]
            values.append((max if name in WORST else sum)(found or [0.0]))
    return HourView(sample_s=sample_s, at=[step * sample_s for step in grid], series=series)


def _place(taken: Mapping[int, int], step: int) -> int | None:
    """Which sample of a node counts at this step: clocks drift, so that now and then one has none of its own."""
    return next((taken[at] for at in range(step, step - OLD_SAMPLES - 1, -1) if at in taken), None)
