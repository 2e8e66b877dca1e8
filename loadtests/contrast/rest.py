"""HTTP/1.1 as a browser uses it: one kept connection, opened again when the server has closed it.

Written out by hand because every call of a polling user passes here: the machine's second core must carry 2,000 of
them, and the usual clients cost three to ten times as much per call.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.contrast.origin import Origin
from loadtests.contrast.traffic import Traffic, established

READ_BYTES = 65_536
ANSWER_S_MAX = 75.0  # longer than any long poll


class HttpError(OSError):
    """The answer was cut short or is not HTTP."""


@dataclass(slots=True)
class Answer:
    """Status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Rest:
    """One user's calls. `kept`: keep the connection between calls; else a new one for each."""

    def __init__(self, origin: Origin, traffic: Traffic, kept: bool = True) -> None:
        self._origin = origin
        self._traffic = traffic
        self._kept = kept
        self._connection: socket.socket | None = None
        self._buffer = bytearray()

    def call(self, method: str, target: str, headers: str = "", body: bytes = b"") -> Answer:
        """One call. `headers` are whole lines, each with its line end. Raises OSError."""
        connection = self._ready()
        try:
            connection.sendall(self._request(method, target, headers, body))
            answer = self._answer(connection, method)
        except OSError:
            self.close()
            raise
        if not self._kept or answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def stream(self, target: str, headers: str = "") -> Iterator[bytes]:
        """Opens an endless answer (an event stream) and yields its chunks. Raises OSError, HttpError if refused."""
        connection = self._ready()
        connection.sendall(self._request("GET", target, headers, b""))
        status, told = self._head(connection)
        if status != 200 or told.get("transfer-encoding") != "chunked":
            raise HttpError(f"the stream was answered with {status}")
        while chunk := self._chunk(connection):
            yield chunk

    def close(self) -> None:
        """Hangs up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._traffic.leave(connection)
            connection.close()

    def _ready(self) -> socket.socket:
        if self._connection is not None and not established(self._connection):
            self.close()  # idle for longer than the server keeps connections
        if self._connection is None:
            self._connection = self._origin.connect(self._traffic)
            self._connection.settimeout(ANSWER_S_MAX)
            self._buffer.clear()
        return self._connection

    def _request(self, method: str, target: str, headers: str, body: bytes) -> bytes:
        length = f"Content-Length: {len(body)}\r\n" if method not in ("GET", "HEAD", "DELETE") else ""
        return f"{method} {target} HTTP/1.1\r\n{self._origin.fetch_headers}\r\n{headers}{length}\r\n".encode() + body

    def _answer(self, connection: socket.socket, method: str) -> Answer:
        status, headers = self._head(connection)
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, b"".join(iter(lambda: self._chunk(connection), b"")))
        return Answer(status, headers, self._exactly(connection, int(headers.get("content-length", "0"))))

    def _head(self, connection: socket.socket) -> tuple[int, dict[str, str]]:
        lines = self._until(connection, b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        return int(lines[0].split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}

    def _chunk(self, connection: socket.socket) -> bytes:
        """The next chunk; empty at the end."""
        size = int(self._until(connection, b"\r\n"), 16)
        chunk = self._exactly(connection, size)
        self._exactly(connection, 2)
        return chunk

    def _until(self, connection: socket.socket, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            self._read(connection)
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    def _exactly(self, connection: socket.socket, size: int) -> bytes:
        while len(self._buffer) < size:
            self._read(connection)
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(READ_BYTES)
        if not data:
            raise HttpError("the server hung up")
        self._buffer += data
