"""The counters behind rate limits: exact against a slow model, bounded, and never dearer for being many."""

from __future__ import annotations

import time
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.auth.windows import WindowCounters
from tests.auth.clock import Clock

PERIOD_S = 10


def test_nobody_can_set_its_clock_back() -> None:
    """A window that is full would stay so until the wall clock has caught up."""
    counters = WindowCounters()
    assert counters._clock is time.monotonic


steps = st.lists(st.tuples(st.floats(0, 25), st.integers(1, 3)), max_size=60)


@given(steps)
async def test_it_lets_pass_what_the_sliding_estimate_lets_pass(steps: list[tuple[float, int]]) -> None:
    clock = Clock(1_000_000.0)
    counters = WindowCounters(clock=clock)
    taken: dict[int, int] = {}
    for pause_s, amount in steps:
        clock.pass_s(pause_s)
        number = int(clock.now // PERIOD_S)
        part = 1.0 - (clock.now / PERIOD_S) % 1.0
        used = taken.get(number - 1, 0) * part + taken.get(number, 0)
        fits = floor(used) + amount <= 5
        assert await counters.acquire_sliding_window_entry("k", 5, PERIOD_S, amount) is fits
        if fits:
            taken[number] = taken.get(number, 0) + amount


@given(st.lists(st.floats(0, 3), min_size=1, max_size=100))
async def test_no_stretch_of_one_period_ever_holds_twice_the_limit(pauses_s: list[float]) -> None:
    clock = Clock(1_000_000.0)
    counters = WindowCounters(clock=clock)
    times = []
    for pause_s in pauses_s:
        clock.pass_s(pause_s)
        if await counters.acquire_sliding_window_entry("k", 5, PERIOD_S):
            times.append(clock.now)
    assert all(sum(t <= other < t + PERIOD_S for other in times) < 10 for t in times)


async def test_what_is_refused_costs_nothing() -> None:
    clock = Clock(1_000_000.0)
    counters = WindowCounters(clock=clock)
    assert await counters.acquire_sliding_window_entry("k", 2, PERIOD_S, 2)
    for _ in range(100):
        assert not await counters.acquire_sliding_window_entry("k", 2, PERIOD_S)
    clock.pass_s(2 * PERIOD_S)
    assert await counters.acquire_sliding_window_entry("k", 2, PERIOD_S, 2)


async def test_callers_are_told_apart() -> None:
    counters = WindowCounters()
    assert await counters.acquire_sliding_window_entry("a", 1, PERIOD_S)
    assert await counters.acquire_sliding_window_entry("b", 1, PERIOD_S)


async def test_memory_is_bounded_and_the_busy_are_remembered() -> None:
    counters = WindowCounters(keys_max=10, clock=Clock())
    for number in range(1000):
        await counters.acquire_sliding_window_entry(f"stranger-{number}", 5, PERIOD_S)
        await counters.acquire_sliding_window_entry("busy", 5000, PERIOD_S)
    assert len(counters) == 10
    _, _, current, _ = await counters.get_sliding_window("busy", PERIOD_S)
    assert current == 1000


async def test_a_clock_set_back_gives_nobody_a_new_quota() -> None:
    clock = Clock()
    counters = WindowCounters(clock=clock)
    assert await counters.acquire_sliding_window_entry("k", 1, PERIOD_S)
    clock.pass_s(-3600.0)
    assert not await counters.acquire_sliding_window_entry("k", 1, PERIOD_S)


async def test_keys_can_be_forgotten() -> None:
    counters = WindowCounters(clock=Clock())
    for forget in (counters.clear("k"), counters.clear_sliding_window("k", PERIOD_S), counters.reset()):
        assert await counters.acquire_sliding_window_entry("k", 1, PERIOD_S)
        await forget
        assert len(counters) == 0
    assert await counters.check()


async def test_fixed_windows_are_refused_loudly() -> None:
    counters = WindowCounters()
    for call in (counters.incr("k", 1), counters.get("k"), counters.get_expiry("k")):
        with pytest.raises(TypeError):
            await call


async def test_what_is_taken_on_one_node_counts_on_the_other() -> None:
    here, there = WindowCounters(shared=True), WindowCounters(shared=True)
    for _ in range(6):
        assert await here.acquire_sliding_window_entry("ada", 10, 3600)
    body = here.drain()
    assert body is not None
    assert here.drain() is None, "told once"
    there.take(body)
    assert there.drain() is None, "and not passed on"
    assert [await there.acquire_sliding_window_entry("ada", 10, 3600) for _ in range(5)] == [True] * 4 + [False]


async def test_nonsense_from_another_node_is_refused() -> None:
    for body in (b"", b"{}x", b"[[1]]"):
        with pytest.raises((ValueError, TypeError)):
            WindowCounters().take(body)
