"""Messages of the plain Yjs dialect (y-protocols `sync.js`, `awareness.js`, `auth.js`), and collab's additions.

Layout: a type byte; sync and auth messages carry a second one; bodies are byte strings with their length in front.
"""

from __future__ import annotations

from enum import Enum

from pycrdt import write_var_uint


class Kind(Enum):
    """What a message is; the value is how it begins."""

    STEP1 = b"\x00\x00"  # body: state vector; asks for what it lacks
    STEP2 = b"\x00\x01"  # body: update; the answer
    UPDATE = b"\x00\x02"  # body: update
    AWARENESS = b"\x01"  # body: presence entries
    DENIED = b"\x02\x00"  # body: text; something was not allowed
    TOKEN = b"\x02\x01"  # body: text; a fresh ticket or token for this connection
    ACCESS = b"\x02\x02"  # body: text; "read", "comment" or "write" from now on
    STATUS = b"\x66"  # body: any; echoed once everything sent before it is on disk


_TWO_BYTES = (0, 2)
EMPTY_UPDATE = b"\x00\x00"


def encode(kind: Kind, body: bytes) -> bytes:
    """One message."""
    return kind.value + write_var_uint(len(body)) + body


def decode(message: bytes) -> tuple[Kind | None, bytes]:
    """The kind and its body; None for a message that this client does not know. Raises ValueError if it is cut."""
    size = 2 if message[:1] and message[0] in _TWO_BYTES else 1
    try:
        kind = Kind(message[:size])
    except ValueError:
        return None, b""
    return kind, _body(message, size)


def _body(message: bytes, offset: int) -> bytes:
    size = shift = 0
    while True:
        if offset >= len(message) or shift > 49:
            raise ValueError("the message ends inside its length")
        byte = message[offset]
        offset += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    if offset + size != len(message):
        raise ValueError("the message has another length than it says")
    return message[offset:]
