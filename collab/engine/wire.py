"""Frames between the server and its children: a small JSON head, then blobs of bytes, over a stream socket.

    frame = u32 length of the head, u32 count of blobs, u64 length of each blob, head, blobs

Little endian. JSON and plain bytes on purpose: what a child says may have been written by somebody who broke into it,
so nothing that can run code is ever decoded.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from collab.errors import TooLarge

PREFIX = struct.Struct("<II")
SIZE_BYTES = 8
GATHER_BYTES = 256 * 1024  # small blobs are sent joined up to this size, larger ones as they are
READ_BYTES = 64 * 1024  # most frames fit, and take one read


class Frame(NamedTuple):
    """A decoded frame."""

    head: dict[str, Any]
    blobs: list[bytes]


def pieces(head: dict[str, Any], blobs: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The frame in pieces to be sent one after the other; large blobs are not copied. Raises orjson's TypeError."""
    encoded = orjson.dumps(head)
    sizes = array("Q", map(len, blobs)).tobytes()
    gathered: list[bytes | memoryview] = [PREFIX.pack(len(encoded), len(blobs)), sizes, encoded]
    size = sum(map(len, gathered))
    for blob in blobs:
        if size + len(blob) > GATHER_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
        if len(blob) > GATHER_BYTES:
            yield blob
        else:
            gathered.append(blob)
            size += len(blob)
    if gathered:
        yield b"".join(gathered)


class Incoming:
    """A frame as it arrives: gives the space to be filled next, until all is there.

    Raises TooLarge as soon as the announced sizes exceed `bytes_max`, before any memory is set aside for them.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._buffer = bytearray(READ_BYTES)
        self._filled = 0
        self._wanted = PREFIX.size
        self._head_bytes = 0
        self._sizes: list[int] | None = None

    def space(self) -> memoryview | None:
        """Where to put the next bytes; None when the frame is complete."""
        if self._filled >= self._wanted and self._sizes is not None:
            return None
        return memoryview(self._buffer)[self._filled :]

    def filled(self, count: int) -> None:
        """So many bytes were put into `space`."""
        self._filled += count
        if self._sizes is None and self._filled >= PREFIX.size:
            self._read_sizes()

    def frame(self) -> Frame:
        """The complete frame."""
        view = memoryview(self._buffer)
        offset = self._wanted - self._head_bytes - sum(self._sizes or ())
        head = orjson.loads(view[offset : offset + self._head_bytes])
        offset += self._head_bytes
        blobs = []
        for size in self._sizes or ():
            blobs.append(bytes(view[offset : offset + size]))
            offset += size
        return Frame(head, blobs)

    def _read_sizes(self) -> None:
        self._head_bytes, count = PREFIX.unpack_from(self._buffer)
        start = PREFIX.size + SIZE_BYTES * count
        self._grow(start + self._head_bytes)
        if self._filled < start:
            return
        sizes = array("Q")
        sizes.frombytes(self._buffer[PREFIX.size : start])
        self._grow(start + self._head_bytes + sum(sizes))
        self._sizes = sizes.tolist()

    def _grow(self, wanted: int) -> None:
        if wanted > self._bytes_max:
            raise TooLarge(f"{wanted} bytes, {self._bytes_max} are allowed")
        self._wanted = wanted
        if wanted > len(self._buffer):
            larger = bytearray(wanted)  # the system zeroes it page by page, as it fills
            larger[: self._filled] = memoryview(self._buffer)[: self._filled]
            self._buffer = larger


async def send(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, head: dict[str, Any], blobs: Sequence[bytes | memoryview]
) -> None:
    """Sends a frame without blocking the loop, however large it is. Raises OSError if the other side is gone."""
    for piece in pieces(head, blobs):
        await loop.sock_sendall(sock, piece)


async def receive(loop: asyncio.AbstractEventLoop, sock: socket.socket, bytes_max: int) -> Frame | None:
    """Reads a frame without blocking the loop; None if the other side ended before it was complete."""
    incoming = Incoming(bytes_max)
    while (space := incoming.space()) is not None:
        with space:
            count = await loop.sock_recv_into(sock, space)
        if not count:
            return None
        incoming.filled(count)
    return incoming.frame()


def send_blocking(sock: socket.socket, head: dict[str, Any], blobs: Sequence[bytes | memoryview]) -> None:
    """`send` for a child, which has nothing else to do."""
    for piece in pieces(head, blobs):
        sock.sendall(piece)


def receive_blocking(sock: socket.socket, bytes_max: int) -> Frame | None:
    """`receive` for a child."""
    incoming = Incoming(bytes_max)
    while (space := incoming.space()) is not None:
        with space:
            count = sock.recv_into(space)
        if not count:
            return None
        incoming.filled(count)
    return incoming.frame()
