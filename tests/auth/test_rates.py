"""Rate limits: what is counted, what callers are told, and that what they are told is true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.aio.storage import MemoryStorage

from collab.auth.rates import DEFAULT_RATES, Rate, Rates, headers
from collab.auth.windows import WindowCounters
from collab.errors import RateLimited
from tests.auth.clock import Clock

TEN = {"address": Rate(10, 60), "user": Rate(3, 60)}


def rates(clock: Clock) -> Rates:
    return Rates(TEN, WindowCounters(clock=clock))


async def refused(rates: Rates, subjects: dict[str, str], cost: int = 1) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await rates.spend(subjects, cost)
    return caught.value


async def test_each_kind_has_its_own_rate_and_the_first_to_run_out_refuses() -> None:
    here = rates(Clock())
    for _ in range(3):
        await here.spend({"address": "1.2.3.4", "user": "ada"})
    await refused(here, {"address": "1.2.3.4", "user": "ada"})
    await here.spend({"address": "1.2.3.4", "user": "bob"})
    await here.spend({"address": "5.6.7.8"})


async def test_kinds_without_a_rate_pass() -> None:
    assert await rates(Clock()).spend({"planet": "earth"}) == []


async def test_callers_are_told_what_is_left() -> None:
    here = rates(Clock(1_800_000_000.0))
    told = headers(await here.spend({"address": "1.2.3.4", "user": "ada"}))
    assert told["RateLimit-Policy"] == '"address";q=10;w=60, "user";q=3;w=60'
    assert told["RateLimit"] == '"address";r=9;t=1, "user";r=2;t=1'
    assert headers([]) == {}


async def test_the_refused_are_told_when_to_come_back() -> None:
    clock = Clock(1_800_000_000.0)
    here = rates(clock)
    await here.spend({"user": "ada"}, cost=3)
    error = await refused(here, {"user": "ada"})
    told = error.extra["headers"]
    assert isinstance(told, dict)
    assert told == {
        "Retry-After": str(error.extra["retry_after_s"]),
        "RateLimit-Policy": '"user";q=3;w=60',
        "RateLimit": f'"user";r=0;t={error.extra["retry_after_s"]}',
    }


@given(st.integers(1, 20), st.lists(st.tuples(st.floats(0, 100), st.integers(1, 4)), max_size=40))
async def test_whoever_waits_as_told_gets_in(amount: int, spent: list[tuple[float, int]]) -> None:
    clock = Clock(1_000_000.0)
    here = Rates({"user": Rate(amount, 60)}, WindowCounters(clock=clock))
    for pause_s, some in spent:
        clock.pass_s(pause_s)
        try:
            await here.spend({"user": "ada"}, some)
        except RateLimited as error:
            if some > amount:
                continue  # never fits
            wait_s = error.extra["retry_after_s"]
            assert isinstance(wait_s, int) and 1 <= wait_s <= 120
            clock.pass_s(wait_s)
            await here.spend({"user": "ada"}, some)


@given(st.lists(st.floats(0, 30), max_size=60))
async def test_what_is_said_to_remain_does(pauses_s: list[float]) -> None:
    clock = Clock(1_000_000.0)
    here = rates(clock)
    for pause_s in pauses_s:
        clock.pass_s(pause_s)
        try:
            (quota,) = await here.spend({"user": "ada"})
        except RateLimited:
            continue
        if quota.remaining:
            await here.check({"user": "ada"})
        else:
            with pytest.raises(RateLimited):
                await here.check({"user": "ada"})


async def test_checking_takes_nothing() -> None:
    here = rates(Clock())
    for _ in range(10):
        await here.check({"user": "ada"})
    await here.spend({"user": "ada"}, cost=3)
    with pytest.raises(RateLimited):
        await here.check({"user": "ada"})


async def test_it_counts_in_any_storage_of_the_library() -> None:
    here = Rates(TEN, MemoryStorage())
    for _ in range(3):
        await here.spend({"user": "ada"})
    await refused(here, {"user": "ada"})


def test_a_storage_that_cannot_slide_is_refused() -> None:
    from limits.aio.storage import Storage

    class Fixed(Storage):
        STORAGE_SCHEME = None
        base_exceptions = ()

        async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
            return 0

        async def get(self, key: str) -> int:
            return 0

        async def get_expiry(self, key: str) -> float:
            return 0.0

        async def check(self) -> bool:
            return True

        async def reset(self) -> int | None:
            return None

        async def clear(self, key: str) -> None:
            return None

    with pytest.raises(TypeError):
        Rates(TEN, Fixed())


def test_there_is_a_rate_for_everything_that_is_counted() -> None:
    assert set(DEFAULT_RATES) == {"address", "user", "key", "streams", "failures"}
