"""The bombs: bytes that are known to hurt servers of this kind, made large enough to be felt.

Each is a burst of WebSocket frames for one connection, or a raw beginning of one. Sizes stay within what one frame may
have, so that it is the checks that refuse them, or the rates that slow them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from collab.limits import MIB
from collab.protocol.messages import encode_awareness, encode_status, encode_step1, encode_step2, encode_update
from collab.protocol.varint import write_varbytes, write_varuint

BINARY, TEXT, PING, CONTINUATION, FIN, COMPRESSED = 0x02, 0x01, 0x09, 0x00, 0x80, 0x40


@dataclass(frozen=True, slots=True)
class Bomb:
    """`wire` is what one connection sends after its handshake (or before it, if `raw`); then it waits to be closed."""

    name: str
    make: Callable[[], bytes]
    raw: bool = False
    sockets: int = 1


def frame(payload: bytes, opcode: int = FIN | BINARY, announced: int | None = None) -> bytes:
    """A masked frame, with the mask 0."""
    size = len(payload) if announced is None else announced
    if size < 126:
        head = bytes((opcode, 0x80 | size))
    elif size < 65_536:
        head = bytes((opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((opcode, 0xFF)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


def _nested() -> bytes:
    levels = 28_000
    return b"\x01\x01\x07\x00\x08\x01\x01t\x01" + b"\x75\x01" * levels + b"\x7e\x00"


def _structs(size: int) -> bytes:
    """The smallest whole structs, each deleted and of one clock: the dearest bytes that pass."""
    count = size // 2
    return b"\x01" + write_varuint(count) + b"\x07\x00" + b"\x00\x01" * count + b"\x00"


def _clients(count: int, clock: int = 0) -> bytes:
    """One character of each of many invented clients, ascending, all in the same place."""
    one = b"\x04\x01\x01t\x01x"
    sections = (b"\x01" + write_varuint(client) + write_varuint(clock) + one for client in range(1_000, 1_000 + count))
    return write_varuint(count) + b"".join(sections) + b"\x00"


def _storm() -> bytes:
    each = (b"\x01\x01" + write_varuint(client) + b"\x00\x04\x01\x01t\x01x\x00" for client in range(1_000, 21_000))
    return b"".join(frame(encode_update(update)) for update in each)


def _ranges(count: int) -> bytes:
    """Text of one client, and a deletion of every other character of it."""
    text = b"x" * (2 * count)
    typed = b"\x01\x01\x07\x00\x04\x01\x01t" + write_varbytes(text)
    ranges = b"".join(write_varuint(2 * at) + b"\x01" for at in range(count))
    return typed + b"\x01\x07" + write_varuint(count) + ranges


def _vector(count: int) -> bytes:
    return write_varuint(count) + b"".join(write_varuint(client) + b"\x01" for client in range(count))


def _people(count: int, state: bytes = b"{}") -> bytes:
    each = (write_varuint(client) + b"\x01" + write_varbytes(state) for client in range(count))
    return write_varuint(count) + b"".join(each)


def _crowds() -> bytes:
    """Ever more people, 64 in each message."""
    return b"".join(
        frame(encode_awareness(write_varuint(64) + b"".join(
            write_varuint(first + n) + b"\x01" + write_varbytes(b'{"a":"' + b"x" * 1_000 + b'"}') for n in range(64)
        )))
        for first in range(0, 64 * 200, 64)
    )  # fmt: skip


def _flooded(size: int) -> bytes:
    """One person's presence of that many bytes."""
    return frame(encode_awareness(_people(1, b'{"a":"' + b"x" * size + b'"}')))


def _posted(size: int, body: bytes) -> bytes:
    """A document to be made by REST."""
    head = (
        f"POST /api/documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    return head.encode() + body


def _deflated() -> bytes:
    return frame(zlib.compress(bytes(512 * MIB), 9), FIN | BINARY | COMPRESSED)


def update(data: bytes) -> bytes:
    """As one frame."""
    return frame(encode_update(data))


BOMBS = (
    Bomb("values nested 28,000 deep (56 KB)", lambda: update(_nested())),
    Bomb("250 million structs announced", lambda: update(b"\x01\x80\xe5\x9a\x77\x07\x00\x00")),
    Bomb("a clock beyond 2^31", lambda: update(b"\x01\x01\x07\xff\xff\xff\xff\x0f\x04\x01\x01t\x01x\x00")),
    Bomb("a GC run of 2^31 under another's id", lambda: update(b"\x01\x01\x07\x00\x00\xff\xff\xff\xff\x07\x00")),
    Bomb("a client listed twice", lambda: update(b"\x02" + b"\x01\x07\x00\x04\x01\x01t\x01x" * 2 + b"\x00")),
    Bomb("100,000 invented clients waiting (1 MB)", lambda: frame(encode_step2(_clients(100_000, 5)))),
    Bomb("20,000 clients in one place, one frame", lambda: frame(encode_step2(_clients(20_000)))),
    Bomb("20,000 clients in one place, one frame each", _storm),
    Bomb("500,000 smallest structs (1 MB)", lambda: update(_structs(1_000_000))),
    Bomb("smallest structs in frames of 4 KB", lambda: update(_structs(4_000)) * 500),
    Bomb("50,000 deleted ranges", lambda: update(_ranges(50_000))),
    Bomb("a state vector of a million clients", lambda: frame(encode_step1(_vector(1_000_000)))),
    Bomb("a state vector of 100,000 clients", lambda: frame(encode_step1(_vector(100_000)))),
    Bomb("presence of 100,000 people (2.6 MB)", lambda: frame(encode_awareness(_people(100_000, b'{"user":{}}')))),
    Bomb("presence of ever more people, 64 a frame", _crowds),
    Bomb("presence of 4 KB as fast as it goes", lambda: _flooded(4_000) * 2_000),
    Bomb("status payloads of 1 MB", lambda: frame(encode_status(bytes(1_000_000))) * 4),
    Bomb("status questions as fast as it goes", lambda: frame(encode_status(b"\x01")) * 50_000),
    Bomb("empty frames", lambda: frame(b"") * 50_000),
    Bomb("a text frame", lambda: frame(b"hello", FIN | TEXT)),
    Bomb("integers that do not end", lambda: frame(b"\x00\x02" + b"\xff" * 1_000)),
    Bomb("300,000 fragments of 1 byte", lambda: frame(b"\0", BINARY) + frame(b"\0", CONTINUATION) * 300_000),
    Bomb("300,000 empty fragments", lambda: frame(b"", BINARY) + frame(b"", CONTINUATION) * 300_000),
    Bomb("300,000 pings", lambda: frame(b"", FIN | PING) * 300_000),
    Bomb("a frame of 2^40 bytes announced", lambda: frame(bytes(MIB), announced=2**40)),
    Bomb("a frame of 16 MB of nothing", lambda: update(bytes(16 * MIB))),
    Bomb("a frame of 40 MB that never ends", lambda: frame(bytes(39 * MIB), announced=40 * MIB), sockets=4),
    Bomb("a deflate bomb of 512 MB (0.5 MB)", _deflated),
    Bomb("request heads that never end", lambda: b"GET /sync/x HTTP/1.1\r\nHost: a\r\nX-A: ", raw=True, sockets=200),
    Bomb("a request head of 16 MB", lambda: b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 16 * MIB, raw=True),
    Bomb("JSON nested 100,000 deep by REST", lambda: _posted(100_000, b"[" * 100_000), raw=True),
    Bomb("a body larger than any by REST", lambda: _posted(99_999_999, bytes(16 * MIB)), raw=True),
)  # fmt: skip
