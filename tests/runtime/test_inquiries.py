"""Questions between nodes: answered, refused with the other's own error, or given up in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from collab.bus.base import BusFrame, Kind
from collab.bus.local import LocalBus
from collab.errors import CollabError, NodeSilent, NotFound, Overloaded
from collab.inquiries import ANSWERING_MAX, Inquiries, channel


async def nodes(count: int) -> list[Inquiries]:
    """Some that can ask each other."""
    joined: list[LocalBus] = []
    made = []
    for number in range(count):
        bus = LocalBus(joined)
        inquiries = Inquiries(f"n{number}", bus)
        bus.listen(inquiries.take)
        await inquiries.listen()
        made.append(inquiries)
    return made


async def test_the_node_that_is_asked_answers_and_no_other() -> None:
    first, second, third = await nodes(3)
    for name, node in (("second", second), ("third", third)):
        node.answer("who", echo(name))
    assert await first.ask("n1", "who", b"you") == b"second: you"
    assert await asyncio.gather(*(first.ask(n, "who", n.encode()) for n in ("n2", "n1"))) == [
        b"third: n2",
        b"second: n1",
    ]


def echo(name: str) -> Callable[[bytes], Awaitable[bytes]]:
    async def answer(question: bytes) -> bytes:
        return f"{name}: {question.decode()}".encode()

    return answer


async def test_an_error_crosses_with_its_kind_and_its_words() -> None:
    first, second = await nodes(2)

    async def refuse(question: bytes) -> bytes:
        raise NotFound("no such room")

    async def fail(question: bytes) -> bytes:
        raise RuntimeError("secret")

    second.answer("room", refuse)
    second.answer("broken", fail)
    with pytest.raises(NotFound, match="no such room"):
        await first.ask("n1", "room")
    with pytest.raises(CollabError, match="log says more"):
        await first.ask("n1", "broken")
    with pytest.raises(NodeSilent, match="does not know how to answer"):
        await first.ask("n1", "the time")


async def test_silence_ends_the_wait_and_a_late_answer_hurts_nobody() -> None:
    first, second = await nodes(2)
    asked, go = asyncio.Event(), asyncio.Event()

    async def late(question: bytes) -> bytes:
        asked.set()
        await go.wait()
        return b"late"

    second.answer("slow", late)
    with pytest.raises(NodeSilent, match="n1 did not answer within"):
        await first.ask("n1", "slow", within_s=0.01)
    with pytest.raises(NodeSilent):
        await first.ask("nobody", "slow", within_s=0.0)
    await asked.wait()
    go.set()
    second.answer("quick", echo("second"))
    assert await first.ask("n1", "quick") == b"second: "


async def test_who_asks_too_much_at_a_time_is_told_so() -> None:
    first, second = await nodes(2)
    go = asyncio.Event()

    async def wait(question: bytes) -> bytes:
        await go.wait()
        return question

    second.answer("wait", wait)
    waiting = [asyncio.create_task(first.ask("n1", "wait", within_s=30)) for _ in range(ANSWERING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await first.ask("n1", "wait")
    go.set()
    assert await asyncio.gather(*waiting) == [b""] * ANSWERING_MAX


async def test_a_frame_that_is_no_question_is_a_value_error() -> None:
    (first,) = await nodes(1)
    for bodies in ((), (b"1", b"what"), (b"1", b"\xff", b"")):
        with pytest.raises(ValueError):
            first.take(BusFrame(Kind.QUESTION, "n9", channel("n0"), bodies=bodies))
