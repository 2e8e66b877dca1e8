"""A thin WebSocket client on a plain socket: one message a frame, no extensions (RFC 6455).

Locust has no user for WebSockets. Own frames cost the generator half of what websocket-client does, and it must carry
every delivery of the load.
"""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator
from itertools import cycle

from loadtests.contrast.origin import Origin
from loadtests.contrast.traffic import Traffic

READ_BYTES = 65_536
BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA
SILENCE_S_MAX = 60.0  # the server sends a sign of life every 15 s


class Refused(OSError):
    """The server did not open the socket, or ended it."""


class WebSocket:
    """An open socket; `close_code` is what the server said at its end, 1006 if nothing."""

    def __init__(self, origin: Origin, target: str, traffic: Traffic) -> None:
        """Connects. Raises OSError, Refused."""
        self.close_code = 1006
        self._traffic = traffic
        self._buffer = bytearray()
        self._connection: socket.socket | None = origin.connect(traffic)
        self._connection.settimeout(SILENCE_S_MAX)
        try:
            self._shake_hands(self._connection, origin, target)
        except OSError:
            self.close()
            raise

    def _shake_hands(self, connection: socket.socket, origin: Origin, target: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {target} HTTP/1.1\r\n{origin.upgrade_headers}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        connection.sendall(head.encode())
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._read(connection)
        status = bytes(self._buffer[:end]).split(b" ", 2)[1]
        del self._buffer[: end + 4]
        if status != b"101":
            raise Refused(f"the handshake was answered with {status.decode()}")

    def send(self, message: bytes) -> None:
        """Sends one binary message. Raises OSError."""
        if self._connection is None:
            raise Refused("closed")
        self._connection.sendall(frame(BINARY, message))

    def messages(self) -> Iterator[bytes]:
        """Binary messages until the connection ends; pings are answered. Raises OSError when it is cut."""
        while self._connection is not None:
            kind, payload = self._next(self._connection)
            if kind == BINARY:
                yield payload
            elif kind == PING and self._connection is not None:
                self._connection.sendall(frame(PONG, payload))
            elif kind == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big") or 1005
                return

    def close(self) -> None:
        """Hangs up without a goodbye, as a closing tab does."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._traffic.leave(connection)
            connection.close()

    def _next(self, connection: socket.socket) -> tuple[int, bytes]:
        self._need(connection, 2)
        kind, size, offset = self._buffer[0] & 0x0F, self._buffer[1] & 0x7F, 2
        if size >= 126:
            offset += 2 if size == 126 else 8
            self._need(connection, offset)
            size = int.from_bytes(self._buffer[2:offset], "big")
        self._need(connection, offset + size)
        payload = bytes(self._buffer[offset : offset + size])
        del self._buffer[: offset + size]
        return kind, payload

    def _need(self, connection: socket.socket, size: int) -> None:
        while len(self._buffer) < size:
            self._read(connection)

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(READ_BYTES)
        if not data:
            raise Refused("the server hung up")
        self._buffer += data


def frame(kind: int, payload: bytes) -> bytes:
    """One masked frame, as clients must send it."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x80 | kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0xFF)) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload under the mask; long ones in one big integer, since a loop over bytes would cost milliseconds."""
    size = len(payload)
    if size < 8:
        return bytes(byte ^ key for byte, key in zip(payload, cycle(mask), strict=False))
    pad = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
