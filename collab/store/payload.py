"""The bytes of a log row, and the checksums of everything that is stored.

A payload is: format (1 byte, 1), entry count, then per entry: author, session, update. Integers are var-ints; byte
strings have their length in front. An author length is written plus one; 0 stands for "author and session as in the
entry before", which is what a burst of typing is.

Checksums are BLAKE2b cut to 8 bytes and keyed by the lineage: a row that rots, or that turns up under another
document, is noticed but once in 2^64; CRC-32 would be 0.5 µs cheaper a row, and blind once in 2^32. The sequence
numbers are not covered, since the database gives them after the checksum is made; that they have no gap shows them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from collab.errors import BadFrame
from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes, write_varuint
from collab.store.base import Entry

FORMAT = 1
SEGMENT_FORMAT = 2
LEVEL = 9  # segments are written once; it is still 10 MB/s
CHECKSUM_BYTES = 8
_SHORT = tuple(map(write_varuint, range(128)))  # the lengths of nearly all updates


def encode_entries(entries: Sequence[Entry]) -> bytes:
    """The payload of one log row. Raises UnicodeEncodeError if a name is not text, ValueError if there is no entry."""
    if not entries:
        raise ValueError("a log row needs an entry")
    parts = [bytes((FORMAT,)), write_varuint(len(entries))]
    author_before = session_before = None
    for author, session, update in entries:
        if session == session_before and author == author_before:
            parts.append(b"\0")
        else:
            parts.append(_names(author, session))
            author_before, session_before = author, session
        size = len(update)
        parts.append(_SHORT[size] if size < 128 else write_varuint(size))
        parts.append(update)
    return b"".join(parts)


@lru_cache(4096)  # the same people type all day
def _names(author: str, session: str) -> bytes:
    author_bytes, session_bytes = author.encode(), session.encode()
    return write_varuint(len(author_bytes) + 1) + author_bytes + write_varbytes(session_bytes)


def decode_entries(payload: bytes) -> list[Entry]:
    """The entries of a payload. Raises ValueError unless every byte is accounted for."""
    try:
        if payload[0] != FORMAT:
            raise ValueError(f"unknown payload format {payload[0]}")
        return _read_entries(payload)
    except (BadFrame, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"the payload cannot be read: {error}") from error


def _read_entries(payload: bytes) -> list[Entry]:
    count, offset = read_varuint(payload, 1)
    entries: list[Entry] = []
    for _ in range(count):
        length, offset = read_varuint(payload, offset)
        if length:
            author, offset = payload[offset : offset + length - 1].decode(), offset + length - 1
            name, offset = read_varbytes(payload, offset)
            session = name.decode()
        else:
            author, session = entries[-1].author, entries[-1].session
        update, offset = read_varbytes(payload, offset)
        entries.append(Entry(author, session, update))
    if offset != len(payload) or not entries:
        raise ValueError(f"{len(payload) - offset} bytes left over after {len(entries)} entries")
    return entries


def encode_segment(authors: Sequence[str], update: bytes) -> bytes:
    """The payload of a history segment: format (1 byte, 2), then zlib of the count of authors, each, and the update."""
    parts = [write_varuint(len(authors)), *(write_varbytes(author.encode()) for author in authors), update]
    return bytes((SEGMENT_FORMAT,)) + zlib.compress(b"".join(parts), LEVEL)


def decode_segment(payload: bytes) -> tuple[tuple[str, ...], bytes]:
    """The authors and the update. Raises ValueError."""
    try:
        if payload[0] != SEGMENT_FORMAT:
            raise ValueError(f"unknown segment format {payload[0]}")
        content = zlib.decompress(payload[1:])
        count, offset = read_varuint(content, 0)
        authors: list[str] = []
        for _ in range(count):
            name, offset = read_varbytes(content, offset)
            authors.append(name.decode())
        return tuple(authors), content[offset:]
    except (BadFrame, IndexError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"the segment cannot be read: {error}") from error


def segment_checksum(lineage: str, first_seq: int, last_seq: int, payload: bytes) -> bytes:
    """Of a history segment; its numbers are known when it is made, so they are covered."""
    return checksum(lineage, payload, b"%d-%d" % (first_seq, last_seq))


def checksum(lineage: str, *parts: bytes) -> bytes:
    """Eight bytes over all parts, in order, for this lineage only. A part's end is not marked: fix how many there are.

    Parts that could be shifted into each other (state and index of a checkpoint) are kept apart by their length.
    """
    if len(parts) == 1:
        return blake2b(parts[0], digest_size=CHECKSUM_BYTES, key=lineage.encode()[:64]).digest()
    digest = blake2b(digest_size=CHECKSUM_BYTES, key=lineage.encode()[:64])
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
