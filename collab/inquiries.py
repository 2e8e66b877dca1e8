"""Questions that one node asks another over the bus: answered within a moment, or not at all.

For what people look at (the console), never for what documents need: the bus may lose a question or its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_bytes

import structlog

from collab.bus.base import Bus, BusFrame, Kind
from collab.errors import CollabError, NodeSilent, Overloaded, all_errors
from collab.types import DocumentId

log = structlog.get_logger(__name__)

ASK_S = 0.5  # two hops and the answer's making; the console looks once a second
ANSWERING_MAX = 64  # at a time; who asks more is told so
ERRORS = {kind.code: kind for kind in all_errors()}

Answer = Callable[[bytes], Awaitable[bytes]]
"""Makes the answer to one question; a CollabError goes back to who asked."""


def channel(node: str) -> DocumentId:
    """Where one node alone listens. No document has such an id: theirs are printable."""
    return f"\x01{node}"


class Inquiries:
    """Both sides of it, of one node."""

    def __init__(self, node: str, bus: Bus) -> None:
        self._node = node
        self._bus = bus
        self._answers: dict[str, Answer] = {}
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """To be called before anybody may ask."""
        await self._bus.subscribe(channel(self._node))

    def answer(self, what: str, answer: Answer) -> None:
        """From now on questions for `what` are answered so."""
        self._answers[what] = answer

    async def ask(self, node: str, what: str, question: bytes = b"", within_s: float = ASK_S) -> bytes:
        """Raises NodeSilent, or what the other node raised."""
        name = token_bytes(8)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[name] = answered
        try:
            self._send(Kind.QUESTION, node, name, what.encode(), question)
            async with asyncio.timeout(within_s):
                return await answered
        except TimeoutError:
            raise NodeSilent(f"node {node} did not answer within {within_s:g} s") from None
        finally:
            del self._waiting[name]

    def take(self, frame: BusFrame) -> None:
        """A QUESTION or an ANSWER for this node. Raises ValueError for one that is neither."""
        name, what, body = frame.bodies
        if frame.kind is Kind.QUESTION:
            self._begin(frame.node, name, what.decode(), body)
        elif (answered := self._waiting.get(name)) is not None and not answered.done():
            if what:
                answered.set_exception(ERRORS.get(what.decode(), CollabError)(body.decode()))
            else:
                answered.set_result(body)

    def _begin(self, node: str, name: bytes, what: str, question: bytes) -> None:
        if len(self._answering) >= ANSWERING_MAX:
            self._send(Kind.ANSWER, node, name, Overloaded.code.encode(), b"this node answers too much at a time")
            return
        task = asyncio.create_task(self._reply(node, name, what, question), name=f"answer {what}")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _reply(self, node: str, name: bytes, what: str, question: bytes) -> None:
        refusal, body = b"", b""
        try:
            if what not in self._answers:
                raise NodeSilent(f"node {self._node} does not know how to answer {what}")
            body = await self._answers[what](question)
        except CollabError as error:
            refusal, body = error.code.encode(), error.detail.encode()
        except Exception:
            log.exception("question failed", what=what, node=node)
            refusal, body = CollabError.code.encode(), b"the answer failed; that node's log says more"
        self._send(Kind.ANSWER, node, name, refusal, body)

    def _send(self, kind: Kind, node: str, *bodies: bytes) -> None:
        self._bus.publish(BusFrame(kind, self._node, channel(node), bodies=bodies))
