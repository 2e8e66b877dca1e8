"""A room's document as bytes: a base, the updates since, and the answers made of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from collab.crdt.checked import Checked
from collab.crdt.clocks import Clocks
from collab.crdt.decode import STORED
from collab.crdt.diff import PARTS_AT_ONCE, diff, diffing
from collab.crdt.gate import check
from collab.crdt.index import StateIndex
from collab.crdt.merge import merge_tick
from collab.crdt.splice import splice
from collab.protocol.frames import frame
from collab.protocol.messages import EMPTY_UPDATE, encode_step2, encode_update

MERGED_BYTES = 4 * 1024  # larger updates are sent as they are: parsing them again could hold up the loop
CHUNK_BYTES = 16 * 1024  # a chunk this large is sealed: merging it again for each join would cost more than its frame

MISSED_AT_ONCE = 500  # updates that a slow reader has missed: to merge so many costs a millisecond or two
JOINED_AT_ONCE = 8 * 1024  # bytes of updates: two milliseconds of honest ones
ANSWERS_KEPT = 4  # in a storm nearly all come back with the same vector, and some with one a moment older
KEY_CLIENTS_MAX = 10_000  # a vector of more is not compared: that would cost a millisecond or more
ANSWER_BYTES_KEPT = 256 * 1024  # a larger one costs its bytes more than its making


class Answers(Protocol):
    """What is counted of them."""

    answers_made: int


class Tail:
    """One tick's update, the ledger number of its last entry and, once that is committed, its sequence number."""

    __slots__ = ("number", "seq", "update")

    def __init__(self, update: bytes) -> None:
        self.update = update
        self.number = 0
        self.seq: int | None = None


class Joining(NamedTuple):
    """What is joined already, and what is to be laid behind it: what is new of all the tail that is committed."""

    bottom: StateIndex | None  # of the room's base, then
    base: StateIndex | None
    new: list[Tail]
    committed: list[Tail]

    @property
    def is_much(self) -> bool:
        """Whether it is better done elsewhere."""
        clients = len(self.base.parts) if self.base is not None else 0
        return clients > PARTS_AT_ONCE or sum(len(item.update) for item in self.new) > JOINED_AT_ONCE


class History:
    """Base (a checkpoint's state), tail (what came since), clocks and deletions. Never a CRDT document."""

    def __init__(
        self, base: bytes | None, index: StateIndex | None, base_seq: int, clocks: Clocks | None = None
    ) -> None:
        """`clocks`: those of the index, by whoever has read them already."""
        self.base = base
        self.index = index
        self.base_seq = base_seq
        if clocks is None:
            clocks = Clocks.from_index(index) if index is not None else Clocks()
        self.clocks = clocks
        self.tail: list[Tail] = []
        self.tail_bytes = 0
        self.size_bytes = len(base) if base else 0  # held for the document
        self._unsettled: list[Tail] = []  # shown, not yet committed
        self._base_update: bytes | None = None
        self._chunks: list[tuple[bytes, bytes]] = []  # (merged update, its frame), the last one still open
        self._chunked = 0  # how many of the tail are in chunks
        self.counters: Answers | None = None
        self._answer: bytes | None = None  # the frames for an empty vector, until the document changes
        self._answers: dict[frozenset[tuple[int, int]], bytes] = {}  # and for some others
        self._folded = 0  # how many of all that was ever added are in the base by now
        self._whole: StateIndex | None = index
        self._spliced: list[Tail] = []  # what of the tail is in `_whole`

    @property
    def position(self) -> int:
        """How many updates were added so far: a mark for `since`."""
        return self._folded + len(self.tail)

    def add(self, update: bytes) -> Tail:
        """Appends what a tick showed (its clocks are already in `clocks`)."""
        item = Tail(update)
        self.tail.append(item)
        self._forget_answers()
        self.tail_bytes += len(update)
        self.size_bytes += len(update)
        return item

    def show(self, update: bytes, number: int) -> None:
        """Appends what a tick showed; it waits for the commit of this ledger number."""
        item = self.add(update)
        item.number = number
        self._unsettled.append(item)

    def settle(self, durable: int, offset: int) -> None:
        """All ledger numbers up to `durable` are committed; number + offset is the sequence number."""
        items, cut = self._unsettled, 0
        while cut < len(items) and items[cut].number <= durable:
            items[cut].seq = items[cut].number + offset
            cut += 1
        del items[:cut]

    def load(self, update: bytes, seq: int) -> None:
        """Appends a committed update of the log while opening. Raises BadUpdate for what no room should have taken."""
        self.take(check(update, STORED), seq)

    def take(self, checked: Checked, seq: int) -> None:
        """The same for one that was checked elsewhere."""
        if not self.clocks.adds_nothing(checked):
            self.clocks.advance(checked)
            self.add(checked.raw).seq = seq

    def parts(self) -> list[bytes]:
        """Everything, as updates to be applied in order: what the engine is fed."""
        base = [self.base] if self.base else []
        return [*base, *(item.update for item in self.tail)]

    def rebase(self, base: bytes, index: StateIndex, seq: int) -> None:
        """Puts a folded state in the place of the base and of everything it holds."""
        self.base, self.index, self.base_seq = base, index, seq
        position, kept = self.position, [item for item in self.tail if item.seq is None or item.seq > seq]
        is_suffix = kept == self.tail[len(self.tail) - len(kept) :]
        # Where another node's commit overtook what is shown here, marks in between no longer say who lacks what.
        self._folded = position - len(kept) if is_suffix else position
        self.tail = kept
        self.tail_bytes = sum(len(item.update) for item in self.tail)
        self.size_bytes = len(base) + self.tail_bytes
        self._base_update, self._chunks, self._chunked = None, [], 0
        self._forget_answers()
        self._whole, self._spliced = index, []

    def whole(self) -> StateIndex:
        """All that is committed, as one update with its index; made again only when there is more of it."""
        left = self.left_to_join()
        if left is not None:
            self.keep_joined(left, splice(left.base, [check(item.update, STORED) for item in left.new]))
        assert self._whole is not None
        return self._whole

    def left_to_join(self) -> Joining | None:
        """What `whole` has to do; None if there is nothing new."""
        committed = [item for item in self.tail if item.seq is not None]
        done = len(self._spliced)
        if committed[:done] != self._spliced:  # another node's commit came between: begin again at the base
            self._whole, done = self.index, 0
        if self._whole is not None and len(committed) == done:
            return None
        return Joining(self.index, self._whole, committed[done:], committed)

    def keep_joined(self, joining: Joining, whole: StateIndex) -> None:
        """It was done, perhaps elsewhere; of no use any more if the base is another one by now."""
        if self.index is joining.bottom:
            self._whole, self._spliced = whole, joining.committed

    def answer_all(self) -> bytes:
        """The frames for an empty state vector: one bytes object for a whole storm of joiners.

        The step 2, which makes the client `synced`, comes last, so that nobody is told "synced" on half a document.
        """
        if self._answer is None:
            self._answer = self._make_answer()
        return self._answer

    def _forget_answers(self) -> None:
        self._answer = None
        if self._answers:
            self._answers = {}

    def _count(self) -> None:
        if self.counters is not None:
            self.counters.answers_made += 1

    def _make_answer(self) -> bytes:
        self._count()
        tail = self._tail_frames()
        if self.base is None:
            return self._with_step2(tail)
        if not tail:
            return frame(encode_step2(self.base))
        if self._base_update is None:
            self._base_update = frame(encode_update(self.base))
        return self._with_step2([self._base_update, *tail])

    def answer(self, vector: dict[int, int]) -> bytes:
        """The frames for a client that has seen something: what it lacks of the base, then the tail.

        Made once for all who come back with the same vector, as after a restart: one bytes object for them, too.
        """
        if not vector or self.base is None:
            return self.answer_all()
        key = frozenset(vector.items())
        answer = self._answers.get(key)
        if answer is None:
            answer = self._kept(key, self._behind(diff(self.base, self.index, vector)))
        return answer

    def _kept(self, key: frozenset[tuple[int, int]] | None, answer: bytes) -> bytes:
        if key is not None and len(answer) <= ANSWER_BYTES_KEPT:
            if len(self._answers) >= ANSWERS_KEPT:
                del self._answers[next(iter(self._answers))]
            self._answers[key] = answer
        return answer

    @property
    def is_dear(self) -> bool:
        """Whether an answer to a state vector is better given in steps."""
        return self.index is not None and len(self.index.parts) > PARTS_AT_ONCE

    def answering(self, vector: dict[int, int]) -> Iterator[bytes | None]:
        """`answer` in steps: None at each, then the frames, which hold all that came until then.

        Of the vector only what the base has counts, so that one with a million clients costs no more than one with few.
        """
        while vector and self.base is not None and self.index is not None:
            base, index, known = self.base, self.index, dict[int, int]()
            for at, part in enumerate(index.parts, 1):
                if part.client in vector:
                    known[part.client] = vector[part.client]
                if at % PARTS_AT_ONCE == 0:
                    yield None
            if not self.is_dear:
                yield self.answer(known)
                return
            key = frozenset(known.items()) if len(known) <= KEY_CLIENTS_MAX else None
            if key is not None and key in self._answers:
                yield self._answers[key]
                return
            lacking: bytes | None = None
            for lacking in diffing(base, index, known):
                if lacking is None:
                    yield None
            if self.base is base and lacking is not None:  # or it was folded meanwhile
                yield self._kept(key, self._behind(lacking))
                return
        yield self.answer_all()

    def _behind(self, lacking: bytes) -> bytes:
        """The frames of what is lacking of the base, and of the tail."""
        self._count()
        tail = self._tail_frames()
        if lacking != EMPTY_UPDATE:
            tail = [frame(encode_update(lacking)), *tail]
        return self._with_step2(tail)

    def since(self, position: int, vector: dict[int, int]) -> bytes:
        """The frames for a client that has all that was added before `position`, when its state vector was this.

        Exact while the fold has not passed it; after that the vector says what it lacks.
        """
        if position < self._folded:
            return self.answer(vector)
        missed = [item.update for item in self.tail[position - self._folded :]]
        return b"".join(wire for _, wire in self._chunk(missed)) if missed else b""

    def is_much(self, position: int) -> bool:
        """Whether what came since is better gathered in steps."""
        return self.is_dear if position < self._folded else self.position - position > MISSED_AT_ONCE

    def gathering(self, position: int, vector: dict[int, int]) -> Iterator[bytes | None]:
        """`since` in steps: None at each, then the frames, which hold all that came until then."""
        wires: list[bytes] = []
        while self._folded <= position < self.position:
            first = position - self._folded
            missed = [item.update for item in self.tail[first : first + MISSED_AT_ONCE]]
            wires += (wire for _, wire in self._chunk(missed))
            position += len(missed)
            yield None
        if position < self._folded:
            yield from self.answering(vector)
        else:
            yield b"".join(wires)

    @staticmethod
    def _with_step2(frames: list[bytes]) -> bytes:
        return b"".join([*frames, frame(encode_step2(EMPTY_UPDATE))])

    def _tail_frames(self) -> list[bytes]:
        """The tail as few frames: merged in chunks, of which only the open one is ever merged again."""
        pending = [item.update for item in self.tail[self._chunked :]]
        if pending:
            if self._chunks and len(self._chunks[-1][0]) < CHUNK_BYTES:
                pending.insert(0, self._chunks.pop()[0])
            self._chunks += self._chunk(pending)
            self._chunked = len(self.tail)
        return [wire for _, wire in self._chunks]

    @staticmethod
    def _chunk(updates: list[bytes]) -> list[tuple[bytes, bytes]]:
        groups: list[list[bytes]] = [[]]
        size = 0
        for update in updates:
            if groups[-1] and (size > CHUNK_BYTES or len(update) > MERGED_BYTES or len(groups[-1][-1]) > MERGED_BYTES):
                groups.append([])
                size = 0
            groups[-1].append(update)
            size += len(update)
        chunks: list[tuple[bytes, bytes]] = []
        for group in groups:
            merged = group[0] if len(group) == 1 else merge_tick([check(update) for update in group])
            chunks += [(u, frame(encode_update(u))) for u in ([merged] if merged is not None else group)]
        return chunks
