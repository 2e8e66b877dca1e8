"""Variable-length integers inside updates; running off the end raises IndexError for the caller to translate.

Same format as `protocol.varint` (lib0 `encoding.js`). This one raises BadUpdate for what JavaScript would misread and
leaves the end-of-data check to Python's own indexing, because it runs several times for each struct of an update.
"""

from __future__ import annotations

from collab.errors import BadUpdate

SAFE_MAX = 2**53 - 1
"""The largest integer that a JavaScript number holds exactly; lib0 throws above it."""


def read_varuint(data: bytes, offset: int) -> tuple[int, int]:
    """Returns (value, next offset)."""
    byte = data[offset]
    if byte < 128:
        return byte, offset + 1
    more = data[offset + 1]
    if more < 128:
        return byte - 128 + (more << 7), offset + 2
    return _read_long(data, offset + 2, byte + (more << 7) - 16512)


def _read_long(data: bytes, offset: int, value: int) -> tuple[int, int]:
    """The rest of an integer whose first two bytes make `value`."""
    shift = 14
    while True:
        byte = data[offset]
        offset += 1
        if byte < 128:
            break
        value |= (byte & 127) << shift
        shift += 7
        if shift > 49:
            raise BadUpdate("an integer is longer than 8 bytes", offset)
    value |= byte << shift
    if value > SAFE_MAX:
        raise BadUpdate("an integer is above 2^53 - 1", offset)
    return value, offset


def skip_varint(data: bytes, offset: int) -> int:
    """Steps over a signed integer (lib0 `writeVarInt`: 6 bits and the sign in the first byte)."""
    byte = data[offset]
    offset += 1
    if byte < 128:
        return offset
    value, shift = byte & 63, 6
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 48:
            raise BadUpdate("an integer is longer than 8 bytes", offset)
    if value > SAFE_MAX:
        raise BadUpdate("an integer is above 2^53 - 1", offset)
    return offset
