"""A slice of the simulation; `python -m tests.faults.simulation --rounds N --seed S` runs as many as one likes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import structlog

from tests.faults.sim.bugs import BUGS
from tests.faults.sim.loop import Stuck, run
from tests.faults.sim.world import simulate
from tests.faults.simulation import campaign, hunt, silence, stretch

# Where the hunt for a rare one begins, so that it is short; `--bug all` begins with 1.
NEAR = {"dropped-ahead": 50, "dropped-goodbye": 620, "no-barrier-at-open": 170}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = structlog.get_config()
    silence()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("start", [10_000, 20_000])
def test_nothing_acked_is_lost_and_all_agree_at_rest(start: int) -> None:
    assert stretch(range(start, start + 40)).broken == ()


def test_processes_share_the_seeds() -> None:
    shared = campaign(range(1, 111), 2, 1e9, 60.0)
    assert (shared.seeds, shared.broken) == (110, ())


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_mistake_is_found(name: str) -> None:
    first = NEAR.get(name, 1)
    assert hunt(BUGS[name], range(first, first + 1000)) is not None


def test_a_seed_is_the_same_story_every_time() -> None:
    one, other = (simulate(7) for _ in range(2))
    assert (one.loop.time(), one.acks) == (other.loop.time(), other.acks)
    assert [kept.clocks.next for kept in one.disk.synced.values()] == [
        k.clocks.next for k in other.disk.synced.values()
    ]
    assert one.acks > 0


def test_a_loop_in_which_nothing_can_happen_says_so() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        run(wait_for_ever())
