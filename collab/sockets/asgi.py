"""The portable shell: a plain ASGI WebSocket route, for other servers and for tests in one process."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Match, WebSocketRoute
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from collab.core.session import Session
from collab.errors import BadFrame, CollabError
from collab.protocol.frames import messages
from collab.sockets.admission import MOUNTS, Admission, Lobby, Sockets, close_reason, refusal_headers
from collab.sockets.arrivals import Arrivals
from collab.sockets.switchboard import Switchboard
from collab.sockets.upgrade import Upgrade

log = structlog.get_logger(__name__)

CLOSE_S = 1.0  # for a client that does not take what is queued for it


class AsgiConnection(ABC):
    """Bounded queue of messages and the task that writes them; past the bound the hub queues nothing more."""

    def __init__(self, websocket: WebSocket, sockets: Sockets) -> None:
        self._websocket = websocket
        self._sockets = sockets
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.closed = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self.error: CollabError | None = None
        self.full = False
        self.answered = self.heard = True

    @abstractmethod
    def attach(self) -> None:
        """Takes part; the queue fills from now on. Raises what ends it at once."""

    @abstractmethod
    def leave(self) -> None:
        """The socket is gone."""

    @abstractmethod
    def receive(self, data: bytes) -> float:
        """One message; returns the seconds for which nothing more should be read. Raises what ends the socket."""

    @abstractmethod
    def pause(self) -> None:
        """The queue is full."""

    @abstractmethod
    def resume(self) -> None:
        """It has drained."""

    def write(self, wire: bytes) -> None:
        """Queues; the frames are taken apart again, since the ASGI server does its own framing."""
        if self.error is not None:
            return
        self._queue.extend(messages(wire))
        self._bytes += len(wire)
        self._wake.set()
        if not self.full and self._bytes > self._sockets.limits.outbox_bytes_max:
            self.full = True
            asyncio.get_running_loop().call_soon(self._pause)

    def close(self, error: CollabError) -> None:
        """Ends the connection once what is queued has been written, or in a second if it is not taken."""
        if self.error is None:
            self.error = error
            self._wake.set()
            asyncio.get_running_loop().call_later(CLOSE_S, self.closed.set)

    def refuse(self, error: CollabError) -> None:
        """Counts, then closes."""
        self._sockets.refusals.count("socket", error.code)
        self.close(error)

    def hold(self) -> None:
        """The reader waits."""
        self.reading.clear()

    def go_on(self) -> None:
        """The reader goes on."""
        self.reading.set()

    def ping(self) -> None:
        """ASGI servers ping by themselves."""
        self.answered = self.heard = True

    def waiting_bytes(self) -> int:
        """In the queue; the ASGI server's own buffer cannot be seen."""
        return self._bytes

    def _pause(self) -> None:
        if self.full:
            self.pause()

    async def run(self) -> None:
        """Writes until closed. Ends by closing the socket with the error's code."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._websocket.send_bytes(self._queue.popleft())
            self._bytes = 0
            if self.full:
                self.full = False
                self.resume()
            if self.error is not None and not self._queue:
                await self._websocket.close(self.error.close_code, close_reason(self.error))
                return


class AsgiOutbox(AsgiConnection):
    """A socket of the plain dialect, the outbox of its session."""

    def __init__(self, websocket: WebSocket, sockets: Sockets, admission: Admission) -> None:
        super().__init__(websocket, sockets)
        self._admission = admission
        self.session: Session | None = None

    def attach(self) -> None:
        """Joins the room; the session's messages go through this outbox from now on."""
        self.session = self._sockets.join(self._admission, self)

    def leave(self) -> None:
        if self.session is not None:
            self._sockets.leave(self._admission, self.session, self.error)

    def receive(self, data: bytes) -> float:
        return 0.0 if self.session is None else self._sockets.hub.receive(self._admission.slot, self.session, data)

    def renew(self, token: bytes) -> None:
        """Presents a fresh ticket or token."""
        if self.session is not None:
            self._sockets.renew(self._admission, self.session, token)

    def pause(self) -> None:
        if self.session is not None:
            self._sockets.hub.pause(self._admission.slot, self.session)

    def resume(self) -> None:
        if self.session is not None:
            self._sockets.hub.resume(self._admission.slot, self.session)


class AsgiSwitchboard(AsgiConnection):
    """A socket of the Hocuspocus dialect. Satisfies `Line`."""

    def __init__(self, websocket: WebSocket, sockets: Sockets, lobby: Lobby) -> None:
        super().__init__(websocket, sockets)
        self.signs = 0
        self._board = Switchboard(sockets, lobby, self)

    def attach(self) -> None:
        """Its documents join on their own, one by one."""

    def leave(self) -> None:
        self._board.leave(self.error)

    def close(self, error: CollabError) -> None:
        super().close(error)
        self._board.leave(error)

    def receive(self, data: bytes) -> float:
        self.signs += 1
        return self._board.receive(data)

    def ping(self) -> None:
        """ASGI servers ping by themselves."""
        self.signs += 1

    def pause(self) -> None:
        self._board.pause()

    def resume(self) -> None:
        self._board.resume()


def route(sockets: Sockets) -> WebSocketRoute:
    """The route to mount in an ASGI application."""

    async def endpoint(websocket: WebSocket) -> None:
        try:
            admission = await sockets.admit(upgrade_of(websocket))
        except CollabError as error:
            await _deny(websocket, error)
            return
        try:
            await websocket.accept(admission.subprotocol)
        except BaseException:  # the client is gone already
            sockets.abandon(admission)
            raise
        await _serve(websocket, sockets, admission)

    return SyncRoute("/sync/{document:path}", endpoint)


def connection(websocket: WebSocket, sockets: Sockets, admission: Admission | Lobby) -> AsgiConnection:
    """The one for its dialect."""
    if isinstance(admission, Lobby):
        return AsgiSwitchboard(websocket, sockets, admission)
    return AsgiOutbox(websocket, sockets, admission)


class SyncRoute(WebSocketRoute):
    """Takes every name below the mounts, newlines included, which a path pattern would not match."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By prefix."""
        if scope["type"] == "websocket" and scope["path"].startswith(MOUNTS):
            return Match.FULL, {"endpoint": self.endpoint, "path_params": {}}
        return Match.NONE, {}


def upgrade_of(websocket: WebSocket) -> Upgrade:
    """The request as both shells see it."""
    scope = websocket.scope
    headers = Headers(scope=scope)
    peer = scope["client"][0] if scope.get("client") else None
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    values = {name: headers.getlist(name) for name in headers}
    return Upgrade(path, scope["query_string"].decode("latin-1"), values, peer, scope["scheme"] == "wss")


async def _deny(websocket: WebSocket, error: CollabError) -> None:
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(PlainTextResponse(error.detail, error.http_status, refusal_headers(error)))
    else:
        await websocket.close(error.close_code, close_reason(error))


async def _serve(websocket: WebSocket, sockets: Sockets, admission: Admission | Lobby) -> None:
    outbox = connection(websocket, sockets, admission)
    try:
        outbox.attach()
    except CollabError as error:
        sockets.abandon(admission)
        await websocket.close(error.close_code, close_reason(error))
        return
    writer = asyncio.create_task(outbox.run(), name="socket writer")
    reader = asyncio.create_task(_read(websocket, sockets, outbox), name="socket reader")
    closed = asyncio.create_task(outbox.closed.wait(), name="socket closed")
    try:
        await asyncio.wait((writer, reader, closed), return_when=asyncio.FIRST_COMPLETED)
        if reader.done() and outbox.error is not None:
            await asyncio.wait((writer, closed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        outbox.leave()
        for task in (writer, reader, closed):
            task.cancel()
        await asyncio.gather(writer, reader, closed, return_exceptions=True)


async def _read(websocket: WebSocket, sockets: Sockets, outbox: AsgiConnection) -> None:
    try:
        while websocket.client_state is WebSocketState.CONNECTED and outbox.error is None:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if outbox.error is not None:
                return  # ended while we waited: nothing more is taken
            if data is None:
                raise BadFrame("a text frame; this protocol is binary")
            pause_s = max(outbox.receive(data), _arrived(sockets.arrivals, len(data)))
            while pause_s > 0.0:
                await asyncio.sleep(pause_s)
                pause_s = sockets.hub.settings.full_pause_s if sockets.hub.congested else 0.0
            await outbox.reading.wait()
    except WebSocketDisconnect:
        return
    except CollabError as error:
        outbox.refuse(error)
    except Exception:
        log.exception("frame failed", path=websocket.scope["path"])
        outbox.refuse(CollabError())


def _arrived(arrivals: Arrivals, size_bytes: int) -> float:
    """How long to read nothing after a message: the ASGI server tells of large ones only once they have come."""
    return arrivals.read(size_bytes, asyncio.get_running_loop().time()) if size_bytes > arrivals.free_bytes else 0.0
