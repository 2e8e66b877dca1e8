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
    value, shift = byte & 127, 7
    while True:
        offset += 1
        byte = data[offset]
        if byte < 128:
            break
        value |= (byte & 127) << shift
        shift += 7
        if shift > 49:
            raise BadUpdate("an integer is longer than 8 bytes", offset)
    value |= byte << shift
    if value > SAFE_MAX:
        raise BadUpdate("an integer is above 2^53 - 1", offset)
    return value, offset + 1


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
