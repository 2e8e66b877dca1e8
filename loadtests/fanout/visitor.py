"""One polite client in Python: puts a document into a room and stays, so that the room stays loaded."""

from __future__ import annotations

import time
from contextlib import ExitStack

from websockets.sync.client import ClientConnection, connect

from collab.protocol.varint import write_varbytes, write_varuint
from loadtests.fanout.document import Document, clocks_in
from loadtests.fanout.measure import Target
from loadtests.fanout.replay import STEP_1, SYNC, sync_parts

AUTH_TOKEN = b"\x02\x00" + write_varbytes(b"token")
STEP_2, UPDATE = 1, 2
EMPTY_VECTOR = b"\x00"
EMPTY_UPDATE = b"\x00\x00"


class NotStored(Exception):
    """The server did not give the document back within the time allowed."""


class Visitor:
    """A client of one room, as a context manager; it leaves when the block ends."""

    def __init__(self, target: Target, room: str) -> None:
        self._dialect = target.dialect
        self._room = room
        self._url = f"ws://127.0.0.1:{target.port}" + target.path.replace("{document}", room)
        self._stack = ExitStack()
        self._socket: ClientConnection | None = None

    def __enter__(self) -> Visitor:
        self._socket = self._stack.enter_context(connect(self._url, compression=None, max_size=None, proxy=None))
        if self._dialect == "hocuspocus":
            self._send(AUTH_TOKEN)
        self._send_sync(STEP_1, EMPTY_VECTOR)
        self._await_state()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def put(self, document: Document, within_s: float = 30.0) -> None:
        """Sends the document as one update and asks until the server's state holds all of it. Raises NotStored."""
        self._send_sync(UPDATE, document.state)
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            self._send_sync(STEP_1, EMPTY_VECTOR)
            if clocks_in(self._await_state()) == document.clocks:
                return
            time.sleep(0.05)
        raise NotStored(f"the document is not there after {within_s:.0f} s")

    def _send(self, message: bytes) -> None:
        assert self._socket is not None
        address = write_varbytes(self._room.encode()) if self._dialect == "hocuspocus" else b""
        self._socket.send(address + message)

    def _send_sync(self, step: int, body: bytes) -> None:
        self._send(write_varuint(SYNC) + write_varuint(step) + write_varbytes(body))

    def _await_state(self) -> bytes:
        """The body of the next step 2; answers the server's own step 1 on the way."""
        assert self._socket is not None
        while True:
            message = self._socket.recv(timeout=30)
            assert isinstance(message, bytes)
            step, body = sync_parts(message, self._dialect) or (None, b"")
            if step == STEP_1:
                self._send_sync(STEP_2, EMPTY_UPDATE)
            if step == STEP_2:
                return body
