"""Damaged updates of real peers: what still passes gate and room neither throws in yjs nor leaves anything pending."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from collab.crdt.fold import fold, verify
from collab.crdt.gate import check_state_vector
from collab.errors import BadUpdate
from tests.crdt.histories import Room, options
from tests.crdt.oracle import Oracle

PER_HISTORY = 60
BYTES = (0, 1, 2, 3, 4, 7, 8, 10, 127, 128, 255)
"""What lengths, flags, kinds and ids often are."""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


def damaged(rng: random.Random, update: bytes) -> bytes:
    """One byte changed, lost or added; sometimes two."""
    out = bytearray(update)
    for _ in range(rng.choice((1, 1, 1, 2))):
        at, byte = rng.randrange(len(out)), rng.choice((*BYTES, rng.randrange(256)))
        roll = rng.random()
        out[at : at + (roll < 0.92)] = b"" if roll > 0.85 and roll < 0.92 and len(out) > 2 else bytes((byte,))
    return bytes(out)


def rooms(rng: random.Random, updates: list[bytes]) -> Iterator[Room]:
    """Rooms that hold the first half of a history and have taken one damaged update of the second."""
    half = len(updates) // 2
    for _ in range(PER_HISTORY):
        room = Room()
        for update in updates[:half]:
            room.receive(update)
        before = len(room.stored)
        try:
            room.receive(damaged(rng, rng.choice(updates[half:])))
        except BadUpdate:
            continue
        if len(room.stored) > before:
            yield room


@pytest.mark.parametrize("first", [0, 20, 40, 60])
def test_damage_that_passes_is_harmless(oracle: Oracle, first: int) -> None:
    """To yjs, to the room's clocks, and to folding."""
    taken: list[Room] = []
    for seed in range(first, first + 20):
        updates, _ = oracle.histories([options(seed)])[0]
        if updates:
            taken += rooms(random.Random(seed), updates)
    assert len(taken) > 20
    logs = [[checked.raw for checked in room.stored] for room in taken]
    for room, log, loaded in zip(taken, logs, oracle.load(logs), strict=True):
        assert not loaded.pending
        assert check_state_vector(loaded.vector) == room.clocks.next
        verify(fold(None, log), None, log)
