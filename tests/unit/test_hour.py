"""The last hour of figures."""

from __future__ import annotations

from collab.hour import KEPT, Hour


def test_what_grows_becomes_a_rate_and_the_rest_stays_as_it_is() -> None:
    figures, clock = {"edits": 0.0, "sockets": 3.0}, [100.0]
    hour = Hour(lambda: dict(figures), frozenset(("edits",)), lambda: clock[0])
    hour.sample()
    assert hour.series() == ([], {})
    clock[0] += 5
    figures |= {"edits": 20.0, "sockets": 4.0}
    hour.sample()
    assert hour.series() == ([105.0], {"edits_per_s": [4.0], "sockets": [4.0]})


def test_it_keeps_an_hour_and_no_more() -> None:
    clock = [0.0]
    hour = Hour(lambda: {"x": clock[0]}, frozenset(), lambda: clock[0])
    for _ in range(KEPT + 10):
        hour.sample()
        clock[0] += 5
    at, series = hour.series()
    assert len(at) == len(series["x"]) == KEPT and at[-1] - at[0] == 5 * (KEPT - 1)


def test_a_clock_that_is_set_back_gives_no_division_by_nothing() -> None:
    clock = [100.0]
    hour = Hour(lambda: {"edits": 1.0}, frozenset(("edits",)), lambda: clock[0])
    hour.sample()
    clock[0] = 50.0
    hour.sample()
    assert hour.series()[1]["edits_per_s"] == [0.0]
