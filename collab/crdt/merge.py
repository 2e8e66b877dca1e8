"""Merging updates without understanding their content: bytes are copied, and cut only where two of them overlap.

No CRDT engine takes part: in the server's process there is none, and copying costs less than an engine's merge with
the gate on its result (docs/codec.md has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from collab.crdt.checked import Checked
from collab.crdt.content import SKIP
from collab.crdt.decode import Section, Struct, decode
from collab.crdt.encode import NO_DELETES, Run, cut, encode, whole, write_skip
from collab.crdt.ids import IdRanges
from collab.errors import BadUpdate


class Stretch(NamedTuple):
    """Structs of one client without a gap, and the bytes they lie in."""

    data: bytes
    clock: int
    end: int
    structs: Sequence[Struct]


def merge(updates: Sequence[bytes]) -> bytes:
    """One update that means the same as all of them, in any order (yjs `updates.js`, `mergeUpdates`).

    Gaps become SKIPs. Where two updates hold the same clocks, the one that begins earlier, or was given first, wins.
    Raises BadUpdate.
    """
    stretches: dict[int, list[Stretch]] = {}
    deletes = IdRanges()
    for update in updates:
        decoded = decode(update)
        for section in decoded.sections:
            stretches.setdefault(section.client, []).extend(split_at_gaps(update, section))
        deletes.update(decoded.deletes)
    return encode([_stitch(client, pieces) for client, pieces in stretches.items() if pieces], deletes.encode())


def split_at_gaps(data: bytes, section: Section) -> list[Stretch]:
    """The section's structs as stretches without SKIPs."""
    out: list[Stretch] = []
    first = 0
    structs = section.structs
    for at, struct in enumerate(structs):
        if struct.info == SKIP:
            if at > first:
                out.append(Stretch(data, structs[first].clock, struct.clock, structs[first:at]))
            first = at + 1
    if first < len(structs):
        out.append(Stretch(data, structs[first].clock, section.end, structs[first:]))
    return out


def _stitch(client: int, stretches: list[Stretch]) -> Run:
    """Lays one client's stretches in a row by clock."""
    stretches.sort(key=_clock)
    run = Run(client, stretches[0].clock, [], 0)
    clock = run.clock
    for stretch in stretches:
        if stretch.end <= clock:
            continue
        if stretch.clock > clock:
            run.pieces.append(write_skip(stretch.clock - clock))
            run.count += 1
            clock = stretch.clock
        _append(run, stretch, clock)
        clock = stretch.end
    return run


def _append(run: Run, stretch: Stretch, clock: int) -> None:
    """Adds the part of a stretch from `clock` on."""
    structs = stretch.structs
    at = next(at for at, struct in enumerate(structs) if struct.end > clock)
    run.count += len(structs) - at
    if structs[at].clock < clock:
        run.pieces.append(cut(stretch.data, structs[at], run.client, clock))
        at += 1
    run.pieces.append(whole(stretch.data, structs[at:]))


def _clock(stretch: Stretch) -> int:
    return stretch.clock


def merge_tick(updates: Sequence[Checked]) -> bytes | None:
    """One update for what a room took in one tick; None if it cannot be made, then show them one by one.

    Updates of a tick are ready one after the other, so a client's structs nearly always lie end to end and only need
    copying, under half a microsecond each.
    """
    runs: dict[int, Run] = {}
    ends: dict[int, int] = {}
    deleting: list[Checked] = []
    for update in updates:
        if update.deletes:
            deleting.append(update)
        if not update.count:
            continue
        if len(update.runs) != 1 or update.raw[0] != 1:
            return _merge_or_none(updates)
        client, clock, end = update.runs[0]
        run = runs.get(client)
        if run is None:
            runs[client] = run = Run(client, clock, [], 0)
        elif ends[client] != clock:
            return _merge_or_none(updates)
        run.pieces.append(update.raw[update.body : update.tail])
        run.count += update.count
        ends[client] = end
    return encode(runs.values(), _union(deleting))


def _union(deleting: list[Checked]) -> bytes:
    """The delete sets of these updates as one."""
    if not deleting:
        return NO_DELETES
    if len(deleting) == 1:
        return deleting[0].raw[deleting[0].tail :]
    deletes = IdRanges()
    for update in deleting:
        deletes.update(update.deletes)
    return deletes.encode()


def _merge_or_none(updates: Sequence[Checked]) -> bytes | None:
    try:
        return merge([update.raw for update in updates])
    except BadUpdate:
        return None
