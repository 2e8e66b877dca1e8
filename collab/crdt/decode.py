"""The one parser of Yjs V1 updates: it refuses what must not enter, and tells where every struct lies.

Format (yjs `encoding.js`, `writeClientsStructs`; `Item.js`, `write`), integers variable-length:

    update  = count of clients, section*, delete set
    section = count of structs, client id, clock of the first, struct*
    struct  = info byte, then
              GC or SKIP: length
              item: [left origin id] [right origin id] [parent [key]] content
    parent  = 1, name of a root type | 0, id of the item that holds the type
    id      = client, clock

Bit 8 of info announces the left origin, bit 7 the right one, bit 6 a key; parent and key are written only when both
origins are absent, else they are those of the neighbour. The low five bits are the content kind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from collab.crdt.content import GC, READERS, SKIP, read_count, read_deleted, read_text
from collab.crdt.ids import Range, read_delete_set
from collab.crdt.varints import read_varuint
from collab.errors import BadUpdate
from collab.limits import DEFAULT, Limits
from collab.protocol.varint import write_varuint

Id = tuple[int, int]
"""(client, clock) of one element."""

V2 = b"\0"
"""How all updates of format V2 begin (yjs `UpdateEncoder.js`, the feature flags), and of V1 those without structs."""

HAS_ORIGIN, HAS_RIGHT, HAS_KEY = 128, 64, 32


class Struct(NamedTuple):
    """One struct and its place in the bytes: `data[start:stop]`, its content from `body` on.

    It spans clock <= c < end. `parent` is a root's name in UTF-8, an id, or None if it is inherited.
    """

    start: int
    body: int
    stop: int
    clock: int
    end: int
    info: int
    origin: Id | None
    right: Id | None
    parent: bytes | Id | None
    key: bytes | None


class Section(NamedTuple):
    """The structs of one client, adjacent in clocks (gaps between are SKIPs); `data[start:stop]` holds them."""

    client: int
    clock: int
    end: int
    start: int
    stop: int
    structs: list[Struct]


class Update(NamedTuple):
    """A decoded update; the delete set begins at `tail`."""

    data: bytes
    sections: list[Section]
    deletes: list[Range]
    tail: int


_ANY = DEFAULT.clock_max
STORED = replace(DEFAULT, structs_max=_ANY, type_nesting_max=_ANY, clients_max=_ANY, deleted_ranges_max=_ANY)
"""What a state may be: as updates are, but for what many of them add up to."""


def decode(data: bytes, limits: Limits = STORED) -> Update:
    """Parses a whole update in time linear in its length. Raises BadUpdate."""
    try:
        return _decode(data, limits)
    except BadUpdate as error:
        if data[:1] == V2:
            error.detail += "; is it of format V2? Only V1 is taken"
        raise


def _decode(data: bytes, limits: Limits) -> Update:
    try:
        sections, tail = _sections(data, limits)
    except IndexError:
        raise BadUpdate("the update ends early", len(data)) from None
    deletes, end = read_delete_set(data, tail, limits)
    if end != len(data):
        raise BadUpdate("bytes follow the update", end)
    return Update(data, sections, deletes, tail)


def read_structs(data: bytes, offset: int, count: int, client: int, clock: int) -> list[Struct]:
    """Parses `count` structs of a client from the middle of an update. Raises BadUpdate."""
    try:
        return _structs(data, offset, count, (client, write_varuint(client), clock), STORED)
    except IndexError:
        raise BadUpdate("the update ends early", len(data)) from None


def _sections(data: bytes, limits: Limits) -> tuple[list[Section], int]:
    count, offset = read_count(data, 0)
    if count > limits.clients_max:
        raise BadUpdate(f"more than {limits.clients_max} clients", 0)
    sections: list[Section] = []
    seen: set[int] = set()
    left = limits.structs_max
    for _ in range(count):
        section = _section(data, offset, left, limits)
        left -= len(section.structs)
        if section.client in seen:  # yrs puts both runs into one queue: memory corruption and endless loops
            raise BadUpdate("a client is listed twice", offset)
        seen.add(section.client)
        sections.append(section)
        offset = section.stop
    return sections, offset


def _section(data: bytes, offset: int, structs_max: int, limits: Limits) -> Section:
    count, offset = read_count(data, offset)
    if count > structs_max:
        raise BadUpdate(f"more than {limits.structs_max} structs", offset)
    if count == 0:  # yrs panics on an empty section of a client that it knows
        raise BadUpdate("a client without structs", offset)
    at = offset
    client, offset = read_varuint(data, offset)
    if client > limits.client_id_max:
        raise BadUpdate("a client id is too large", at)
    own = data[at:offset]
    clock, start = read_varuint(data, offset)
    structs = _structs(data, start, count, (client, own, clock), limits)
    if structs[0].info == SKIP or structs[-1].info == SKIP:
        raise BadUpdate("a gap at an end of a client's structs", start)
    return Section(client, clock, structs[-1].end, start, structs[-1].stop, structs)


def _structs(data: bytes, offset: int, count: int, first: tuple[int, bytes, int], limits: Limits) -> list[Struct]:
    """The hot loop of every larger update; `first` is (client, client as encoded, clock)."""
    client, own, clock = first
    clock_max = limits.clock_max
    out: list[Struct] = []
    for _ in range(count):
        start = offset
        info = data[start]
        offset = start + 1
        kind = info & 31
        origin = right = parent = key = None
        if kind == GC or kind == SKIP:
            if info != kind:
                raise BadUpdate("a GC or SKIP with flags", start)
            body = offset
            length = data[body]
            if length < 128:
                offset = body + 1
            else:
                length, offset = read_varuint(data, body) if kind else read_deleted(data, body, limits)
        else:
            if info & HAS_ORIGIN:
                origin, offset = _read_id(data, offset, client, own, clock, limits)
            if info & HAS_RIGHT:
                right, offset = _read_id(data, offset, client, own, clock, limits)
            elif not info & HAS_ORIGIN:
                parent, key, offset = _read_parent(data, offset, info, (client, own, clock), limits)
            body = offset
            length, offset = READERS[kind](data, offset, limits)
        end = clock + length
        if length < 1 or end > clock_max:
            raise BadUpdate("a struct is empty, or its clock too high", start)
        out.append(_make(Struct, (start, body, offset, clock, end, info, origin, right, parent, key)))
        clock = end
    return out


_make = tuple.__new__  # a third of the price of calling the class


def _read_id(data: bytes, offset: int, client: int, own: bytes, clock: int, limits: Limits) -> tuple[Id, int]:
    """Reads a reference made by the struct (client, clock), which must be to something older if its own."""
    if data.startswith(own, offset):
        offset += len(own)
        at = data[offset]
        if at > 127:
            at, offset = read_varuint(data, offset)
        else:
            offset += 1
        if at < clock:
            return (client, at), offset
    else:
        to, offset = read_varuint(data, offset)
        at, offset = read_varuint(data, offset)
        if to <= limits.client_id_max and at < (clock if to == client else limits.clock_max):
            return (to, at), offset
    raise BadUpdate("a struct refers to an id that cannot be before it", offset)


def _read_parent(
    data: bytes, offset: int, info: int, first: tuple[int, bytes, int], limits: Limits
) -> tuple[bytes | Id, bytes | None, int]:
    """Reads parent and key of a struct without origins. Returns (parent, key, next offset)."""
    named = data[offset]
    if named > 1:
        raise BadUpdate("a parent is neither a name nor an id", offset)
    parent: bytes | Id
    if named:
        parent, offset = read_text(data, offset + 1)
    else:
        parent, offset = _read_id(data, offset + 1, *first, limits)
    if not info & HAS_KEY:
        return parent, None, offset
    key, offset = read_text(data, offset)
    return parent, key, offset
