"""Dear work is done one slice a turn; those who bring much of it and those who bring little take turns."""

from __future__ import annotations

import asyncio

from collab.sockets.backlog import SLICE_BYTES, Backlog
from collab.turns import Turns
from tests.patience import PATIENCE_S


class Flooder:
    """A connection that notes what is looked at, and when it may be read again."""

    def __init__(self, name: str, seen: list[str], turns: Turns) -> None:
        self.is_over = False
        self.is_resting = False
        self.reads = 0
        self.backlog = Backlog(self, turns)
        self.sizes: list[int] = []
        self._name = name
        self._seen = seen

    def feed(self, data: memoryview) -> None:
        self._seen.append(self._name)
        self.sizes.append(len(data))

    def read_more(self) -> None:
        self.reads += 1


async def loop_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_flood_gets_one_slice_a_turn_and_so_does_everybody_else() -> None:
    turns, seen = Turns(), list[str]()
    flood, drop = Flooder("flood", seen, turns), Flooder("drop", seen, turns)
    flood.backlog.put(bytes(10 * SLICE_BYTES))
    flood.backlog.take()
    drop.backlog.put(b"x")
    drop.backlog.take()
    await loop_turns(1)
    assert seen == ["flood"]
    await loop_turns(1)
    assert seen == ["flood", "drop"]
    assert drop.reads == 1 and flood.reads == 0
    await loop_turns(20)
    assert flood.sizes == [SLICE_BYTES] * 10
    assert flood.reads == 1 and not len(turns)


async def test_a_resting_connection_waits_in_nobodys_way() -> None:
    turns, seen = Turns(), list[str]()
    slow = Flooder("slow", seen, turns)
    slow.is_resting = True
    slow.backlog.put(bytes(2 * SLICE_BYTES))
    slow.backlog.take()
    await loop_turns(5)
    assert seen == [] and not len(turns) and slow.reads == 0
    slow.is_resting = False
    slow.backlog.take()
    slow.backlog.take()
    await loop_turns(5)
    assert slow.sizes == [SLICE_BYTES] * 2 and slow.reads == 1


async def test_what_a_connection_that_is_over_has_sent_is_dropped_unseen() -> None:
    turns, seen = Turns(), list[str]()
    gone = Flooder("gone", seen, turns)
    gone.backlog.put(bytes(10 * SLICE_BYTES))
    gone.backlog.take()
    await loop_turns(2)
    gone.is_over = True
    await loop_turns(2)
    assert len(seen) <= 2 and gone.backlog.deaf and gone.reads == 1


async def test_a_slice_that_fails_stops_no_other() -> None:
    turns, done = Turns(), list[int]()
    turns.call(lambda: done.append(1 // 0))
    turns.call(lambda: done.append(1))
    await turns.wait()
    assert done == [1]


async def test_who_no_longer_waits_for_a_turn_holds_up_nobody() -> None:
    turns = Turns()
    waiting = asyncio.create_task(turns.wait())
    await loop_turns(1)
    waiting.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await turns.wait()
