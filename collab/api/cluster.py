"""The console's way to the other nodes: what it asks them over the bus, and what this node answers theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from secrets import token_hex
from typing import TypeVar

from pydantic import BaseModel, RootModel, ValidationError

from collab.api.figures import HourView, NodeView, SessionLine, hour_view, node_view, session_lines
from collab.api.parts import Operations, Parts
from collab.api.watches import HOLD_S, TraceOrder, Watches
from collab.errors import CollabError, NotFound
from collab.inquiries import ASK_S
from collab.types import DocumentId

ALIVE, VIEW, HOUR, SESSIONS, FOLD, DRAIN, TRACE = ("alive", "view", "hour", "sessions", "fold", "drain", "trace")
FOLD_S = 30.0  # as long as the engine may take for one call

T = TypeVar("T", bound=BaseModel)


class Silent(BaseModel):
    """A node that did not answer; `heard_s` ago it still said that it lives."""

    node: str
    heard_s: float
    why: str


class Folded(BaseModel):
    """A checkpoint that was made; None if there was nothing to fold."""

    seq: int | None
    bytes: int | None


class Sessions(RootModel[list[SessionLine]]):
    """Those of one room on one node."""


class NodeHour(BaseModel):
    """The last hour of one node."""

    node: str
    hour: HourView


class Cluster:
    """All nodes that this one knows of, itself included."""

    def __init__(self, parts: Parts, operations: Operations) -> None:
        self._parts = parts
        self._operations = operations
        self._inquiries = parts.hub.neighbours.inquiries
        self.node = parts.hub.node
        self._drained: asyncio.Future[None] | None = None
        watches = Watches(parts)
        for what, answer in {
            ALIVE: self._answer_alive,
            VIEW: self._answer_view,
            HOUR: self._answer_hour,
            SESSIONS: self._answer_sessions,
            FOLD: self._answer_fold,
            DRAIN: self._answer_drain,
            TRACE: watches.answer,
        }.items():
            self._inquiries.answer(what, answer)

    # ------------------------------------------------------------------ asked here, of any node

    async def views(self) -> tuple[list[NodeView], list[Silent]]:
        """What the other nodes say of themselves, and who did not say anything in time."""
        return await self._all(VIEW, b"", NodeView)

    async def hour(self, node: str | None) -> dict[str, HourView]:
        """By node; of all that answer if none is named. Raises NodeSilent, NotFound."""
        own = {self.node: hour_view(self._operations.hour)}
        if node == self.node:
            return own
        if node is not None:
            return {node: NodeHour.model_validate_json(await self._one(node, HOUR)).hour}
        found, _ = await self._all(HOUR, b"", NodeHour)
        return own | {view.node: view.hour for view in found}

    async def sessions(self, document: DocumentId) -> list[SessionLine]:
        """Of the document's room on every node that answers."""
        found, _ = await self._all(SESSIONS, document.encode(), Sessions)
        return [*session_lines(self._parts, document), *(line for sessions in found for line in sessions.root)]

    async def fold(self, node: str | None, document: DocumentId) -> Folded:
        """A checkpoint now, by that node: its room then begins at it. Raises NodeSilent, NotFound."""
        if node in (None, self.node):
            return await self._fold(document)
        await self._one(node, ALIVE)
        return Folded.model_validate_json(await self._one(node, FOLD, document.encode(), FOLD_S))

    async def drain(self, node: str | None) -> None:
        """Raises NodeSilent, NotFound; then nothing was asked of a node that would do it when it wakes up, later."""
        if node in (None, self.node):
            await self._operations.drain()
        else:
            await self._one(node, ALIVE)
            await self._one(node, DRAIN)

    async def trace(self, node: str, document: DocumentId, content: bool) -> AsyncGenerator[list[bytes]]:
        """Lines of a trace on another node, as JSON; begins with none once it runs. Raises NodeSilent, NotFound."""
        order = TraceOrder(watch=token_hex(8), document=document, content=content, hold_s=0.0)
        while True:
            answer = await self._one(node, TRACE, order.model_dump_json().encode(), order.hold_s + ASK_S)
            yield answer.splitlines()
            order.hold_s = HOLD_S

    async def _all(self, what: str, question: bytes, kind: type[T]) -> tuple[list[T], list[Silent]]:
        heard = self._parts.hub.neighbours.heard()

        async def ask(node: str) -> T | Silent:
            try:
                return kind.model_validate_json(await self._inquiries.ask(node, what, question))
            except ValidationError:
                return Silent(node=node, heard_s=heard[node], why="it is of another version")
            except CollabError as error:
                return Silent(node=node, heard_s=heard[node], why=error.detail)

        told = await asyncio.gather(*map(ask, sorted(heard)))
        return [one for one in told if isinstance(one, kind)], [one for one in told if isinstance(one, Silent)]

    async def _one(self, node: str | None, what: str, question: bytes = b"", within_s: float = ASK_S) -> bytes:
        if node is None or node not in self._parts.hub.neighbours.heard():
            raise NotFound(f"there is no node {node!r}, or it is gone")
        return await self._inquiries.ask(node, what, question, within_s)

    # ------------------------------------------------------------------ answered here, to other nodes

    async def _answer_alive(self, question: bytes) -> bytes:
        return b""

    async def _answer_view(self, question: bytes) -> bytes:
        return node_view(self._parts).model_dump_json().encode()

    async def _answer_hour(self, question: bytes) -> bytes:
        return NodeHour(node=self.node, hour=hour_view(self._operations.hour)).model_dump_json().encode()

    async def _answer_sessions(self, question: bytes) -> bytes:
        return Sessions(session_lines(self._parts, question.decode())).model_dump_json().encode()

    async def _answer_fold(self, question: bytes) -> bytes:
        return (await self._fold(question.decode())).model_dump_json().encode()

    async def _answer_drain(self, question: bytes) -> bytes:
        self._drained = asyncio.ensure_future(self._operations.drain())  # longer than anybody waits
        return b""

    async def _fold(self, document: DocumentId) -> Folded:
        made = await self._operations.fold(document)
        return Folded(seq=made.seq if made else None, bytes=len(made.state) if made else None)
