"""Merging updates without understanding their content: bytes are copied, and cut only where two of them overlap.

No CRDT engine takes part: in the server's process there is none, and copying costs less than an engine's merge with
the gate on its result (docs/codec.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collab.crdt.checked import Checked
from collab.crdt.content import SKIP
from collab.crdt.decode import Section, decode, read_structs
from collab.crdt.encode import NO_DELETES, Run, cut, encode, write_skip
from collab.crdt.gate import check
from collab.crdt.ids import IdRanges, Range
from collab.errors import BadUpdate

Stretch = tuple[int, int, int, bytes, int, int]
"""(first clock, end clock, structs, data, start, stop): structs of one client in `data[start:stop]`, without a gap."""


def merge(updates: Sequence[bytes]) -> bytes:
    """One update that means the same as all of them, in any order (yjs `updates.js`, `mergeUpdates`).

    Gaps become SKIPs. Where two updates hold the same clocks, the one that begins earlier, or was given first, wins.
    Raises BadUpdate.
    """
    return merge_checked([check(update) for update in updates])


def merge_tick(updates: Sequence[Checked]) -> bytes | None:
    """One update for what a room took in one tick; None if it cannot be made: then show them one by one."""
    try:
        return merge_checked(updates)
    except BadUpdate:
        return None


def merge_checked(updates: Iterable[Checked]) -> bytes:
    """`merge` of what has passed the gate already. An update by one client, without gaps, is not even parsed."""
    stretches: dict[int, list[Stretch]] = {}
    deletes: list[tuple[Range, ...]] = []
    delete_set = NO_DELETES
    for update in updates:
        if update.deletes:
            deletes.append(update.deletes)
            delete_set = update.raw[update.tail :]
        if len(update.runs) == 1 and update.raw[0] == 1:
            client, clock, end = update.runs[0]
            stretch = (clock, end, update.count, update.raw, update.body, update.tail)
            if client in stretches:
                stretches[client].append(stretch)
            else:
                stretches[client] = [stretch]
        elif update.runs:
            for section in decode(update.raw).sections:
                stretches.setdefault(section.client, []).extend(split_at_gaps(update.raw, section))
    if len(deletes) > 1:
        delete_set = IdRanges.of(each for several in deletes for each in several).encode()
    return encode([_stitch(client, pieces) for client, pieces in stretches.items()], delete_set)


def split_at_gaps(data: bytes, section: Section) -> Iterator[Stretch]:
    """The section's structs as stretches without SKIPs."""
    structs = section.structs
    first = 0
    for at, struct in enumerate(structs):
        if struct.info == SKIP:
            if at > first:
                yield structs[first].clock, struct.clock, at - first, data, structs[first].start, struct.start
            first = at + 1
    yield structs[first].clock, section.end, len(structs) - first, data, structs[first].start, section.stop


def _stitch(client: int, stretches: list[Stretch]) -> Run:
    """Lays one client's stretches in a row by clock."""
    stretches.sort(key=_clock)
    clock = stretches[0][0]
    run = Run(client, clock, [], 0)
    for stretch in stretches:
        first, end, count, data, start, stop = stretch
        if first == clock:
            run.pieces.append(data[start:stop])
            run.count += count
        elif end <= clock:
            continue
        elif first > clock:
            run.pieces += (write_skip(first - clock), data[start:stop])
            run.count += count + 1
        else:
            _append_rest(run, stretch, clock)
        clock = end
    return run


def _append_rest(run: Run, stretch: Stretch, clock: int) -> None:
    """Adds the part of a stretch from `clock` on."""
    first, _, count, data, start, stop = stretch
    structs = read_structs(data, start, count, run.client, first)
    at = next(at for at, struct in enumerate(structs) if struct.end > clock)
    struct = structs[at]
    run.count += count - at
    if struct.clock < clock:
        run.pieces.append(cut(data, struct, run.client, clock))
        run.pieces.append(data[struct.stop : stop])
    else:
        run.pieces.append(data[struct.start : stop])


def _clock(stretch: Stretch) -> int:
    return stretch[0]
