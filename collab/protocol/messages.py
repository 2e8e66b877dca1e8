"""Messages of the plain Yjs dialect: y-protocols sync and awareness, plus y-sweet's sync status (102).

Layout: varUint type; sync messages carry a second varUint; bodies are length-prefixed byte strings.
Sources: y-protocols `sync.js`, `awareness.js`, `auth.js`; y-sweet client for 102.
"""

from __future__ import annotations

from enum import IntEnum

from collab.errors import BadFrame
from collab.protocol.varint import read_varuint, write_varbytes


class Kind(IntEnum):
    """What a frame asks or tells."""

    STEP1 = 0  # body: state vector
    STEP2 = 1  # body: update, the answer to a step 1
    UPDATE = 2  # body: update
    AWARENESS = 3  # body: awareness entries
    QUERY_AWARENESS = 4  # no body
    STATUS = 5  # body: opaque; echoed once everything before it is durable
    IGNORED = 6  # a type that this dialect does not know or need
    TOKEN = 7  # body: a fresh ticket or token, so that the session goes on (docs/access.md)


_SYNC_KINDS = (Kind.STEP1, Kind.STEP2, Kind.UPDATE)  # calling the enum costs more than the rest of decode
SYNC, AWARENESS, AUTH, QUERY_AWARENESS, STATUS = 0, 1, 2, 3, 102
EMPTY_UPDATE = b"\x00\x00"
EMPTY_VECTOR = b"\x00"
KEEPALIVE = b"\x01\x01\x00"
"""Awareness of nobody: resets every client's 30 s watchdog, causes no event and no answer."""


def decode(frame: bytes) -> tuple[Kind, bytes]:
    """Returns the kind and its body. Raises BadFrame for anything that is not exactly one message."""
    size = len(frame)
    if 3 < size < 131 and frame[2] == size - 3 and frame[0] == SYNC and frame[1] == 2:
        return Kind.UPDATE, frame[3:]  # nearly every keystroke
    if not frame:
        raise BadFrame("an empty frame")
    kind = frame[0]
    if kind == SYNC:
        return _decode_sync(frame)
    if kind == AWARENESS:
        return Kind.AWARENESS, _only_body(frame, 1)
    if kind == STATUS:
        return Kind.STATUS, _only_body(frame, 1)
    if kind == QUERY_AWARENESS:
        # y-sweet answers a query with the same type and a body; that answer needs none.
        return (Kind.QUERY_AWARENESS, b"") if len(frame) == 1 else (Kind.IGNORED, b"")
    if kind == AUTH and frame[1:2] == b"\x01":
        return Kind.TOKEN, _only_body(frame, 2)
    read_varuint(frame, 0)
    return Kind.IGNORED, b""


def _decode_sync(frame: bytes) -> tuple[Kind, bytes]:
    return _sync_kind(frame), _only_body(frame, 2)


def decode_large(frame: bytes) -> tuple[Kind, memoryview]:
    """The same for a sync message so large that copying its body would hold up others. Raises BadFrame."""
    return _sync_kind(frame), memoryview(frame)[_body_at(frame, 2) :]


def _sync_kind(frame: bytes) -> Kind:
    if len(frame) < 2 or frame[1] > 2:
        raise BadFrame("unknown sync message")
    return _SYNC_KINDS[frame[1]]


def _only_body(frame: bytes, offset: int) -> bytes:
    return frame[_body_at(frame, offset) :]


def _body_at(frame: bytes, offset: int) -> int:
    """Where the body begins, which goes on to the end."""
    size, at = read_varuint(frame, offset)
    left = len(frame) - at
    if size > left:
        raise BadFrame(f"{size} bytes announced, {left} left")
    if size < left:
        raise BadFrame(f"{left - size} bytes after the message")
    return at


def encode_step1(vector: bytes) -> bytes:
    """Asks the other side for what this state vector lacks."""
    return b"\x00\x00" + write_varbytes(vector)


def encode_step2(update: bytes) -> bytes:
    """Answers a step 1; the frame that makes a client `synced`."""
    return b"\x00\x01" + write_varbytes(update)


def encode_update(update: bytes) -> bytes:
    """An edit."""
    return b"\x00\x02" + write_varbytes(update)


def encode_awareness(body: bytes) -> bytes:
    """Presence entries, see core/awareness.py for the body."""
    return b"\x01" + write_varbytes(body)


def encode_denied(reason: str) -> bytes:
    """Tells a client that it may not do what it tried; y-websocket prints it, the others ignore it."""
    return b"\x02\x00" + write_varbytes(reason.encode())


def encode_token(token: str) -> bytes:
    """Presents a fresh ticket or token on the open socket; servers that do not know it ignore it."""
    return b"\x02\x01" + write_varbytes(token.encode())


def encode_access(access: str) -> bytes:
    """Tells a client what it may do from now on: read, comment or write; clients that do not know it ignore it."""
    return b"\x02\x02" + write_varbytes(access.encode())


def encode_status(payload: bytes) -> bytes:
    """Echoes a status request: everything sent before it is durable."""
    return b"\x66" + write_varbytes(payload)
