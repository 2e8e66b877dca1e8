"""Edits under a condition: of two that come to two nodes with one version one is stored, and only that one is shown."""

from __future__ import annotations

import asyncio

import pytest

from collab.errors import PreconditionFailed, StorageUnavailable
from collab.guarded import Condition, Make
from collab.protocol.messages import encode_update
from collab.slot import Slot
from tests.flaky_log import FlakyLog
from tests.runtime.pairs import Node, Pair, until
from tests.runtime.test_neighbours import shown
from tests.updates import typed


def writes(text: str) -> Make:
    async def make(parts: list[bytes], client: int) -> bytes:
        return typed(client, 0, text)

    return make


def at(slot: Slot, seq: int) -> Condition:
    def condition(lineage: str, stands: int) -> None:
        if (lineage, stands) != (slot.room.lineage, seq):
            raise PreconditionFailed(f"at {stands}")

    return condition


async def begun(pair: Pair) -> tuple[Slot, Slot]:
    """A document at seq 1, open on both nodes."""
    slot, session, _ = await pair.one.enter()
    other, _, _ = await pair.two.enter()
    pair.one.hub.receive(slot, session, encode_update(typed(1, 0, "a")))
    await pair.one.settled()
    await until(lambda: other.room.ledger.seq == 1)
    return slot, other


async def edit(node: Node, slot: Slot, text: str, condition: Condition) -> tuple[int, bool] | None:
    try:
        return await node.hub.edit(slot, "ada", writes(text), condition)
    except PreconditionFailed:
        return None


async def test_of_two_nodes_one_wins_and_the_other_shows_nothing_of_its_own(pair: Pair) -> None:
    slot, other = await begun(pair)
    pair.one.bus.held, pair.two.bus.held = [], []  # neither hears of the other in time
    _, _, outbox = await pair.one.enter()
    _, _, distant = await pair.two.enter()
    answers = await asyncio.gather(edit(pair.one, slot, "one", at(slot, 1)), edit(pair.two, other, "two", at(other, 1)))
    assert sorted(answers, key=bool) == [None, (2, True)]
    pair.one.bus.let_go()
    pair.two.bus.let_go()
    await until(lambda: slot.room.ledger.seq == other.room.ledger.seq == 2)
    await until(lambda: not slot.room.dirty and not other.room.dirty)
    (row,) = await pair.store.log.read("doc", 1, 10)
    assert shown(outbox) == shown(distant) == [row.entries[0].update]
    assert slot.room.state() == other.room.state()


async def test_what_is_typed_while_the_edit_is_made_refuses_it(pair: Pair) -> None:
    slot, _ = await begun(pair)
    session = pair.one.sessions[0]

    async def make(parts: list[bytes], client: int) -> bytes:
        pair.one.hub.receive(slot, session, encode_update(typed(1, 1, "b")))
        await pair.one.settled()
        return typed(client, 0, "late")

    with pytest.raises(PreconditionFailed):
        await pair.one.hub.edit(slot, "ada", make, at(slot, 1))
    assert await edit(pair.one, slot, "again", at(slot, 2)) == (3, True)
    assert not slot.room.unsaved and slot.room.ledger.seq == 3


async def test_after_an_unknown_outcome_the_next_edit_has_another_client_id(pair: Pair) -> None:
    """The first may be stored yet; the second is made without it, and the same clocks must not mean two things."""
    slot, _ = await begun(pair)
    pair.one.journal._log = log = FlakyLog(pair.store.log)  # type: ignore[arg-type]
    log.open.clear()
    task, client = asyncio.create_task(edit(pair.one, slot, "first", at(slot, 1))), slot.client_id
    await log.begun.wait()
    task.cancel()
    await asyncio.wait({task})
    assert slot.client_id != client
    log.after.append(StorageUnavailable("the answer is lost"))
    log.open.set()
    await until(lambda: slot.room.ledger.seq == 2)
    assert slot.room.history.clocks.next[client] == len("first")
    assert await edit(pair.one, slot, "second", at(slot, 2)) == (3, True)
