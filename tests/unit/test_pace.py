"""Ticks are spaced as rooms and the core fill up, and never at light load."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from collab.journal import LINGER_S
from collab.pace import LINGER_S_MAX, SHOWN_LINGER_S, Pace

MAX_S = 0.02


def at_load(share: float) -> Pace:
    pace = Pace(MAX_S)
    for _ in range(20):
        pace.observe(share)
    return pace


def rests(every_s: float, tick_s: float, writes: int, ticks: int = 200) -> list[float]:
    """How long a room rests after each of its ticks when something comes in so often."""
    pace, owed_until, now, out = Pace(MAX_S), 0.0, 0.0, []
    for _ in range(ticks):
        rest_s, owed_s = pace.rest_s(max(0.0, owed_until - now), tick_s, writes)
        owed_until, now = now + owed_s, now + max(every_s, rest_s)
        out.append(rest_s)
    return out


def test_at_light_load_an_edit_leaves_in_the_turn_it_came_in() -> None:
    assert at_load(0.08).beat_s == 0.0
    assert set(rests(every_s=0.05, tick_s=0.0003, writes=99)) == {0.0}  # a hundred people, twenty edits a second


def test_a_room_rests_when_its_fan_out_takes_more_than_its_share() -> None:
    busy = rests(every_s=0.005, tick_s=0.0003, writes=99)
    assert busy[0] == 0.0
    assert sum(busy[50:]) / 150 > 0.9 * MAX_S
    assert max(busy) <= MAX_S


def test_a_room_of_thousands_rests_after_every_tick_and_is_soon_free_again() -> None:
    assert min(rests(every_s=0.0, tick_s=0.005, writes=5_000)) == MAX_S
    _, owed_s = Pace(MAX_S).rest_s(1_000.0, 0.0, 0)
    assert owed_s < 0.2


def test_all_rooms_tick_together_when_the_core_is_full() -> None:
    beats = [at_load(share).beat_s for share in (0.08, 0.15, 0.2, 0.3, 0.9)]
    assert beats == sorted(beats)
    assert beats[0] == 0.0
    assert beats[2] < beats[-1] == MAX_S


def test_commits_wait_longer_for_company_on_a_busy_node() -> None:
    waits = [at_load(share).linger_s for share in (0.02, 0.08, 0.9)]
    assert waits[0] == LINGER_S
    assert waits[0] < waits[1] < waits[2] == LINGER_S_MAX


def test_people_on_other_nodes_are_not_kept_waiting_for_it() -> None:
    waits = [at_load(share).shown_linger_s for share in (0.02, 0.08, 0.9)]
    assert waits[0] == SHOWN_LINGER_S
    assert waits[0] < waits[1] < waits[2] == LINGER_S


async def test_what_is_done_in_steps_spaces_no_ticks_for_everybody_else() -> None:
    now = apart = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now, apart
        now, apart = now + seconds, apart + 0.9 * seconds
        if now > 2.0:
            raise asyncio.CancelledError

    clock = SimpleNamespace(monotonic=lambda: now, process_time=lambda: 0.08 * now + apart)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collab.pace.time", clock)
        patch.setattr("collab.pace.asyncio", SimpleNamespace(sleep=sleep))
        calm, busy = Pace(MAX_S, lambda: apart), Pace(MAX_S)
        for pace in (calm, busy):
            now = 0.0
            with pytest.raises(asyncio.CancelledError):
                await pace.run()
    assert (calm.beat_s, busy.beat_s) == (0.0, MAX_S)
