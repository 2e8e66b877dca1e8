"""Merging updates without understanding their content: bytes are copied, and cut only where two of them overlap.

No CRDT engine takes part: in the server's process there is none, and copying costs less than an engine's merge with
the gate on its result (docs/codec.md has the figures).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from collab.crdt.checked import Checked
from collab.crdt.content import SKIP
from collab.crdt.decode import Section, Struct, Update, decode, read_structs
from collab.crdt.encode import NO_DELETES, Run, cut, encode, write_skip
from collab.crdt.ids import IdRanges, Range
from collab.crdt.keystroke import read_keystroke
from collab.errors import BadUpdate
from collab.limits import DEFAULT
from collab.protocol.varint import write_varbytes, write_varuint

Stretch = tuple[int, int, int, bytes, int, int]
"""(first clock, end clock, structs, data, start, stop): structs of one client in `data[start:stop]`, without a gap."""


def merge(updates: Iterable[bytes]) -> bytes:
    """One update that means the same as all of them (yjs `updates.js`, `mergeUpdates`).

    Gaps become SKIPs. Where two updates hold the same clocks the one given first counts, as for whoever applies them
    in this order; so nothing that was taken once can be overlaid later. Raises BadUpdate.
    """
    gathered = _Gathered()
    for update in updates:
        checked = read_keystroke(update, DEFAULT)
        if checked is not None:
            gathered.add(checked)
        else:
            gathered.add_decoded(decode(update))
    return gathered.encode()


def merge_tick(updates: Iterable[Checked]) -> bytes | None:
    """One update for what a room took in one tick; None if it cannot be made: then show them one by one.

    An update by one client, without gaps, is not even parsed. What somebody typed letter by letter becomes one string,
    so that the frame of a fast room is small; otherwise the bytes are those of `merge`.
    """
    gathered = _Gathered()
    try:
        for update in updates:
            if update.text is None:
                gathered.add(update)
            else:
                gathered.type(update, update.text)
    except BadUpdate:
        return None
    return gathered.encode()


class _Typing:
    """Strings that one client typed one behind the other: one struct, as yjs itself would write them.

    (yjs `Item.mergeWith`: the right one's left origin is the last element of the left one, their right origins agree.)
    """

    __slots__ = ("end", "first", "texts")

    def __init__(self, first: Checked, text: bytes, end: int) -> None:
        self.first = first
        self.texts = [text]
        self.end = end

    def stretch(self) -> Stretch:
        """What was typed, as one struct."""
        first = self.first
        clock = first.runs[0][1]
        if len(self.texts) == 1:
            return clock, self.end, 1, first.raw, first.body, first.tail
        head = first.raw[first.body : first.tail - len(self.texts[0]) - 1]
        data = head + write_varbytes(b"".join(self.texts))
        return clock, self.end, 1, data, 0, len(data)

    def section(self) -> bytes:
        """The same with the client in front, as it stands in an update that holds nothing else of this client."""
        first = self.first
        if len(self.texts) == 1:
            return first.raw[1 : first.tail]
        return first.raw[1 : first.tail - len(self.texts[0]) - 1] + write_varbytes(b"".join(self.texts))


class _Gathered:
    """Stretches of each client and all deletions, in the order in which updates were added."""

    def __init__(self) -> None:
        self._stretches: dict[int, list[Stretch]] = {}
        self._typing: dict[int, _Typing] = {}  # each client's last stretch, if it is still going on
        self._deletes: list[Sequence[Range]] = []
        self._delete_set = NO_DELETES

    def add(self, update: Checked) -> None:
        """What has passed the gate. Raises BadUpdate if somebody changed its bytes since."""
        if len(update.runs) > 1 or update.raw[0] > 1:
            self.add_decoded(decode(update.raw))
            return
        if update.deletes:
            self._deletes.append(update.deletes)
            self._delete_set = update.raw[update.tail :]
        for client, clock, end in update.runs:
            self._of(client).append((clock, end, update.count, update.raw, update.body, update.tail))

    def type(self, update: Checked, text: bytes) -> None:
        """A string that goes on where the same client's last one ended, in the same place, becomes one with it."""
        client, clock, end = update.runs[0]
        typing = self._typing.get(client)
        if typing is not None and update.follows and clock == typing.end and update.right == typing.first.right:
            typing.texts.append(text)
            typing.end = end
            return
        if typing is not None:
            self._of(client)
        self._typing[client] = _Typing(update, text, end)

    def _of(self, client: int) -> list[Stretch]:
        """The client's stretches, what it typed last included."""
        stretches = self._stretches.setdefault(client, [])
        typing = self._typing.pop(client, None)
        if typing is not None:
            stretches.append(typing.stretch())
        return stretches

    def add_decoded(self, update: Update) -> None:
        """Any update."""
        if update.deletes:
            self._deletes.append(update.deletes)
            self._delete_set = update.data[update.tail :]
        for section in update.sections:
            self._of(section.client).extend(split_at_gaps(update.data, section))

    def encode(self) -> bytes:
        """All of it as one update."""
        if not self._stretches and not self._deletes:
            return _encode_typing(self._typing)
        for client in list(self._typing):
            self._of(client)
        if len(self._deletes) > 1:
            self._delete_set = IdRanges.of(each for several in self._deletes for each in several).encode()
        return encode([_stitch(client, row) for client, row in self._stretches.items()], self._delete_set)


def _encode_typing(typing: dict[int, _Typing]) -> bytes:
    """What people typed in one tick, one string each: the order is that of `encode`."""
    clients = sorted(typing, reverse=True)
    return b"".join((write_varuint(len(clients)), *[typing[client].section() for client in clients], NO_DELETES))


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
    """Lays one client's stretches in a row."""
    if len(stretches) == 1:
        first, _, count, data, start, stop = stretches[0]
        return Run(client, first, [data[start:stop]], count)
    if any(right[0] != left[1] for left, right in pairwise(stretches)):
        stretches = _apart(client, stretches)
    clock = stretches[0][0]
    run = Run(client, clock, [], 0)
    for first, end, count, data, start, stop in stretches:
        if first > clock:
            run.pieces.append(write_skip(first - clock))
            run.count += 1
        run.pieces.append(data[start:stop])
        run.count += count
        clock = end
    return run


def _apart(client: int, stretches: list[Stretch]) -> list[Stretch]:
    """The stretches by clock, each without what one before it in the list has."""
    taken = IdRanges()
    apart: list[Stretch] = []
    for stretch in stretches:
        first, end, count, data, start, _ = stretch
        left = taken.missing([(client, first, end)])
        if left == [(client, first, end)]:
            apart.append(stretch)
        elif left:
            structs = read_structs(data, start, count, client, first)
            apart += [_part(data, structs, each) for each in left]
        taken.add(client, first, end)
    return sorted(apart, key=_clock)


def _part(data: bytes, structs: list[Struct], wanted: Range) -> Stretch:
    """The wanted clocks of a stretch."""
    client, first, end = wanted
    within = structs[bisect_right(structs, first, key=_end) : bisect_left(structs, end, key=_start)]
    pieces = [
        data[each.start : each.stop]
        if each.clock >= first and each.end <= end
        else cut(data, each, client, max(each.clock, first), min(each.end, end))
        for each in within
    ]
    part = b"".join(pieces)
    return first, end, len(within), part, 0, len(part)


def _clock(stretch: Stretch) -> int:
    return stretch[0]


def _start(struct: Struct) -> int:
    return struct.clock


def _end(struct: Struct) -> int:
    return struct.end
