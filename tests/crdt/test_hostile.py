"""Folding logs that pass the gate although no honest client would write them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crdt import hostile
from tests.crdt.oracle import Oracle


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


@pytest.mark.parametrize("first", range(0, 1000, 250))
def test_what_a_room_took_folds_to_the_same_document(oracle: Oracle, first: int) -> None:
    """Anything next to, or in, anything: nothing throws, nothing is lost, nothing changes."""
    for start in range(first, first + 250, hostile.BATCH):
        assert hostile.run(oracle, range(start, start + hostile.BATCH)) == []
