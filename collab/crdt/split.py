"""Splitting updates: what can be taken now from what must wait, one client's structs from the others'."""

from __future__ import annotations

from collections.abc import Callable

from collab.crdt.checked import Checked
from collab.crdt.clocks import Clocks
from collab.crdt.content import SKIP
from collab.crdt.decode import Section, Struct, Update, decode
from collab.crdt.encode import NO_DELETES, Run, encode, whole
from collab.crdt.ids import IdRanges, Range
from collab.crdt.order import Settling


def split(update: Checked, clocks: Clocks) -> tuple[bytes | None, bytes | None]:
    """Returns (what is ready, what is ahead of its dependencies); None for a part that is empty.

    What the room knows already is left out of the ready part as far as whole structs at the start of a client's
    section go: cutting inside of one would not keep the bytes, and yjs takes overlaps. Known deletions are left out
    as well. A deletion that reaches past the known clocks is ready up to them; its rest waits as one range, and for
    all of its clocks, so that nobody can delete in advance what others will write.
    """
    decoded = decode(update.raw)
    settling = Settling({section.client: section.structs for section in decoded.sections}, clocks.next).run()
    ready: list[Run] = []
    ahead: list[Run] = []
    for section in decoded.sections:
        taken = settling.taken[section.client]
        _append(ready, decoded, section, _unknown(section.structs[:taken], clocks.next.get(section.client, 0)))
        _append(ahead, decoded, section, section.structs[taken:])
    now, later = _split_deletes(decoded.deletes, settling, clocks.deleted)
    return _update(ready, now), _update(ahead, later)


def without_clients(update: bytes, clients: set[int]) -> bytes | None:
    """The update without what these clients wrote; None if nothing is left. Deletions stay: anyone may delete."""
    return _of_clients(update, lambda client: client not in clients)


def only_client(update: bytes, client: int) -> bytes | None:
    """The update without what all others wrote, as above."""
    return _of_clients(update, lambda author: author == client)


def _of_clients(update: bytes, chosen: Callable[[int], bool]) -> bytes | None:
    decoded = decode(update)
    runs: list[Run] = []
    for section in decoded.sections:
        if chosen(section.client):
            _append(runs, decoded, section, section.structs)
    if not runs and not decoded.deletes:
        return None
    return encode(runs, update[decoded.tail :])


def _unknown(structs: list[Struct], known: int) -> list[Struct]:
    """Drops leading structs that are known, and the gaps between them; what is left has no gap."""
    at = 0
    while at < len(structs) and (structs[at].end <= known or structs[at].info == SKIP):
        at += 1
    return structs[at:]


def _append(runs: list[Run], update: Update, section: Section, structs: list[Struct]) -> None:
    """Adds the structs as a run, without gaps at its ends."""
    first, last = 0, len(structs)
    while first < last and structs[first].info == SKIP:
        first += 1
    while last > first and structs[last - 1].info == SKIP:
        last -= 1
    if first < last:
        kept = structs[first:last]
        runs.append(Run(section.client, kept[0].clock, [whole(update.data, kept)], len(kept)))


def _split_deletes(deletes: list[Range], settling: Settling, deleted: IdRanges) -> tuple[list[Range], list[Range]]:
    now: list[Range] = []
    later: list[Range] = []
    for client, start, end in deletes:
        known = settling.next_clock(client)
        if start < known:
            now.append((client, start, min(end, known)))
        if end > known:
            later.append((client, max(start, known), end))
    return deleted.missing(now), later


def _update(runs: list[Run], deletes: list[Range]) -> bytes | None:
    if not runs and not deletes:
        return None
    return encode(runs, IdRanges.of(deletes).encode() if deletes else NO_DELETES)
