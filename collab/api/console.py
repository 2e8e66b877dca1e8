"""What the console at /console shows and does, for admins. Its shapes follow the page, so the OpenAPI leaves it out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from collab.api.cluster import Cluster, Folded, Silent
from collab.api.deps import AdminDep, EncodedId, PartsDep, Target
from collab.api.figures import HourView, NodeView, SessionLine, merged, node_view
from collab.api.parts import Parts
from collab.api.problems import problem
from collab.api.watches import HOLD_S, next_lines
from collab.errors import CollabError, NotFound, StorageUnavailable
from collab.sockets.admission import document_id
from collab.trace import Trace

router = APIRouter(prefix="/console", tags=["console"], include_in_schema=False)


class ConsoleView(NodeView):
    """The node that answers, and the others: `silent` are those that did not tell of themselves in time.

    `quarantined` is what the database says, for all nodes; None while it cannot.
    """

    open: bool
    quarantined: list[tuple[str, str]] | None
    others: list[NodeView]
    silent: list[Silent]


async def cluster(request: Request, admin: AdminDep) -> Cluster:
    """Raises Unauthorized, Forbidden."""
    found: Cluster | None = request.app.state.cluster
    if found is None:
        raise NotFound("this node has no console")
    return found


ClusterDep = Annotated[Cluster, Depends(cluster)]
NodeQuery = Annotated[str | None, Query(description="Which node; the one that answers, if none is named.")]


@router.get("")
async def read_console(parts: PartsDep, nodes: ClusterDep) -> ConsoleView:
    """Everything at a glance, on all nodes that answer in time."""
    (others, silent), quarantined = await asyncio.gather(nodes.views(), _quarantined(parts))
    return ConsoleView(
        **dict(node_view(parts)),
        open=parts.door.guard.openness.open,
        quarantined=quarantined,
        others=others,
        silent=silent,
    )


async def _quarantined(parts: Parts) -> list[tuple[str, str]] | None:
    """None while the database cannot say: the console must work then, too."""
    try:
        return await parts.permissions.census.quarantined()
    except StorageUnavailable:
        return None


@router.get("/hour")
async def read_hour(nodes: ClusterDep, node: NodeQuery = None) -> HourView:
    """For the plots: of one node, or of all that answer together."""
    return merged(await nodes.hour(node))


@router.get("/rooms/{document}")
async def read_room(document: EncodedId, parts: PartsDep, nodes: ClusterDep) -> list[SessionLine]:
    """Who is in it, on all nodes that answer; nobody if it is not open."""
    return await nodes.sessions(document_id(document, parts.limits))


@router.post("/rooms/{document}/checkpoint")
async def fold_room(
    document: EncodedId, parts: PartsDep, nodes: ClusterDep, by: AdminDep, node: NodeQuery = None
) -> Folded:
    """Folds the document's log now."""
    name = document_id(document, parts.limits)
    made = await nodes.fold(node, name)
    parts.permissions.audit.tell("document.checkpoint", by, name)
    return made


@router.post("/drain", status_code=202)
async def drain(parts: PartsDep, nodes: ClusterDep, by: AdminDep, node: NodeQuery = None) -> None:
    """Closes every socket of a node with 1012 and lets nobody in again; its /readyz is red. Only a restart ends it."""
    parts.permissions.audit.tell("node.drain", by, node=node or nodes.node)
    await nodes.drain(node)


async def traced(
    document: EncodedId,
    parts: PartsDep,
    nodes: ClusterDep,
    by: AdminDep,
    content: Annotated[bool, Query()] = False,
    node: NodeQuery = None,
) -> AsyncIterator[AsyncIterator[list[bytes]]]:
    """Lines of an existing document, whose room stays pinned meanwhile. Content is asked for, and audited."""
    target = Target(parts, document_id(document, parts.limits), by)
    told = {"content": str(content).lower(), "node": node or nodes.node}
    if node in (None, nodes.node):
        async with target.room() as slot:
            target.tell("document.trace", **told)
            async with aclosing(_lines(Trace(slot, parts.limits, content))) as lines:
                yield lines
    else:
        async with aclosing(nodes.trace(str(node), target.document, content)) as lines:
            await anext(lines)  # it runs, or has said why not
            target.tell("document.trace", **told)
            yield lines


async def _lines(trace: Trace) -> AsyncGenerator[list[bytes]]:
    """None, too, every second: whether it may go on is asked with each."""
    with trace.watching():
        while True:
            lines: list[bytes] = []
            with suppress(TimeoutError):
                async with asyncio.timeout(HOLD_S):
                    lines = await next_lines(trace)
            yield lines


@router.get("/rooms/{document}/trace", response_class=EventSourceResponse)
async def trace_room(
    document: EncodedId,
    parts: PartsDep,
    by: AdminDep,
    traced: Annotated[AsyncIterator[list[bytes]], Depends(traced)],
) -> AsyncIterator[ServerSentEvent]:
    """Frames as they pass: `line` events, each with how many were dropped so far because the watcher was slow.

    `end` is the last one, a problem: the permission has expired, or was revoked.
    """
    name = document_id(document, parts.limits)
    async for lines in traced:
        try:
            parts.door.guard.still(by, name, time.time())
        except CollabError as error:
            yield ServerSentEvent(event="end", raw_data=bytes(problem(error).body).decode())
            return
        for line in lines:
            yield ServerSentEvent(event="line", raw_data=line.decode())
