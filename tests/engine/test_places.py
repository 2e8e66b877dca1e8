"""Callers take turns at the workers; nobody holds all of them, or all of the line."""

from __future__ import annotations

import asyncio

import pytest

from collab.engine.places import LINE_SHARE, Places
from collab.errors import Overloaded
from tests.patience import PATIENCE_S


class Calls:
    """Calls under way, in the order in which they got a place."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.served: list[str | None] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, *callers: str | None) -> None:
        for who in callers:
            self.tasks.append(asyncio.create_task(self._take(who)))
        await settled()

    async def _take(self, who: str | None) -> None:
        await self.places.take(who)
        self.served.append(who)


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_who_floods_the_line_holds_neither_all_workers_nor_anybody_up() -> None:
    calls = Calls(Places(2, 64))
    await calls.ask(*["mallory"] * 10)
    assert calls.served == ["mallory"]
    await calls.ask("ada")
    assert calls.served == ["mallory", "ada"]
    await calls.ask("bob")
    calls.places.give_back("mallory")
    await settled()
    assert calls.served[2] in ("bob", "mallory")
    calls.places.give_back("ada")
    await settled()
    assert sorted(map(str, calls.served[2:])) == ["bob", "mallory"]


async def test_with_one_worker_callers_take_turns() -> None:
    calls = Calls(Places(1, 64))
    await calls.ask("mallory", "mallory", "mallory", "ada", "bob")
    for _ in range(4):
        calls.places.give_back(calls.served[-1])
        await settled()
    assert calls.served == ["mallory", "mallory", "ada", "bob", "mallory"]


async def test_a_caller_may_fill_a_part_of_the_line_only() -> None:
    calls = Calls(Places(1, 8))
    await calls.ask(*["mallory"] * (1 + 8 // LINE_SHARE))
    with pytest.raises(Overloaded):
        await calls.places.take("mallory")
    await calls.ask("ada")
    assert calls.places.waiting == 3


async def test_the_server_itself_and_the_unknown_have_all_workers_and_all_of_the_line() -> None:
    calls = Calls(Places(2, 8))
    await calls.ask(*[None] * 10)
    assert calls.served == [None, None] and calls.places.waiting == 8
    with pytest.raises(Overloaded):
        await calls.places.take(None)


async def test_who_gives_up_leaves_no_place_behind() -> None:
    calls = Calls(Places(1, 8))
    await calls.ask("ada", "bob", "eve")
    calls.tasks[1].cancel()
    await settled()
    assert calls.places.waiting == 1
    calls.places.give_back("ada")
    calls.tasks[2].cancel()  # it has just been given the place
    await settled()
    async with asyncio.timeout(PATIENCE_S):
        await calls.places.take("ada")
    assert calls.places.waiting == 0


async def test_a_turn_that_was_given_up_at_that_moment_goes_to_the_next() -> None:
    calls = Calls(Places(1, 8))
    await calls.ask("ada", "bob", "eve")
    calls.tasks[1].cancel()
    calls.places.give_back("ada")
    await settled()
    assert calls.served == ["ada", "eve"]
