"""The second wall by itself: every message known to hurt a CRDT library, given to the engine as if there were no gate.

Whatever an item does to pycrdt, it does to a child process: the call that brought it gets an answer or a typed error,
and the next one gets its answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from collab.engine.client import Engine
from collab.errors import CollabError, EngineUnavailable
from tests.crdt import corpus
from tests.patience import PATIENCE_S
from tests.updates import typed

KINDS = ("update", "state_vector", "message", "awareness", "sticky_index", "snapshot")
GOOD = [typed(9_001, 0, "good")]


async def read_good(engine: Engine) -> bytes:
    """Of a document that nothing is wrong with; a machine that stands still may end a call or two."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await engine.read_all(GOOD)
            except EngineUnavailable:
                continue


async def test_each_item_costs_at_most_its_own_call() -> None:
    engine, outcomes = Engine(workers=1, call_s_max=1.0, fold_s_max=30.0, waiting_max=2), Counter[str]()
    await engine.start()
    try:
        expected = await read_good(engine)
        for item in (each for kind in KINDS for each in corpus.items(kind)):
            try:
                await engine.read_all([*([item.base] if item.base else []), item.data])
                outcomes["answered"] += 1
            except CollabError as error:
                outcomes[error.code] += 1
            assert await read_good(engine) == expected, item.name
    finally:
        await engine.close()
    assert sum(outcomes.values()) == 352
    assert outcomes.keys() <= {"answered", "bad_update", "unprocessable", "engine_unavailable"}
    assert outcomes["engine_unavailable"] > 100, "they do hurt it"
