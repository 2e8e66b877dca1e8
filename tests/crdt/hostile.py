"""Logs that pass the gate and a room, and that no honest client would write: anything may be next to, or in, anything.

python -m tests.crdt.hostile --count 20000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys

from collab.crdt.fold import fold, verify
from collab.errors import BadUpdate
from collab.protocol.varint import write_varuint as uint
from tests.crdt.grammar import Id, Made, MadeUpdate, sized, units
from tests.crdt.histories import Room
from tests.crdt.oracle import Loaded, Oracle

BATCH = 50
CLIENTS = (1, 2, 3, 77)
TEXTS = ("a", "bcd", "ü", "x\n")


def content(rng: random.Random) -> Made:
    """Any content, types often."""
    roll = rng.randrange(12)
    length = rng.randint(1, 3)
    text = rng.choice(TEXTS)
    return (
        Made(0, length, uint(length)),
        Made(1, length, uint(length)),
        Made(8, length, uint(length) + b"".join(b"\x7d" + bytes((rng.randrange(64),)) for _ in range(length))),
        Made(2, length, uint(length) + b"\x011" * length),
        Made(3, 1, b"\x02\x00\xff"),
        Made(5, 1, sized(b'{"e":1}')),
        Made(6, 1, sized(b"bold") + sized(b"true")),
        Made(7, 1, rng.choice((b"\x00", b"\x01", b"\x02", b"\x03\x01p", b"\x04", b"\x06"))),
        Made(7, 1, rng.choice((b"\x00", b"\x01", b"\x02"))),
        Made(4, units(text), sized(text.encode())),
        Made(4, units(text), sized(text.encode())),
        Made(9, 1, sized(b"sub") + b"\x76\x00"),
    )[roll]


class Writer:
    """Writes updates one after the other, each ready when those before it are known."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clocks: dict[int, int] = {}

    def any_id(self) -> Id | None:
        """Some element that exists."""
        if not self.clocks:
            return None
        client = self.rng.choice(sorted(self.clocks))
        return client, self.rng.randrange(self.clocks[client])

    def place(self, made: Made) -> Made:
        """Puts a struct somewhere."""
        if made.kind == 0:
            return made
        roll = self.rng.random()
        made.origin = self.any_id() if roll < 0.5 else None
        made.right = self.any_id() if 0.4 < roll < 0.6 else None
        made.right = None if made.right == made.origin else made.right
        if made.origin is None and made.right is None:
            root = self.rng.choice((b"t", b"m", b"a", b"x"))
            made.parent = (self.any_id() if self.rng.random() < 0.5 else None) or root
            made.key = self.rng.choice((None, b"k", b"l")) if made.kind != 6 else None
        return made

    def update(self) -> bytes:
        """Some structs of one client, some deletions."""
        made = MadeUpdate()
        client = self.rng.choice(CLIENTS)
        clock = self.clocks.get(client, 0)
        structs = []
        for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3))):
            structs.append(self.place(content(self.rng)))
            self.clocks[client] = self.clocks.get(client, 0) + structs[-1].length
        if structs:
            made.sections[client] = clock, structs
        target = self.any_id()
        if target is not None and self.rng.random() < 0.3:
            made.deletes[target[0]] = [(target[1], self.rng.randint(1, self.clocks[target[0]] - target[1]))]
        return made.encode()


def stored(seed: int) -> list[bytes]:
    """What a room would store of one writer's updates."""
    writer, room = Writer(seed), Room()
    for _ in range(writer.rng.randint(2, 20)):
        try:
            room.receive(writer.update())
        except BadUpdate:
            pass  # a child of a string of the same update; what builds on it now waits for ever
    return [checked.raw for checked in room.stored]


def run(oracle: Oracle, seeds: range) -> list[int]:
    """Folds the logs of these seeds; returns the seeds whose log and fold are not the same to yjs.

    Out of such structs yjs itself makes this or that, depending on how they reach it; so what it makes of the log, of
    its own merge of it, or of its own encoding of the result will do.
    """
    logs = [stored(seed) for seed in seeds]
    folded = [fold(None, log) for log in logs]
    for log, state in zip(logs, folded, strict=True):
        verify(state, None, log)
    found = oracle.try_load([state] for state in folded)
    raw = oracle.try_load(logs)
    merged = oracle.try_load([state] for state in oracle.merge(logs))
    again = oracle.try_load([] if one is None else [one.state] for one in raw)
    return [
        seed
        for seed, state, *others in zip(seeds, found, raw, merged, again, strict=True)
        if state is None or state.pending or not any(same(state, other) for other in others)
    ]


def same(found: Loaded, other: Loaded | None) -> bool:
    """Whether both hold the same."""
    return other is not None and (found.content, found.vector) == (other.content, other.vector)


def main() -> None:
    """Examines as many logs as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    others: list[int] = []
    with Oracle() as oracle:
        for first in range(asked.seed, asked.seed + asked.count, BATCH):
            others += run(oracle, range(first, min(first + BATCH, asked.seed + asked.count)))
            print(f"\r{first - asked.seed + BATCH} logs", end="", file=sys.stderr)
    print(f"\n{asked.count} hostile logs; not the same to yjs before and after folding: {others or 'none'}")


if __name__ == "__main__":
    main()
