"""Random editing histories by real yjs, and everything that the codec must make of them, judged by real yjs.

python -m tests.crdt.histories --count 20000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from collab.crdt.clocks import Clocks
from collab.crdt.diff import diff
from collab.crdt.fold import condense, fold, verify
from collab.crdt.gate import Checked, check, check_state_vector
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge, merge_tick
from collab.crdt.split import split
from tests.crdt.oracle import Loaded, Oracle

FEATURES = (["text"], ["map"], ["array"], ["xml"], ["text", "map", "array", "xml"])
LOSSES = (0.0, 0.1, 0.3)
BATCH = 25
"""Histories per question to the oracle."""

Examination = Generator[list[list[bytes]], list[Loaded], None]
"""Yields batches of updates that yjs shall load, one document each, and is sent what the documents hold."""


@dataclass
class History:
    """What one history left behind, in the order in which a server received it."""

    options: dict[str, Any]
    log: list[bytes]
    updates: list[bytes]
    rng: random.Random

    @property
    def pairs(self) -> bool:
        """Whether halves of surrogate pairs may have been cut off: there yjs depends on the order of updates."""
        return bool(self.options["pairs"])


def options(seed: int) -> dict[str, Any]:
    """The shape of one history; every seed gives another."""
    return {
        "seed": seed,
        "steps": 4 + seed * 7 % 19,
        "peers": 2 + seed % 3,
        "features": FEATURES[seed % len(FEATURES)],
        "losses": LOSSES[seed // 5 % 3],
        "pairs": seed % 8 == 7,
    }


def received(made: dict[str, Any], updates: list[bytes], diffs: list[bytes]) -> History:
    """All updates and some answers to state vectors; in every second history in any order."""
    rng = random.Random(made["seed"])
    log = [*updates, *rng.sample(diffs, len(diffs) // 2)]
    if rng.random() < 0.5:
        rng.shuffle(log)
    return History(made, log, updates, rng)


class Room:
    """What a room does with updates, as far as the codec is concerned."""

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.stored: list[Checked] = []
        self.held: list[Checked] = []

    def receive(self, update: bytes) -> None:
        """Stores what is ready, holds what is not, and looks again at what was held."""
        before = len(self.stored)
        self._take(check(update))
        while len(self.stored) > before:
            before = len(self.stored)
            held, self.held = self.held, []
            for each in held:
                self._take(each)

    def _take(self, checked: Checked) -> None:
        if self.clocks.adds_nothing(checked):
            return
        if not self.clocks.is_ready(checked):
            ready, ahead = split(checked, self.clocks)
            if ahead is not None:
                self.held.append(check(ahead))
            if ready is None:
                return
            checked = check(ready)
            assert self.clocks.is_ready(checked) and not self.clocks.adds_nothing(checked)
        self.stored.append(checked)
        self.clocks.advance(checked)


def examine(history: History) -> Examination:
    """All of it; raises AssertionError."""
    truth, merged = yield [history.log, [merge(history.log)]]
    assert not truth.pending
    agree(history, merged, truth)
    room = Room()
    for update in history.log:
        room.receive(update)
    yield from _examine_room(history, room, merged, truth.state)
    yield from _examine_segments(history, room)
    yield from _examine_losses(history, merged)


def agree(history: History, found: Loaded, truth: Loaded) -> None:
    """Same clocks and same content; the order of updates may show in the halves of surrogate pairs."""
    assert found.vector == truth.vector and found.pending == truth.pending
    assert history.pairs or found.content == truth.content


def _examine_room(history: History, room: Room, truth: Loaded, state_of_yjs: bytes) -> Examination:
    """A room has received the log; it stores it in ticks, folds it now and then, and answers a stale client."""
    assert not room.held
    assert check_state_vector(truth.vector) == room.clocks.next
    raws = [checked.raw for checked in room.stored]
    folded = _fold_in_steps(history.rng, raws)
    assert history.pairs or len(folded) <= len(state_of_yjs), "larger than yjs' own state"
    _check_index(room, folded)
    stale = room.stored[: history.rng.randint(0, len(raws))]
    caught_up = [*(checked.raw for checked in stale), _lacking(folded, stale)]
    ticks = list(_ticks(history.rng, room.stored))
    ticked, state, caught, again = yield [ticks, [folded], caught_up, [state_of_yjs]]
    for each in (ticked, state, caught):
        agree(history, each, truth)
    assert history.pairs or state.state == again.state, "collects other structs than yjs does"


def _ticks(rng: random.Random, stored: list[Checked]) -> Iterator[bytes]:
    rest = iter(stored)
    while tick := list(islice(rest, rng.randint(1, 6))):
        shown = merge_tick(tick)
        assert shown is not None
        check(shown)
        yield shown


def _fold_in_steps(rng: random.Random, updates: list[bytes]) -> bytes:
    state = fold(None, [])
    rest = iter(updates)
    while part := list(islice(rest, rng.randint(1, len(updates) + 1))):
        folded = fold(state, part)
        verify(folded, state, part)
        state = folded
    assert fold(state, []) == state
    return state


def _check_index(room: Room, folded: bytes) -> None:
    clocks = Clocks.from_index(StateIndex.decode(build(folded), folded))
    assert clocks.next == room.clocks.next
    assert clocks.deleted.covers(room.clocks.deleted)


def _lacking(state: bytes, stale: list[Checked]) -> bytes:
    """The answer to a client that stopped somewhere on the way."""
    clocks = Clocks()
    for checked in stale:
        clocks.advance(checked)
    answer = diff(state, StateIndex.decode(build(state), state), clocks.next)
    check(answer)
    return answer


def _examine_segments(history: History, room: Room) -> Examination:
    """The log, stretch by stretch, in few bytes: up to the end of each it is what it was, to yjs and when folded."""
    rest, rng = iter([checked.raw for checked in room.stored]), random.Random(history.options["seed"])
    exact: list[bytes] = []
    segments: list[bytes] = []
    asked: list[list[bytes]] = []
    while stretch := list(islice(rest, rng.randint(1, 12))):
        exact, segments = [*exact, *stretch], [*segments, condense(stretch)]
        verify(segments[-1], None, stretch)
        asked += [exact, segments, [fold(None, segments)]]
    found = iter((yield asked))
    for truth, pieces, folded in zip(found, found, found, strict=True):
        agree(history, pieces, truth)
        agree(history, folded, truth)


def _examine_losses(history: History, truth: Loaded) -> Examination:
    """Some updates are missing when the log is folded; what hung on them must be whole once they come.

    Without answers to state vectors: those may hold as GC, which waits for nothing, what an update holds as an item.
    """
    kept = [update for update in history.updates if history.rng.random() < 0.7]
    lost = [update for update in history.log if update not in kept]
    folded = fold(None, kept)
    verify(folded, None, kept)
    partial, state, whole, refolded = yield [kept, [folded], [folded, *lost], [fold(folded, lost)]]
    agree(history, state, partial)
    agree(history, whole, truth)
    agree(history, refolded, truth)


def run(oracle: Oracle, seeds: range) -> int:
    """Examines the histories of these seeds; returns how many updates they held. Raises AssertionError."""
    made = [options(seed) for seed in seeds]
    histories = [received(m, *sent) for m, sent in zip(made, oracle.histories(made), strict=True)]
    running = [(history, examine(history)) for history in histories]
    answers: list[list[Loaded] | None] = [None] * len(running)
    while running:
        asked = []
        for (history, examination), answer in zip(running, answers, strict=True):
            try:
                asked.append((history, examination, next(examination) if answer is None else examination.send(answer)))
            except StopIteration:
                continue
            except Exception as error:
                raise AssertionError(f"history {history.options}: {error!r}") from error
        loaded = iter(oracle.load(batch for _, _, batches in asked for batch in batches))
        answers = [list(islice(loaded, len(batches))) for _, _, batches in asked]
        running = [(history, examination) for history, examination, _ in asked]
    return sum(len(history.log) for history in histories)


def main() -> None:
    """Examines as many histories as asked for, and says how many a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    started, updates = time.monotonic(), 0
    with Oracle() as oracle:
        for first in range(asked.seed, asked.seed + asked.count, BATCH):
            updates += run(oracle, range(first, min(first + BATCH, asked.seed + asked.count)))
            print(f"\r{first - asked.seed + BATCH} histories, {updates} updates", end="", file=sys.stderr)
    print(f"\n{asked.count} histories agree with yjs; {asked.count / (time.monotonic() - started):.0f} a second")


if __name__ == "__main__":
    main()
