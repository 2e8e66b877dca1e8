"""Who is in a document, over all nodes: asked of those that live, and answered without opening a room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from collab.bus.base import EVERYBODY, BusFrame, Kind
from collab.core.awareness import encode_entries
from collab.protocol.messages import encode_awareness
from collab.roster import PRESENT
from tests.runtime.pairs import Pair, until

ADA, BOB = (7, 1, b'{"user":"ada"}'), (8, 1, b'{"user":"bob"}')


async def show(node: Any, entry: tuple[int, int, bytes], document: str = "doc") -> None:
    slot, session, _ = await node.enter(document)
    node.hub.receive(slot, session, encode_awareness(encode_entries([entry])))
    node.hub.tick(slot)


def beat(pair: Pair) -> None:
    """They know each other."""
    for node in (pair.one, pair.two):
        node.bus.publish(BusFrame(Kind.ALIVE, node.hub.node, EVERYBODY))


async def test_a_node_without_the_room_tells_who_is_there_and_opens_none(pair: Pair) -> None:
    beat(pair)
    await show(pair.one, ADA)
    present = await pair.two.hub.neighbours.roster.ask("doc")
    assert (present.sockets, present.people) == (1, {7: ADA})
    assert pair.two.hub.slots == {}


async def test_both_nodes_count_together_and_nobody_twice(pair: Pair) -> None:
    await show(pair.one, ADA)
    await show(pair.two, BOB)
    beat(pair)
    for node in (pair.one, pair.two):
        present = await node.hub.neighbours.roster.ask("doc")
        assert (present.sockets, present.people) == (2, {7: ADA, 8: BOB})


async def test_many_questions_at_once_are_two(pair: Pair) -> None:
    beat(pair)
    await show(pair.one, ADA, "d3")
    roster = pair.two.hub.neighbours.roster
    asked: list[bytes] = []
    answer = pair.one.hub.neighbours.inquiries._answers[PRESENT]

    async def counting(question: bytes) -> bytes:
        asked.append(question)
        return await answer(question)

    pair.one.hub.neighbours.inquiries.answer(PRESENT, counting)
    asking = [asyncio.create_task(roster.ask(f"d{number}")) for number in range(5)]
    await until(lambda: asked)
    asking += [asyncio.create_task(roster.ask(f"d{number}")) for number in range(5)]
    found = await asyncio.gather(*asking)
    assert [present.sockets for present in found] == [0, 0, 0, 1, 0] * 2
    assert len(asked) == 2


async def test_a_silent_node_is_left_out(pair: Pair) -> None:
    beat(pair)
    await show(pair.one, ADA)
    await show(pair.two, BOB)
    pair.one.bus.lost = True
    present = await pair.two.hub.neighbours.roster.ask("doc")
    assert present.sockets == 1


@pytest.mark.parametrize("answer", [b"\x80", b"\x05", b"\x01\x80", b"\x03\x01\x01\x07"])
async def test_an_answer_that_is_none_is_left_out(pair: Pair, answer: bytes) -> None:
    async def nonsense(question: bytes) -> bytes:
        return answer

    beat(pair)
    await show(pair.two, BOB)
    pair.one.hub.neighbours.inquiries.answer(PRESENT, nonsense)
    assert (await pair.two.hub.neighbours.roster.ask("doc")).sockets == 1
