"""A stored state with newer updates laid behind it: bytes are copied, the state is never parsed.

Rooms hold a folded state and the updates since. Whoever asks for the document as one update (REST) gets them joined:
each client's new structs continue its old ones, so that only the places in the index have to move.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from collab.crdt.checked import Checked
from collab.crdt.content import SKIP
from collab.crdt.decode import decode
from collab.crdt.encode import Run
from collab.crdt.ids import IdRanges
from collab.crdt.index import Mark, Part, StateIndex, build
from collab.crdt.merge import merge
from collab.protocol.varint import write_varuint


class Piece(NamedTuple):
    """Structs of one client without a gap, from an update of the tail."""

    client: int
    clock: int
    end: int
    structs: int
    data: bytes


def splice(base: StateIndex | None, tail: Sequence[Checked]) -> StateIndex:
    """The index, with its state, of `base` and all of `tail`: what `merge` of them all would hold.

    Each update must be ready once those before it are known, as a room's are. Takes time linear in the bytes, of
    which those of the base are only copied. Raises BadUpdate if an update was never checked.
    """
    joined = _join(base, tail)
    if joined is None:  # something overlaps or fills a gap: rare, and merging knows how
        state = merge([*([base.state] if base else []), *(update.raw for update in tail)])
        return StateIndex.decode(build(state), state)
    return _laid_out(base, joined, _deletes(base, tail))


def _join(base: StateIndex | None, tail: Sequence[Checked]) -> dict[int, tuple[Run, int]] | None:
    """Per client its run and where it ends, the base's own bytes not among the pieces; None if it is not that easy."""
    joined: dict[int, tuple[Run, int]] = {}
    ends = {part.client: part.end for part in base.parts} if base else {}
    for update in tail:
        for client, clock, end, structs, data in _pieces(update):
            run, expected = joined.get(client) or (Run(client, clock, [], 0), ends.get(client, 0))
            if clock != expected or not structs:
                return None
            run.pieces.append(data)
            run.count += structs
            joined[client] = run, end
    return joined


def _pieces(update: Checked) -> Iterator[Piece]:
    """A piece per client; one of no structs stands for a client with gaps."""
    if update.count and len(update.runs) == 1 and update.raw[0] == 1:
        client, clock, end = update.runs[0]
        yield Piece(client, clock, end, update.count, update.raw[update.body : update.tail])
    elif update.count:
        for section in decode(update.raw).sections:
            whole = all(struct.info != SKIP for struct in section.structs)
            data = update.raw[section.start : section.stop]
            yield Piece(section.client, section.clock, section.end, len(section.structs) if whole else 0, data)


def _deletes(base: StateIndex | None, tail: Sequence[Checked]) -> bytes:
    """The encoded union of all delete sets."""
    added = [update for update in tail if update.deletes]
    if base is not None and not added:
        return base.state[base.tail :]
    deletes = base.deleted() if base is not None else IdRanges()
    for update in added:
        deletes.update(update.deletes)
    return deletes.encode()


def _laid_out(base: StateIndex | None, joined: dict[int, tuple[Run, int]], deletes: bytes) -> StateIndex:
    """Writes base and tail out together, clients descending as yjs writes them, and notes what went where."""
    old = {part.client: part for part in base.parts} if base else {}
    clients = sorted(old.keys() | joined.keys(), reverse=True)
    out = [write_varuint(len(clients))]
    at = len(out[0])
    parts: list[Part] = []
    for client in clients:
        part, (run, end) = old.get(client), joined.get(client, (None, 0))
        copied = base.state[part.start : part.stop] if base is not None and part is not None else b""
        grown = _grown(part, run, end, len(copied), sum(map(len, run.pieces)) if run else 0)
        head = write_varuint(grown.total) + write_varuint(client) + write_varuint(grown.clock)
        out += (head, copied, *(run.pieces if run else ()))
        parts.append(_moved(grown, at + len(head)))
        at = parts[-1].stop
    return StateIndex(b"".join((*out, deletes)), at, parts)


def _grown(part: Part | None, run: Run | None, end: int, copied: int, added: int) -> Part:
    """A client's part as if it began at byte 0, what was added counted in."""
    if run is None:
        assert part is not None
        return _moved(part, 0)
    if part is None:
        return Part(run.client, run.clock, end, end, run.count, 0, added, [Mark(0, run.clock, 0)])
    moved = _moved(part, 0)
    known = end if part.known == part.end else part.known
    marks = [*moved.marks, Mark(part.total, part.end, copied)]
    return Part(part.client, part.clock, end, known, part.total + run.count, 0, copied + added, marks)


def _moved(part: Part, start: int) -> Part:
    """The same part at another place in the bytes."""
    by = start - part.start
    marks = [Mark(number, clock, offset + by) for number, clock, offset in part.marks] if by else part.marks
    return part._replace(start=start, stop=part.stop + by, marks=marks)
