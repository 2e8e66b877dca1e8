"""JSON that yjs may write and pycrdt cannot read, written so that it can, and means what JavaScript reads in it.

Halves of surrogate pairs become U+FFFD, as UTF-8 would have it anyway; integers that need more than 64 bits with their
sign become the doubles that they are to JavaScript.
"""

from __future__ import annotations

import re

from collab.crdt.content import EMBED, FORMAT, JSON, read_buffer
from collab.crdt.decode import Struct, decode
from collab.crdt.varints import read_varuint
from collab.protocol.varint import write_varuint

SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|[0-9]{19}")
ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""Any escape of JSON; the group is half a pair that stands alone."""
STRING_OR_INTEGER = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?[0-9]{19,})(?![0-9.eE])', re.DOTALL)
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def mend_json(update: bytes) -> bytes:
    """The update with its JSON mended; the same object if there is nothing to mend. Raises BadUpdate."""
    if not SUSPECT.search(update):
        return update
    out, done = [], 0
    for section in decode(update).sections:
        for struct in section.structs:
            if struct.info & 31 in (JSON, EMBED, FORMAT):
                at = _texts(update, struct)
                while at < struct.stop:
                    text, end = read_buffer(update, at)
                    mended = STRING_OR_INTEGER.sub(_mended, text)
                    if mended != text:
                        out += [update[done:at], write_varuint(len(mended)), mended]
                        done = end
                    at = end
    return b"".join([*out, update[done:]]) if out else update


def _texts(update: bytes, struct: Struct) -> int:
    """Where its JSON texts begin."""
    kind = struct.info & 31
    if kind == EMBED:
        return struct.body
    return read_varuint(update, struct.body)[1] if kind == JSON else read_buffer(update, struct.body)[1]


def _mended(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return ESCAPE.sub(_whole, found[0])
    return found[0] if SMALLEST <= int(found[1]) <= LARGEST else repr(float(found[1])).encode()


def _whole(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape[1] else escape[0]
