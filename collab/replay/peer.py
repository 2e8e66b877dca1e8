"""One client on a WebSocket: the plain Yjs dialect, reconnecting for as long as that may help."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from picows.common import WSHandshakeError
from pycrdt import Doc

from collab.errors import BadFrame, CollabError, StorageUnavailable
from collab.protocol import messages
from collab.protocol.messages import Kind
from collab.protocol.varint import read_varuint, write_varuint
from collab.replay.address import Address

FRAME_BYTES_MAX = 256 << 20  # a step 2 is the whole document
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # a restart takes a second or two
FINAL_CODES = range(4400, 4500)


class Peer:
    """Keeps `replica` in touch with the server.

    `receive` gets every update that others made (it must merge it into the replica), `changed` is called after each
    frame. `saved` is the highest count that the server has confirmed as durable after `ask`.
    """

    def __init__(
        self, address: Address, replica: Doc[Any], receive: Callable[[bytes], object], changed: Callable[[], None]
    ) -> None:
        self.synced = False
        self.saved = 0
        self.live = False  # connected, and the server has been given what it lacked
        self._address = address
        self._replica = replica
        self._receive = receive
        self._changed = changed
        self._transport: WSTransport | None = None
        self._asked: int | None = None

    async def run(self) -> None:
        """Connects, again and again. Raises CollabError when the server's refusal is final or lasts."""
        failures = 0
        while failures < len(RETRY_S):
            self.synced = False
            try:
                transport, _ = await ws_connect(
                    lambda: _Listener(self._opened, self._frame),
                    self._address.socket,
                    max_frame_size=FRAME_BYTES_MAX,
                    extra_headers=self._address.headers,
                )
            except (OSError, WSHandshakeError, TimeoutError) as error:
                reason = str(error)
            else:
                reason = await self._stay(transport)
            failures = 0 if self.synced else failures + 1
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
        raise StorageUnavailable(f"{self._address.socket} cannot be reached: {reason}")

    def send(self, update: bytes) -> None:
        """Sends an update that is in the replica already; offline, the next handshake will bring it."""
        if self.live and self._transport is not None:
            self._transport.send(WSMsgType.BINARY, messages.encode_update(update))

    def ask(self, count: int) -> None:
        """Asks for durability of the first `count` edits; one question at a time."""
        if self.live and self._transport is not None and self._asked is None and count > self.saved:
            self._asked = count
            self._transport.send(WSMsgType.BINARY, messages.encode_status(write_varuint(count)))

    def _opened(self, transport: WSTransport) -> None:
        """Before the first frame: those that come with the handshake's answer are handled before anybody awaits."""
        self._transport, self._asked = transport, None
        transport.send(WSMsgType.BINARY, messages.encode_step1(self._replica.get_state()))

    async def _stay(self, transport: WSTransport) -> str:
        try:
            await transport.wait_disconnected()
        finally:
            self.live = False
            self._transport = None
            transport.disconnect()
        closing = transport.close_handshake
        told = closing.recv if closing is not None else None
        if told is not None and _code(told) in FINAL_CODES:
            raise CollabError(f"the server closed the socket: {_code(told)} {told.reason}")
        return "the connection was lost" if told is None else f"closed: {_code(told)} {told.reason}"

    def _frame(self, transport: WSTransport, data: bytes) -> None:
        if data[:2] == b"\x02\x00":
            raise BadFrame(f"denied: {data[3:].decode(errors='replace')}")
        kind, body = messages.decode(data)
        if kind is Kind.STEP1:
            transport.send(WSMsgType.BINARY, messages.encode_step2(self._replica.get_update(body)))
            self.live = True
        elif kind is Kind.STEP2 or kind is Kind.UPDATE:
            self._receive(body)
            self.synced = self.synced or kind is Kind.STEP2
        elif kind is Kind.STATUS:
            self.saved = max(self.saved, read_varuint(body, 0)[0])
            self._asked = None
        self._changed()


def _code(told: Any) -> int:
    return int(getattr(told.code, "value", told.code))  # codes of applications are plain numbers


class _Listener(WSListener):
    """Joins fragments and hands whole messages on."""

    def __init__(self, opened: Callable[[WSTransport], None], deliver: Callable[[WSTransport, bytes], None]) -> None:
        self._opened = opened
        self._deliver = deliver
        self._fragments: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._opened(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                data = b"".join(self._fragments)
                self._fragments.clear()
                self._deliver(transport, data)
