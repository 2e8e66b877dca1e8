"""The fast shell: picows behind uvicorn's port. uvicorn's HTTP side hands the connection over at the upgrade.

The protocol class of picows is not public (`picows.picows.WSProtocol`), hence the pinned version. The handshake is
held until the caller is admitted and the document is loaded; a refusal is a plain HTTP answer.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from picows import (
    WSAutoPingStrategy,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not public, hence untyped

from collab.errors import CollabError, Draining
from collab.sockets.admission import Admission, Lobby, Sockets, refusal_headers
from collab.sockets.backlog import SLICE_BYTES, Backlog
from collab.sockets.connection import FastConnection
from collab.sockets.intake import Intake
from collab.sockets.listener import FastSocket
from collab.sockets.multiplexed import FastSwitchboard
from collab.sockets.pages import give_back
from collab.sockets.quiet import QUIET
from collab.sockets.request import canonical, parse

log = structlog.get_logger(__name__)


class FastProtocol(WSProtocol):  # type: ignore[misc]
    """What uvicorn instantiates per upgrade (`ws=` of its Config)."""

    __slots__ = ("_admission", "_free_bytes", "_held", "_state", "_task", "_transport", "is_arriving")
    sockets: ClassVar[Sockets]

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: object = None) -> None:
        super().__init__(
            None, None, False, self._listener, QUIET, True, None,
            False, 20.0, 20.0, WSAutoPingStrategy.PING_WHEN_IDLE, False,
            self.sockets.limits.sync_frame_bytes_max, None, 2048,
        )  # fmt: skip
        self._state = server_state
        self._held: bytearray | None = bytearray()
        self._admission: Admission | Lobby | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_arriving = False  # a frame that is large already, and has not ended
        self._free_bytes = self.sockets.arrivals.free_bytes

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._state.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self.sockets.arrivals.release(self)
        if self._task is not None:
            self._task.cancel()
        super().connection_lost(exc)
        if self._admission is not None:  # admitted, but gone before the socket opened
            self.sockets.abandon(self._admission)
            self._admission = None

    def buffer_updated(self, size: int) -> None:
        """picows reads frames; the beginning of a large one is memory that nobody else would count."""
        listener = self.listener
        if listener is None:
            super().buffer_updated(size)
            return
        backlog = listener.backlog
        if size > SLICE_BYTES or (backlog is not None and backlog.deaf):
            self._set_aside(self.get_buffer(-1)[:size])
            return
        listener.unread += size
        super().buffer_updated(size)
        if (listener.unread > self._free_bytes) != self.is_arriving:
            self._arrive(not self.is_arriving)

    def _set_aside(self, data: bytes | memoryview) -> None:
        """More than is looked at in one turn is copied: picows would go through all that its buffer holds."""
        listener = self.listener
        if listener is None:
            self.read_more()
            return
        if listener.backlog is None:
            listener.backlog = Backlog(self, self.sockets.hub.turns)
        if not listener.backlog.deaf:
            listener.backlog.put(data)
            listener.stop_reading()
            listener.backlog.take()

    # --- the backlog's connection

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes is looked at any more."""
        return self.listener is not None and self.listener.is_over

    @property
    def is_resting(self) -> bool:
        """Whether nothing is to be taken now."""
        return self.listener is not None and (self.listener.held or self.listener.resting)

    def feed(self, data: memoryview) -> bool:
        """Into picows' buffer, as if it had just been read; returns whether it all belongs to a frame still to end."""
        size_before = self._unread + len(data)
        while data:
            buffer = self.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.buffer_updated(size)
            data = data[size:]
        return self._unread == size_before

    @property
    def _unread(self) -> int:
        """Bytes of the frame that has begun."""
        return 0 if self.listener is None else int(self.listener.unread)

    def read_more(self) -> None:
        """The backlog is done."""
        if self.listener is not None and not self.is_over:
            self.listener.backlog = None
            if self.is_arriving:
                self.count_arriving()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # --- the handshake

    def _arrive(self, is_arriving: bool) -> None:
        """A large frame has begun, or ended."""
        self.is_arriving = is_arriving
        if not self._transport.is_closing():
            self._transport.set_protocol(Intake(self) if is_arriving else self)
            if not is_arriving:
                give_back(self.get_buffer(-1))  # picows would keep it as large as it was as long as the connection
        self.count_arriving()

    def count_arriving(self) -> None:
        """Tells the node how much has come of a large frame."""
        if self.is_arriving:
            self.sockets.arrivals.hold(self, self._unread, asyncio.get_running_loop().time())
        else:
            self.sockets.arrivals.release(self)

    def rest(self, pause_s: float) -> None:
        """Reads nothing for so long."""
        if pause_s > 0.0 and self.listener is not None:
            self.listener.rest(pause_s)

    def give_up(self) -> None:
        """The frame does not end, or there is no room for it."""
        if isinstance(self.listener, FastConnection):
            self.listener.give_up()

    def shutdown(self) -> None:
        """uvicorn calls this on every open connection when it goes down."""
        if isinstance(self.listener, FastConnection):
            self.listener.close(Draining())
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """The replayed upgrade request first; later calls come only until reading is switched to picows' buffer."""
        if self._held is None:
            self._set_aside(data)
            return
        self._held += data
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._admit(bytes(data)), name="admit socket")
        elif len(self._held) > self.sockets.limits.preload_bytes_max:
            self._transport.close()

    async def _admit(self, request: bytes) -> None:
        try:
            self._admission = await self.sockets.admit(parse(request, self._transport))
        except CollabError as error:
            self._answer(error)
        except Exception:
            log.exception("socket admission failed")
            self._answer(CollabError())
        else:
            self._begin()

    def _begin(self) -> None:
        if self._transport.is_closing():
            return
        request, end, frames = canonical(bytes(self._held or b"")).partition(b"\r\n\r\n")
        self._held, self._task = None, None
        self.feed(memoryview(request + end))
        if self.transport is not None and self.transport.request is not None:
            self.transport.request.headers.clear()  # picows keeps them as long as the connection
            self.transport.response.headers.clear()
        # uvloop picks its read callback (plain or buffered) when reading starts: restart it for picows' buffer
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self._set_aside(frames)

    def _answer(self, error: CollabError) -> None:
        status = HTTPStatus(error.http_status)
        body = error.detail.encode()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain\r\nconnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in refusal_headers(error).items())
        self._transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self._transport.close()

    def _listener(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener | None:
        admission, self._admission = self._admission, None
        if admission is None:
            return None
        headers = {"Sec-WebSocket-Protocol": admission.subprotocol} if admission.subprotocol else None
        response = WSUpgradeResponse.create_101_response(extra_headers=headers)
        if isinstance(admission, Lobby):
            return WSUpgradeResponseWithListener(response, FastSwitchboard(self.sockets, admission))
        return WSUpgradeResponseWithListener(response, FastSocket(self.sockets, admission))
