"""The gate in a child says what the gate here says, of everything that it is given."""

from __future__ import annotations

import random

import pytest

from collab.crdt.checked import Checked
from collab.crdt.gate import check
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge
from collab.engine.client import Engine
from collab.engine.inspector import SMALL_BYTES
from collab.errors import BadUpdate
from collab.inspection import Inline, Inspector
from collab.limits import DEFAULT
from tests.crdt import corpus
from tests.updates import deleted, typed, typed_after, vector

UPDATES = [
    typed(1, 0, "x" * 10_000),
    b"\x02" + typed_after(7, 0, "abc", (3, 4))[1:-1] + typed(9, 0, "z")[1:],
    deleted(5, 0, 10),
    typed(1, 0, "x" * SMALL_BYTES),
    *(item.data for item in corpus.items("update")),
]


def parts(checked: Checked | None) -> object:
    if checked is None:
        return None
    needs = dict(checked.needs)
    return checked.raw, checked.runs, needs, checked.deletes, checked.count, checked.body, checked.tail


async def answers(inspector: Inspector, update: bytes) -> list[object]:
    """What comes of every call, errors by their words."""
    try:
        checked = await inspector.check(update)
        clients = {run[0] for run in checked.runs}
        some = dict.fromkeys(random.Random(1).sample(sorted(clients), len(clients) // 2), 2)
        ready, ahead = await inspector.split(checked, some)
        rest = await inspector.without(checked, set(some) or clients)
        one = await inspector.only(checked, min(clients, default=0))
    except BadUpdate as error:
        return [error.detail, error.offset]
    return [parts(each) for each in (checked, ready, ahead, rest, one)]


async def test_a_child_answers_as_the_gate_does(engine: Engine) -> None:
    inline = Inline(DEFAULT)
    for update in UPDATES:
        assert await answers(engine.inspector, update) == await answers(inline, update)


async def test_a_base_and_what_came_since_are_joined_as_on_the_loop(engine: Engine) -> None:
    base = merge([typed(1, 0, "abc"), typed(2, 0, "x" * 200)])
    index = StateIndex.decode(build(base), base)
    for bottom, updates in ((None, []), (None, [typed(1, 0, "a"), deleted(1, 0, 1)]), (index, [typed(1, 3, "d")])):
        state, table = await engine.inspector.join(bottom, updates)
        assert (state, table) == await Inline(DEFAULT).join(bottom, updates)
        assert check(merge([base, state] if bottom else [state])).runs == check(state).runs
        assert StateIndex.decode(table, state).encode() == table


async def test_state_vectors_cross_as_they_are(engine: Engine) -> None:
    clocks = {random.Random(n).randrange(2**53): n for n in range(10_000)}
    assert await engine.inspector.check_state_vector(vector(clocks)) == clocks
    with pytest.raises(BadUpdate):
        await engine.inspector.check_state_vector(b"\x05\x01")
