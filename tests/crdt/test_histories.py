"""Thousands of random histories of real yjs peers: whatever the codec makes of them, yjs reads the same document.

COLLAB_HISTORIES says how many (1,000 if it is not set).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from collab.crdt.fold import fold
from collab.crdt.gate import check
from tests.crdt import histories
from tests.crdt.oracle import Oracle

COUNT = int(os.environ.get("COLLAB_HISTORIES", "1000"))
PER_TEST = 100


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


@pytest.mark.parametrize("first", range(0, COUNT, PER_TEST))
def test_histories_mean_to_yjs_what_they_mean_to_the_codec(oracle: Oracle, first: int) -> None:
    """Gate, room, ticks, fold, index and diff, each judged by content, clocks, bytes and collected structs."""
    for start in range(first, min(first + PER_TEST, COUNT), histories.BATCH):
        assert histories.run(oracle, range(start, min(start + histories.BATCH, COUNT))) > 0


def test_a_wrong_fold_is_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examination can fail: here folding forgets what its last update deletes."""
    right = fold

    def wrong(base: bytes | None, updates: list[bytes]) -> bytes:
        folded = right(base, updates)
        return folded[: check(folded).tail] + b"\0"

    monkeypatch.setattr(histories, "fold", wrong)
    with pytest.raises(AssertionError):
        histories.run(oracle, range(25))
