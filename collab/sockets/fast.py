"""The fast shell: picows behind uvicorn's port. uvicorn's HTTP side hands the connection over at the upgrade.

The protocol class of picows is not public (`picows.picows.WSProtocol`), hence the pinned version. The handshake is
held until the caller is admitted and the document is loaded; a refusal is a plain HTTP answer.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, cast

import structlog
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not public, hence untyped

from collab.core.session import Session
from collab.errors import BadFrame, CollabError, Draining, Overloaded, TooLarge
from collab.sockets.admission import Admission, Sockets, refusal_headers
from collab.sockets.quiet import QUIET
from collab.sockets.request import canonical, parse

log = structlog.get_logger(__name__)

BINARY, CONTINUATION, CLOSE = WSMsgType.BINARY, WSMsgType.CONTINUATION, WSMsgType.CLOSE
LINGER_S = 1.0  # what comes this long after our close frame is read and dropped
CLOSE_S = 2.0
REASON_BYTES_MAX = 123  # of a close frame (RFC 6455 5.5)
HELD_BYTES_MAX = 64 * 1024  # what a client may send before it is admitted; honest ones send nothing


class FastSocket(WSListener):
    """One connection: reads frames into its room and is its session's outbox."""

    __slots__ = (
        "_take",
        "admission",
        "full",
        "heard",
        "held",
        "parts",
        "session",
        "sockets",
        "transport",
        "unread",
        "write",
    )

    def __init__(self, sockets: Sockets, admission: Admission) -> None:
        self.sockets = sockets
        self._take = sockets.hub.receive
        self.admission = admission
        self.session: Session | None = None
        self.transport: WSTransport | None = None
        self.parts: list[bytes] | None = None
        self.heard = True
        self.full = False
        self.held = False
        self.unread = 0  # bytes that have come since the last frame: the beginning of one

    # --- outbox

    def close(self, error: CollabError) -> None:
        """Sends the error's close code and hangs up; the session is over at once, whether that is read or not."""
        self._leave(error)
        transport = self.transport
        if transport is not None and not (transport.is_disconnected or transport.is_close_frame_sent):
            reason = error.detail.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
            transport.send_close(cast(WSCloseCode, error.close_code), reason)
            self._linger(transport)

    def _linger(self, transport: WSTransport) -> None:
        """Reads on until the client has hung up, for a moment: closing over what it had sent meanwhile would reset
        the connection, and who was typing would lose the close code, come back, and be refused again and again.
        """
        underlying = transport.underlying_transport
        if not underlying.is_closing() and not underlying.is_reading():
            underlying.resume_reading()
        loop = asyncio.get_running_loop()
        loop.call_later(LINGER_S, transport.disconnect)
        loop.call_later(CLOSE_S, self._abort)

    def _abort(self) -> None:
        """For a client that does not take what is queued for it."""
        if self.transport is not None:
            self.transport.underlying_transport.abort()

    def _leave(self, error: CollabError | None = None) -> None:
        session, self.session = self.session, None  # nothing more of this connection is looked at
        if session is not None:
            self.sockets.leave(self.admission, session, error)

    def refuse(self, error: CollabError) -> None:
        """Counts, then closes. What still comes of a connection that is over is not looked at."""
        if self.session is None:
            return
        self.sockets.refusals.count("socket", error.code)
        self.close(error)

    def hold(self) -> None:
        """Stops reading; frames that are in picows' buffer still come."""
        self.held = True
        if self.transport is not None and not self.transport.underlying_transport.is_closing():
            self.transport.underlying_transport.pause_reading()

    def go_on(self) -> None:
        """Reads again."""
        self.held, self.heard = False, True
        self._wake()

    def ping(self) -> None:
        """A WebSocket ping; any frame in answer sets `heard`."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send_ping()

    def waiting_bytes(self) -> int:
        """In the transport's buffer."""
        return 0 if self.transport is None else int(self.transport.underlying_transport.get_write_buffer_size())

    # --- events of picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        underlying = transport.underlying_transport
        underlying.set_write_buffer_limits(high=self.sockets.limits.outbox_bytes_max)
        self.write = underlying.write
        transport.request.headers.clear()  # picows keeps them as long as the connection
        transport.response.headers.clear()
        try:
            self.session = self.sockets.join(self.admission, self)
        except CollabError as error:
            self.sockets.abandon(self.admission)
            self.close(error)
        else:
            if self.full:  # the greeting alone was too much: it came before there was a session to pause
                self.sockets.hub.pause(self.admission.slot, self.session)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.heard = True
        self.unread = 0
        kind = frame.msg_type
        if kind == BINARY and frame.fin and self.parts is None and not frame.rsv1:
            self._receive(frame.get_payload_as_bytes())
        elif kind == BINARY or kind == CONTINUATION:
            self._fragment(kind, frame)
        elif kind == CLOSE:
            self._leave()
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind == WSMsgType.PING:
            self._pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.TEXT:
            self.refuse(BadFrame("a text frame; this protocol is binary"))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.parts = None
        self.sockets.arrivals.release(self)
        self._leave()

    def give_up(self) -> None:
        """What it began to send does not end, or there is no room for it."""
        self.parts = None
        self.refuse(Overloaded("a large message did not arrive in time, or too many were under way"))
        self._abort()

    def pause_writing(self) -> None:
        self.full = True
        if self.session is not None:
            self.sockets.hub.pause(self.admission.slot, self.session)

    def resume_writing(self) -> None:
        self.full = False
        if self.session is not None:
            self.sockets.hub.resume(self.admission.slot, self.session)

    # --- frames

    def _receive(self, message: bytes) -> None:
        if self.session is None:
            return
        try:
            pause_s = self._take(self.admission.slot, self.session, message)
        except CollabError as error:
            self.refuse(error)
            return
        except Exception:  # picows would end the connection, too, but not say why
            log.exception("frame failed", document=self.admission.slot.room.document)
            self.refuse(CollabError())
            return
        if pause_s > 0.0:
            self._rest(pause_s)

    def _pong(self, payload: bytes) -> None:
        """Pings count as frames; who does not read what it is sent gets no answers to keep for it."""
        session = self.session
        if session is None or self.full or self.transport is None:
            return
        self.transport.send_pong(payload)
        try:
            pause_s = self.sockets.hub.reception.count(session)
        except CollabError as error:
            self.refuse(error)
            return
        if pause_s > 0.0:
            self._rest(pause_s)

    def _fragment(self, kind: WSMsgType, frame: WSFrame) -> None:
        if self.session is None:
            return
        if frame.rsv1:
            self.refuse(BadFrame("a compressed frame; compression was not agreed on"))
            return
        if (kind == BINARY) != (self.parts is None):
            self.refuse(BadFrame("fragments out of order"))
            return
        if self.parts is None:
            self.parts = []
        self.parts.append(frame.get_payload_as_bytes())
        limits, arrivals = self.sockets.limits, self.sockets.arrivals
        size = sum(map(len, self.parts))
        if len(self.parts) > limits.fragments_max or size > limits.sync_frame_bytes_max:
            self.parts = None
            self.refuse(TooLarge("too many or too large fragments"))
        elif frame.fin:
            message, self.parts = b"".join(self.parts), None
            arrivals.release(self)
            self._receive(message)
        elif size > arrivals.free_bytes:
            arrivals.hold(self, size, asyncio.get_running_loop().time())

    def _rest(self, pause_s: float) -> None:
        """Not reading is how a socket is slowed: its own sender waits, nothing is lost."""
        if self.transport is None:
            return
        underlying = self.transport.underlying_transport
        if underlying.is_closing() or not underlying.is_reading():
            return
        underlying.pause_reading()
        asyncio.get_running_loop().call_later(pause_s, self._wake)

    def _wake(self) -> None:
        if self.held or self.transport is None or self.transport.underlying_transport.is_closing():
            return
        if self.sockets.hub.congested:
            self.heard = True  # it cannot be heard now
            asyncio.get_running_loop().call_later(self.sockets.hub.settings.full_pause_s, self._wake)
        else:
            self.transport.underlying_transport.resume_reading()


class FastProtocol(WSProtocol):  # type: ignore[misc]
    """What uvicorn instantiates per upgrade (`ws=` of its Config)."""

    __slots__ = ("_admission", "_arriving", "_free_bytes", "_held", "_state", "_task", "_transport")
    sockets: ClassVar[Sockets]

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: object = None) -> None:
        super().__init__(
            None, None, False, self._listener, QUIET, True, None,
            False, 20.0, 20.0, WSAutoPingStrategy.PING_WHEN_IDLE, False,
            self.sockets.limits.sync_frame_bytes_max, None, 2048,
        )  # fmt: skip
        self._state = server_state
        self._held: bytearray | None = bytearray()
        self._admission: Admission | None = None
        self._task: asyncio.Task[None] | None = None
        self._arriving = False
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
        listener.unread += size
        super().buffer_updated(size)
        if listener.unread > self._free_bytes or self._arriving:
            self._count_arriving(listener.unread)

    def _count_arriving(self, unread: int) -> None:
        self._arriving = unread > self._free_bytes
        if self._arriving:
            self.sockets.arrivals.hold(self, unread, asyncio.get_running_loop().time())
        else:
            self.sockets.arrivals.release(self)

    def give_up(self) -> None:
        """The frame does not end, or there is no room for it."""
        if isinstance(self.listener, FastSocket):
            self.listener.give_up()

    def shutdown(self) -> None:
        """uvicorn calls this on every open connection when it goes down."""
        if isinstance(self.listener, FastSocket):
            self.listener.close(Draining())
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """The replayed upgrade request first; later calls come only until reading is switched to picows' buffer."""
        if self._held is None:
            self._feed(data)
            return
        self._held += data
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._admit(bytes(data)), name="admit socket")
        elif len(self._held) > HELD_BYTES_MAX:
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
        held, self._held, self._task = bytes(self._held or b""), None, None
        self._feed(canonical(held))
        # uvloop picks its read callback (plain or buffered) when reading starts: restart it for picows' buffer
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self._transport.resume_reading()

    def _feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            buffer = self.get_buffer(-1)
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            self.buffer_updated(size)
            view = view[size:]

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
        return WSUpgradeResponseWithListener(response, FastSocket(self.sockets, admission))
