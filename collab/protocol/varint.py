"""lib0 variable-length unsigned integers and byte strings, read with bounds.

Format: little-endian base 128, the high bit says that more follows (lib0 `encoding.js`, `writeVarUint`).
Writers stay at or below 2^53 - 1 (8 bytes); more is refused, since JavaScript would read it wrongly.
"""

from __future__ import annotations

from collab.errors import BadFrame

VARUINT_MAX = 2**53 - 1


def write_varuint(value: int) -> bytes:
    """Encodes 0 <= value <= 2^53 - 1."""
    if value < 128:
        return bytes((value,))
    if value < 16384:
        return bytes((128 | value & 127, value >> 7))
    out = bytearray()
    while value > 127:
        out.append(128 | (value & 127))
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varuint(data: bytes, offset: int) -> tuple[int, int]:
    """Returns (value, next offset). Raises BadFrame past the end of data or above 2^53 - 1."""
    value = shift = 0
    try:
        while True:
            byte = data[offset]
            offset += 1
            if byte < 128:
                value |= byte << shift
                break
            value |= (byte & 127) << shift
            shift += 7
            if shift > 49:
                raise BadFrame(f"integer too long at byte {offset}")
    except IndexError:
        raise BadFrame("the frame ends inside an integer") from None
    if value > VARUINT_MAX:
        raise BadFrame(f"integer above 2^53 - 1 at byte {offset}")
    return value, offset


def write_varbytes(data: bytes) -> bytes:
    """Length, then the bytes."""
    return write_varuint(len(data)) + data


def read_varbytes(data: bytes, offset: int) -> tuple[bytes, int]:
    """Returns (bytes, next offset). Raises BadFrame if the length exceeds what is left."""
    size, offset = read_varuint(data, offset)
    end = offset + size
    if end > len(data):
        raise BadFrame(f"{size} bytes announced, {len(data) - offset} left")
    return data[offset:end], end
