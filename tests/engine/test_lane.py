"""A worker that dies, hangs or is killed costs one call at most, and never the next one."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress

import pytest

from collab.engine.child import Request
from collab.engine.client import Engine
from collab.errors import BadUpdate, EngineUnavailable, Overloaded
from tests.engine.processes import children, cpu_ticks, ended, until
from tests.updates import typed

ECHO = Request("echo", {"a": [1, None]}, [b"x", b""])


def long_log(count: int) -> list[bytes]:
    """Updates whose fold takes a while."""
    return [typed(1, clock, "x") for clock in range(count)]


async def test_a_call_brings_back_what_the_worker_answered(engine: Engine) -> None:
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])
    assert engine.counters.calls == 1


async def test_large_blobs_go_through_while_the_loop_runs_on(engine: Engine) -> None:
    big = random.Random(1).randbytes(20_000_000)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    _, blobs = await engine.content.call(Request("echo", {}, [big, b"tail"]))
    counting.cancel()
    assert blobs == [big, b"tail"]
    assert turns > 20  # one send would have been one turn


async def test_an_idle_worker_that_was_killed_costs_nothing(engine: Engine) -> None:
    [pid] = engine.content.pids()
    os.kill(pid, signal.SIGKILL)
    await ended(pid)
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])
    assert engine.counters.deaths == engine.counters.retries == 1


async def test_the_warm_process_may_be_killed_too(engine: Engine) -> None:
    pids = [engine.spawner.pid, *engine.content.pids(), *engine.folding.pids()]
    assert pids[0] is not None
    os.kill(pids[0], signal.SIGKILL)
    for pid in pids:
        assert pid is not None
        await ended(pid)
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])
    assert engine.counters.forkers_started == 2


async def test_a_call_whose_worker_dies_before_taking_it_is_done_again(engine: Engine) -> None:
    [pid] = engine.content.pids()
    os.kill(pid, signal.SIGSTOP)
    call = asyncio.create_task(engine.content.call(ECHO))
    await until(lambda: engine.counters.calls == 1)
    os.kill(pid, signal.SIGKILL)
    assert await call == ({"a": [1, None]}, [b"x", b""])
    assert engine.counters.retries == 1


async def test_a_call_whose_worker_dies_of_it_fails_and_the_next_one_works(engine: Engine) -> None:
    [pid] = engine.folding.pids()
    before = cpu_ticks(pid)
    call = asyncio.create_task(engine.fold(None, long_log(60_000)))
    await until(lambda: cpu_ticks(pid) > before + 2)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        await call
    assert engine.counters.retries == 0
    assert await engine.fold(None, [typed(1, 0, "ab")]) == await engine.fold(typed(1, 0, "a"), [typed(1, 1, "b")])


async def test_a_call_that_lost_its_worker_with_the_warm_process_is_done_again(engine: Engine) -> None:
    [pid] = engine.folding.pids()
    before = cpu_ticks(pid)
    call = asyncio.create_task(engine.fold(None, long_log(30_000)))
    await until(lambda: cpu_ticks(pid) > before + 2)
    assert engine.spawner.pid is not None
    os.kill(engine.spawner.pid, signal.SIGKILL)
    state, _ = await call
    assert b"x" * 30_000 in state
    assert engine.counters.retries == 1


async def test_a_call_that_takes_too_long_is_ended(engine: Engine) -> None:
    engine.content.call_s_max = 0.2
    [pid] = engine.content.pids()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineUnavailable, match="longer than"):
        await engine.content.call(ECHO)
    await ended(pid)
    engine.content.call_s_max = 5.0
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])
    assert (engine.counters.timeouts, engine.counters.deaths) == (1, 0)


async def test_a_cancelled_call_takes_its_worker_along(engine: Engine) -> None:
    [pid] = engine.content.pids()
    os.kill(pid, signal.SIGSTOP)
    call = asyncio.create_task(engine.content.call(ECHO))
    await until(lambda: engine.counters.calls == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ended(pid)
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])


async def test_past_the_bound_calls_are_refused_at_once(engine: Engine) -> None:
    [pid] = engine.content.pids()
    os.kill(pid, signal.SIGSTOP)
    calls = [asyncio.create_task(engine.content.call(ECHO)) for _ in range(3)]
    await until(lambda: engine.content.waiting == 2)
    with pytest.raises(Overloaded):
        await engine.content.call(ECHO)
    os.kill(pid, signal.SIGCONT)
    assert await asyncio.gather(*calls) == [({"a": [1, None]}, [b"x", b""])] * 3
    assert engine.counters.refused == 1


async def test_a_short_call_does_not_wait_behind_a_fold(engine: Engine) -> None:
    [pid] = engine.folding.pids()
    os.kill(pid, signal.SIGSTOP)
    fold = asyncio.create_task(engine.fold(None, [typed(1, 0, "a")]))
    await until(lambda: engine.counters.calls == 1)
    await engine.ping()
    state, index = await engine.fold_now(None, [typed(1, 0, "a")])
    assert not fold.done()
    os.kill(pid, signal.SIGCONT)
    assert await fold == (state, index)


async def test_errors_keep_their_code_and_detail(engine: Engine) -> None:
    with pytest.raises(BadUpdate, match="announced") as caught:
        await engine.fold(None, [b"\x01\x01"])
    assert caught.value.offset == caught.value.extra["offset"] == 2
    assert engine.counters.deaths == 0


async def test_a_worker_that_grew_large_is_replaced(engine: Engine) -> None:
    [pid] = engine.content.pids()
    await engine.content.call(Request("echo", {}, [bytes(150_000_000)]))
    await ended(pid)
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])
    assert engine.counters.deaths == 0


async def test_a_worker_that_exceeds_its_memory_costs_that_call() -> None:
    engine = Engine(workers=1, memory_bytes_max=300 * 1024 * 1024)
    await engine.start()
    with pytest.raises(EngineUnavailable):
        await engine.content.call(Request("echo", {}, [bytes(200_000_000)]))
    assert await engine.content.call(ECHO) == ({"a": [1, None]}, [b"x", b""])
    await engine.close()


async def test_kills_at_random_moments_cost_at_most_the_call_they_hit(engine: Engine) -> None:
    dice = random.Random(7)
    done = failed = kills = 0

    async def work(lane: str) -> None:
        nonlocal done, failed
        for _ in range(60):
            try:
                await (engine.ping() if lane == "content" else engine.fold(None, long_log(500)))
                done += 1
            except EngineUnavailable:
                failed += 1

    async def kill() -> None:
        nonlocal kills
        while done + failed < 120:
            for _ in range(dice.randrange(200)):
                await asyncio.sleep(0)
            for victim in children(engine.spawner.pid or 0):
                if dice.random() < 0.5:
                    with suppress(ProcessLookupError):  # buried since it was listed
                        os.kill(victim, signal.SIGKILL)
                        kills += 1

    await asyncio.gather(work("content"), work("fold"), kill())
    assert done + failed == 120
    assert failed <= kills
    assert done > 0
    await engine.ping()
