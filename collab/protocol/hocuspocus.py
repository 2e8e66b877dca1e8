"""Frames of Hocuspocus providers 2 to 4: an address, then a message; sync and presence are those of the plain dialect.

The address is the document's name or, of a session-aware provider, name + NUL + session; providers route by the exact
string. Its numbers for authentication are not those of y-protocols. Source: `@hocuspocus/provider` and `common`.
"""

from __future__ import annotations

from enum import IntEnum

from collab.errors import BadFrame
from collab.protocol.frames import frame, messages
from collab.protocol.varint import read_varbytes, write_varbytes

ADDRESS_BYTES_MAX = 1024  # names have 200 characters of at most 4 bytes, sessions some 11 letters
WRAPPED_BYTES_KEPT = 1024 * 1024
READ_WRITE, READ_ONLY = "read-write", "readonly"


class Type(IntEnum):
    """What follows the address."""

    SYNC = 0
    AWARENESS = 1
    AUTH = 2
    QUERY_AWARENESS = 3
    SYNC_REPLY = 4  # between servers
    STATELESS = 5  # the application's own; the reference server passes it to hooks, and to nobody else
    BROADCAST_STATELESS = 6  # between servers
    CLOSE = 7
    SYNC_STATUS = 8
    PING = 9  # these two are whole frames, without an address
    PONG = 10


def split(data: bytes) -> tuple[bytes, bytes]:
    """Returns (prefix, message): the address as it begins every frame to it, and what follows. Raises BadFrame."""
    address, end = read_varbytes(data, 0)
    if len(address) > ADDRESS_BYTES_MAX:
        raise BadFrame("an address too long for any document")
    if end == len(data):
        raise BadFrame("an address and no message")
    return write_varbytes(address), data[end:]


def document_of(prefix: bytes) -> str:
    """The document that an address names. Raises BadFrame if it is not UTF-8."""
    address, _ = read_varbytes(prefix, 0)
    try:
        return address.partition(b"\x00")[0].decode()
    except UnicodeDecodeError:
        raise BadFrame("the document's name is not UTF-8") from None


def decode_token(message: bytes) -> tuple[str, bool]:
    """Returns (token, whether the provider told its version, which those do since 4.0). Raises BadFrame."""
    if message[1:2] != b"\x00":
        raise BadFrame("unknown authentication message")
    token, end = read_varbytes(message, 2)
    if end < len(message):
        _, end_of_version = read_varbytes(message, end)
        if end_of_version != len(message):
            raise BadFrame("bytes after the token")
    return token.decode("ascii", "replace"), end < len(message)


def encode_authenticated(prefix: bytes, scope: str) -> bytes:
    """The frame that tells the provider what it may do: READ_WRITE or READ_ONLY."""
    return frame(prefix + b"\x02\x02" + write_varbytes(scope.encode()))


def encode_denied(prefix: bytes, reason: str) -> bytes:
    """The frame that refuses a document; the socket stays. Provider 2 disconnects for good, later ones wait."""
    return frame(prefix + b"\x02\x01" + write_varbytes(reason.encode()))


def encode_token_request(prefix: bytes) -> bytes:
    """The frame that asks for a fresh token, which comes as authentication again."""
    return frame(prefix + b"\x02\x00")


def encode_close(prefix: bytes, reason: str) -> bytes:
    """The frame that ends a document on a socket that stays. Provider 2 does not know it, and throws."""
    return frame(prefix + b"\x07" + write_varbytes(reason.encode()))


def encode_saved(prefix: bytes) -> bytes:
    """The frame that takes one from the provider's count of unsaved changes."""
    return frame(prefix + b"\x08\x01")


def encode_refused(prefix: bytes) -> bytes:
    """The frame that says that a change was not taken; it stays in the provider's count."""
    return frame(prefix + b"\x08\x00")


class Wrapping:
    """Frames of the plain dialect under one address. Sessions that share it share what was wrapped last: a frame that
    a room shows to all of them is made once.
    """

    __slots__ = ("__weakref__", "_plain", "_wrapped", "prefix")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self._plain = self._wrapped = b""

    def wrap(self, wire: bytes) -> bytes:
        """The same run of frames, each message behind the address."""
        if wire is self._plain:
            return self._wrapped
        wrapped = b"".join([frame(self.prefix + message) for message in messages(wire)])
        if len(wire) <= WRAPPED_BYTES_KEPT:
            self._plain, self._wrapped = wire, wrapped
        return wrapped
