"""Bytes that follow the grammar of updates, presence and frames, but for the lies that a case is allowed.

Every generator takes a `Liar`: a random number generator with an appetite for lying. At appetite 0 what comes out is
whole and true; above it any count, length, integer, kind or text may be wrong, each with that probability.
"""

from __future__ import annotations

import random
from collections.abc import Callable

EDGES = (
    0, 1, 2, 31, 32, 33, 63, 64, 127, 128, 255, 256, 16_383, 16_384, 2**16, 2**20, 2**24, 2**24 + 1, 2**31 - 2,
    2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1, 2**53, 2**63, 2**64 - 1, 2**64,
)  # fmt: skip
TEXTS = (
    "",
    "a",
    "hi",
    "text",
    "\u00e9",
    "\u6f22\u5b57",
    "\U0001f600",
    "a\U0001f600b",
    "\0",
    "\r\n",
    "\u202e",
    "\ufeff",
    "x" * 70,
)
BAD_UTF8 = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"a\x80")
JSON_TEXTS = (
    "null", "true", "1", "-0.5", '"s"', "{}", "[]", '{"a":1}', '{"user":{"name":"Ada","color":"#ff8800"}}',
    "[1,[2,[3]]]", '"\\ud83d"', '{"a":{"b":{"c":[]}}}', " {} ",
)  # fmt: skip
BAD_JSON = (
    "", "{", "NaN", "Infinity", "-Infinity", "nul", "{'a':1}", '{"a":1,}', "01", "1e999", '"\n"', "[" * 5_000,
    '{"a":' * 2_000, "9" * 5_000, '{"a":1}{"b":2}', "\ufeff{}", '"\\x"',
)  # fmt: skip


class Liar(random.Random):
    """Random numbers, and how often to lie (0 never, 1 always)."""

    appetite: float = 0.0
    case: int = 0
    """Its number, for findings."""
    fresh: bool = False
    """True if the document is empty: clocks begin at 0, and nothing refers to what is not there."""

    def lies(self) -> bool:
        """True if this one may be wrong."""
        return self.appetite > 0.0 and self.random() < self.appetite

    def edge(self) -> int:
        """A number at which programs change their minds."""
        return self.choice(EDGES)


def varuint(value: int) -> bytes:
    """lib0's encoding, of any size."""
    out = bytearray()
    while value > 127:
        out.append(128 | (value & 127))
        value >>= 7
    out.append(value)
    return bytes(out)


def number(liar: Liar, value: int) -> bytes:
    """The value, or another one, or the same one written longer than need be, or without an end."""
    if not liar.lies():
        return varuint(value)
    kind = liar.randrange(4)
    if kind == 0:
        return varuint(liar.edge())
    if kind == 1:
        return varuint(value)[:-1] + bytes((varuint(value)[-1] | 128,)) + b"\x80" * liar.randrange(3) + b"\x00"
    if kind == 2:
        return b"\xff" * liar.choice((1, 5, 9, 10, 200))
    return varuint(max(0, value + liar.choice((-1, 1, 2, 128))))


def sized(liar: Liar, body: bytes) -> bytes:
    """Length, then the bytes."""
    return number(liar, len(body)) + body


def text(liar: Liar) -> bytes:
    """A length-prefixed string."""
    if liar.lies():
        return sized(liar, liar.choice(BAD_UTF8))
    return sized(liar, liar.choice(TEXTS).encode())


def json_text(liar: Liar) -> bytes:
    """A length-prefixed JSON text."""
    written = liar.choice(BAD_JSON) if liar.lies() else liar.choice(JSON_TEXTS)
    return sized(liar, written.encode())


def any_value(liar: Liar, levels: int = 3) -> bytes:
    """A lib0 `any`: nested at most `levels` deep, unless it lies."""
    if liar.lies():
        kind = liar.randrange(4)
        if kind == 0:
            return bytes((liar.randrange(256),))
        if kind == 1:
            return b"\x75\x01" * liar.choice((31, 32, 33, 200, 30_000)) + b"\x7e"
        if kind == 2:
            return b"\x76\x01\x01a" * liar.choice((31, 32, 33, 200, 5_000)) + b"\x7e"
        return b"\x76" + varuint(liar.edge())
    kind = liar.choice(b"\x77\x78\x79\x7e\x7f\x7d\x7c\x7b\x7a\x74\x75\x76" if levels else b"\x77\x78\x7d\x7c")
    head = bytes((kind,))
    if kind == 0x77:
        return head + text(liar)
    if kind == 0x7D:
        return head + signed(liar)
    if kind in (0x7C, 0x7B, 0x7A):
        return head + liar.randbytes(4 if kind == 0x7C else 8)
    if kind == 0x74:
        return head + sized(liar, liar.randbytes(liar.randrange(5)))
    if kind == 0x75:
        count = liar.randrange(4)
        return head + number(liar, count) + b"".join(any_value(liar, levels - 1) for _ in range(count))
    if kind == 0x76:
        count = liar.randrange(3)
        members = (text(liar) + any_value(liar, levels - 1) for _ in range(count))
        return head + number(liar, count) + b"".join(members)
    return head


def signed(liar: Liar) -> bytes:
    """lib0's varInt: sign and six bits first."""
    value = liar.edge() if liar.lies() else liar.choice((0, 1, 63, 64, 1_000, 2**31, 2**53 - 1))
    first = (value & 63) | (64 if liar.random() < 0.5 else 0)
    rest = value >> 6
    return bytes((first | 128,)) + varuint(rest) if rest else bytes((first,))


def _deleted(liar: Liar) -> tuple[int, bytes]:
    length = liar.edge() if liar.lies() else liar.randint(1, 300)
    return length, number(liar, length)


def _strings(liar: Liar) -> tuple[int, bytes]:
    if liar.lies():
        return 1, text(liar)
    chosen = liar.choice(TEXTS[1:])
    return len(chosen.encode("utf-16-le")) // 2, sized(liar, chosen.encode())


def _jsons(liar: Liar) -> tuple[int, bytes]:
    count = liar.randint(1, 3)
    return count, number(liar, count) + b"".join(json_text(liar) for _ in range(count))


def _type(liar: Liar) -> tuple[int, bytes]:
    kind = liar.randrange(200) if liar.lies() else liar.choice((0, 1, 2, 3, 4, 6))
    return 1, number(liar, kind) + (text(liar) if kind in (3, 5) else b"")


def _anys(liar: Liar) -> tuple[int, bytes]:
    count = liar.randint(1, 3)
    return count, number(liar, count) + b"".join(any_value(liar) for _ in range(count))


def _doc(liar: Liar) -> tuple[int, bytes]:
    options = any_value(liar) if liar.lies() else b"\x76" + varuint(0)
    return 1, text(liar) + options


CONTENTS: dict[int, Callable[[Liar], tuple[int, bytes]]] = {
    1: _deleted,
    2: _jsons,
    3: lambda liar: (1, sized(liar, liar.randbytes(liar.randrange(9)))),
    4: _strings,
    5: lambda liar: (1, json_text(liar)),
    6: lambda liar: (1, text(liar) + json_text(liar)),
    7: _type,
    8: _anys,
    9: _doc,
}
"""Content kinds: each gives (length in clocks, bytes)."""


def reference(liar: Liar, client: int, clock: int) -> bytes:
    """An id that may be referred to by the struct (client, clock)."""
    if clock > 0 and not liar.lies():
        return varuint(client) + varuint(liar.randrange(clock))
    others = [other for other in (1, 2, 3, 4) if other != client or liar.lies()]
    return number(liar, liar.choice(others)) + number(liar, liar.randrange(5))


def struct(liar: Liar, client: int, clock: int, inner: bool) -> tuple[int, bytes]:
    """One struct: (length in clocks, bytes). `inner`: it is neither the first nor the last of its client."""
    if liar.random() < 0.1:
        length, body = _deleted(liar)
        return length, bytes((10 if inner and liar.random() < 0.5 else 0,)) + body
    kind = liar.choice(tuple(CONTENTS))
    info = liar.randrange(256) & 0xE0 | kind if not liar.lies() else liar.randrange(256)
    rootless = liar.fresh and clock == 0
    info &= 0x3F if rootless else 0xFF
    head = b""
    if info & 128:
        head += reference(liar, client, clock)
    if info & 64:
        head += reference(liar, client, clock)
    if info < 64:
        named = rootless or liar.random() < 0.7
        head += number(liar, int(named)) + (text(liar) if named else reference(liar, client, clock))
        head += text(liar) if info & 32 else b""
    length, body = CONTENTS.get(info & 31, _anys)(liar)
    return length, bytes((info,)) + head + body


def section(liar: Liar, client: int) -> bytes:
    """The structs of one client."""
    count = liar.randint(1, 4)
    first = clock = liar.edge() if liar.lies() else liar.choice((0,) if liar.fresh else (0, 1, 5, 1_000))
    structs = []
    for at in range(count):
        length, body = struct(liar, client, clock, 0 < at < count - 1)
        structs.append(body)
        clock += length
    return number(liar, count) + number(liar, client) + number(liar, first) + b"".join(structs)


def delete_set(liar: Liar) -> bytes:
    """Ranges per client, ascending and apart."""
    clients = liar.sample((1, 2, 3, 2**32 - 1, 2**53 - 1), liar.randrange(3))
    parts = [number(liar, len(clients))]
    for client in clients:
        count, clock = liar.randint(1, 3), 0
        parts += (number(liar, client), number(liar, count))
        for _ in range(count):
            start, length = clock + liar.randint(0, 9), liar.randint(1, 9)
            parts += (number(liar, start), number(liar, length))
            clock = start + length + 1
    return b"".join(parts)


def update(liar: Liar) -> bytes:
    """A V1 update."""
    clients = liar.sample((1, 2, 3, 4, 2**32 - 1, 2**53 - 1), liar.randrange(4))
    if clients and liar.lies():
        clients.append(clients[0])
    body = number(liar, len(clients)) + b"".join(section(liar, client) for client in clients) + delete_set(liar)
    return body + (liar.randbytes(liar.randrange(4)) if liar.lies() else b"")


def fresh_update(liar: Liar) -> bytes:
    """A V1 update for an empty document."""
    liar.fresh = True
    return update(liar)


def state_vector(liar: Liar) -> bytes:
    """Clients and their clocks."""
    clients = liar.sample(range(1, 300), liar.choice((0, 1, 2, 100)))
    clocks = b"".join(number(liar, client) + number(liar, liar.randrange(10_000)) for client in clients)
    return number(liar, len(clients)) + clocks


def presence(liar: Liar) -> bytes:
    """An awareness body."""
    count = liar.choice((0, 1, 1, 2, 64, 65, 5_000) if liar.lies() else (0, 1, 1, 2, 10))
    states = ("{}", '{"a":1}', '{"user":{"name":"Ada","color":"#ff8800"}}', '{"cursor":{"anchor":[1,2]}}', "null")
    parts = [number(liar, count)]
    for _ in range(count):
        state = json_text(liar) if liar.lies() else sized(liar, liar.choice(states).encode())
        parts.append(number(liar, liar.randrange(1, 2**32)) + number(liar, liar.randrange(100)) + state)
    return b"".join(parts)


def frame(liar: Liar) -> bytes:
    """A message of the plain dialect."""
    kind = liar.choice((b"\x00\x00", b"\x00\x01", b"\x00\x02", b"\x01", b"\x02\x00", b"\x03", b"\x66"))
    if liar.lies():
        kind = liar.choice(
            (b"", number(liar, liar.edge()), b"\x00", b"\x00\x03", b"\x00\xff", b"\x02\x01", b"\x80\x00")
        )
    bodies: dict[bytes, Callable[[Liar], bytes]] = {
        b"\x00\x00": state_vector, b"\x00\x01": update, b"\x00\x02": update, b"\x01": presence,
    }  # fmt: skip
    if kind == b"\x03" and not liar.lies():
        return kind
    return kind + sized(liar, bodies.get(kind, text)(liar)) + (b"\x00" if liar.lies() else b"")


def addressed(liar: Liar) -> bytes:
    """A frame of the Hocuspocus dialect: an address, which may name a session, and a message."""
    name = liar.choice((b"notes", b"a/b", b"notes\x00abc123", b"", b"\xff", b"x" * liar.randint(1, 1100)))
    message = frame(liar)
    if liar.lies() or liar.randint(0, 3) == 0:
        kind = liar.choice((b"\x02\x00", b"\x02\x01", b"\x05", b"\x06", b"\x07", b"\x08\x01", b"\x09", b"\x0a"))
        message = kind + (sized(liar, text(liar)) if kind in (b"\x02\x00", b"\x05", b"\x06") else b"")
        if kind == b"\x02\x00" and liar.randint(0, 1):
            message += sized(liar, b"4.8.0")
    return sized(liar, name) + message
