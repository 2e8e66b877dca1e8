"""Rooms rest as the core fills up, and never at light load."""

from __future__ import annotations

from collab.pace import Pace


def at_load(share: float) -> Pace:
    pace = Pace(0.02)
    for _ in range(20):
        pace.observe(share)
    return pace


def test_at_light_load_an_edit_leaves_in_the_turn_it_came_in() -> None:
    assert at_load(0.1).rest_s(0.0001) == 0.0


def test_a_costly_fan_out_rests_in_proportion_and_never_longer_than_allowed() -> None:
    pace = at_load(0.1)
    assert 0.0 < pace.rest_s(0.001) < pace.rest_s(0.004) <= 0.02
    assert pace.rest_s(1.0) == 0.02


def test_every_room_rests_when_the_core_is_full() -> None:
    rests = [at_load(share).rest_s(0.0) for share in (0.3, 0.5, 0.6, 0.9)]
    assert rests == sorted(rests)
    assert rests[0] == 0.0
    assert rests[-1] == 0.02
