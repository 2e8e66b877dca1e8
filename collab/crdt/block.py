"""A struct taken out of its bytes, so that a fold can join, cut and replace it."""

from __future__ import annotations

from itertools import pairwise

from collab.crdt.content import ANY, DELETED, GC, JSON, SKIP, STRING
from collab.crdt.decode import HAS_KEY, HAS_ORIGIN, Id, Section, Struct
from collab.crdt.encode import slice_text, utf16, value_offsets, write_id
from collab.crdt.varints import read_varuint
from collab.limits import DEFAULT
from collab.protocol.varint import write_varuint

COUNTED = frozenset((GC, DELETED, SKIP))
"""Kinds that are nothing but a length."""
LISTED = frozenset((JSON, ANY))
"""Kinds that hold one value for each clock."""
JOINABLE = frozenset((GC, DELETED, STRING, JSON, ANY))

Place = tuple[int, Id | None, Id | None, bytes | Id | None, bytes | None, bytes]
"""(info, origin, right, parent, key, head)"""


class Block:
    """Clocks `clock <= c < end` of one client; attributes named as in `Struct` mean the same.

    `head` is everything between the info byte and the content, encoded; `parts` are the content without the count or
    length before it. `is_value` tells that it lies under a key, if homes were looked for.
    """

    __slots__ = ("client", "clock", "end", "head", "info", "is_value", "key", "origin", "parent", "parts", "right")

    def __init__(
        self,
        client: int,
        clock: int,
        end: int,
        info: int,
        origin: Id | None,
        right: Id | None,
        parent: bytes | Id | None,
        key: bytes | None,
        head: bytes,
        parts: list[bytes],
    ) -> None:
        self.client = client
        self.clock = clock
        self.end = end
        self.info = info
        self.origin = origin
        self.right = right
        self.parent = parent
        self.key = key
        self.head = head
        self.parts = parts
        self.is_value = False

    @property
    def kind(self) -> int:
        """The content kind."""
        return self.info & 31

    def follows(self, left: Block) -> bool:
        """Whether it is what a split of `left` would have cut off, so that the two may be one (yjs `mergeWith`).

        A value under a key is replaced by the next one, not continued; only when both are deleted it is all the same.
        """
        kind = self.info & 31
        if kind != left.info & 31 or kind not in JOINABLE or self.clock != left.end:
            return False
        if kind in COUNTED and self.end - left.clock > DEFAULT.deleted_run_max:  # the gate would refuse the fold
            return False
        if self.is_value and kind not in COUNTED:
            return False
        return kind == GC or (self.origin == (self.client, self.clock - 1) and self.right == left.right)

    def join(self, right: Block) -> None:
        """Takes in the block that `follows`."""
        self.end = right.end
        self.parts += right.parts

    def become_deleted(self) -> None:
        """Drops the content, keeps the place."""
        self.info = self.info & ~31 | DELETED
        self.parts = []

    def become_gc(self) -> None:
        """Drops content and place: nothing can ever be next to it again."""
        self.info, self.head, self.parts = GC, b"", []
        self.origin = self.right = self.parent = self.key = None

    def encode(self) -> bytes:
        """As V1."""
        kind = self.info & 31
        content = b"".join(self.parts)
        if kind == STRING:
            content = write_varuint(len(content)) + content
        elif kind in COUNTED or kind in LISTED:
            content = write_varuint(self.end - self.clock) + content
        return bytes((self.info,)) + self.head + content

    def cut(self, bounds: list[int]) -> list[Block]:
        """Splits at these ascending clocks, all inside of it. Halves of surrogate pairs become U+FFFD, as in yjs."""
        edges = [self.clock, *bounds, self.end]
        contents = self._cut_content([edge - self.clock for edge in edges])
        pieces = []
        for at, parts in enumerate(contents):
            place = self._after(edges[at]) if at else self._place()
            piece = Block(self.client, edges[at], edges[at + 1], *place, parts)
            piece.is_value = self.is_value
            pieces.append(piece)
        return pieces

    def _place(self) -> Place:
        return self.info, self.origin, self.right, self.parent, self.key, self.head

    def _after(self, clock: int) -> Place:
        """The place of a piece that begins at `clock`."""
        head = write_id(self.client, clock - 1) + (b"" if self.right is None else write_id(*self.right))
        return self.info & ~HAS_KEY | HAS_ORIGIN, (self.client, clock - 1), self.right, None, None, head

    def _cut_content(self, edges: list[int]) -> list[list[bytes]]:
        spans = list(pairwise(edges))
        kind, content = self.info & 31, b"".join(self.parts)
        if kind == STRING:
            if content.isascii():
                return [[content[start:end]] for start, end in spans]
            units = utf16(content)
            return [[slice_text(units, start, end)] for start, end in spans]
        if kind in LISTED:
            at = value_offsets(content, 0, kind, edges[-1])
            return [[content[at[start] : at[end]]] for start, end in spans]
        return [[] for _ in spans]


def read_blocks(data: bytes, section: Section) -> list[Block]:
    """One client's structs as blocks."""
    return [_read_block(data, section.client, struct) for struct in section.structs]


def _read_block(data: bytes, client: int, struct: Struct) -> Block:
    start, body, stop, clock, end, info, origin, right, parent, key = struct
    kind = info & 31
    if kind in COUNTED:
        parts = []
    elif kind == STRING or kind in LISTED:
        parts = [data[read_varuint(data, body)[1] : stop]]
    else:
        parts = [data[body:stop]]
    return Block(client, clock, end, info, origin, right, parent, key, data[start + 1 : body], parts)
