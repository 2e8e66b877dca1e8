"""Random histories of real yjs peers: the engine reads what yjs reads, and goes back to where yjs was.

COLLAB_ENGINE_HISTORIES says how many (60 if it is not set).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from collab.crdt.gate import check
from collab.engine.restore import restore
from collab.errors import Unprocessable
from tests.crdt import histories
from tests.crdt.oracle import Oracle
from tests.engine.yjs import content_of_engine, content_of_yjs

COUNT = int(os.environ.get("COLLAB_ENGINE_HISTORIES", "60"))
PER_TEST = 20
WRITER = 2**32 - 7  # no peer of a history has this id


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


def made(oracle: Oracle, first: int) -> list[list[bytes]]:
    """The updates of some histories in the order of their making, without those that cut characters in two."""
    options = [histories.options(seed) for seed in range(first, first + PER_TEST)]
    whole = [each for each in options if not each["pairs"]]
    return [updates for updates, _ in oracle.histories(whole)]


def rounded(value: Any) -> Any:
    """Big integers as the floating-point numbers that pycrdt writes for them."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(value) if isinstance(value, int) and abs(value) > 2**53 else value


@pytest.mark.parametrize("first", range(0, COUNT, PER_TEST))
def test_the_engine_reads_what_yjs_reads(oracle: Oracle, first: int) -> None:
    logs = made(oracle, first)
    for log, truth in zip(logs, oracle.load(logs), strict=True):
        assert content_of_engine(log) == content_of_yjs(truth.content)


@pytest.mark.parametrize("first", range(0, COUNT, PER_TEST))
def test_yjs_agrees_that_a_restored_document_is_what_it_was(oracle: Oracle, first: int) -> None:
    logs = made(oracle, first)
    then = oracle.load(log[: len(log) // 2] for log in logs)
    back, wanted = [], []
    for log, was in zip(logs, then, strict=True):
        if was.pending:
            continue
        try:
            update = restore(log, WRITER, was.state)
        except Unprocessable:
            continue  # a root became another type, or holds what cannot be made anew: told, and nothing is done
        if update is not None:
            check(update)
        back.append([*log, *([] if update is None else [update])])
        wanted.append(content_of_yjs(was.content))
    assert len(back) >= PER_TEST // 3
    for found, was_content in zip(oracle.load(back), wanted, strict=True):
        assert rounded(content_of_yjs(found.content)) == rounded(was_content)
