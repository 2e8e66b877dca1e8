"""The search for the highest rate, against servers whose limit is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fanout.measure import Measurement
from loadtests.fanout.search import CLOSE_ENOUGH, LOWEST, again, climb


class Known:
    """A server that holds every rate up to `limit`; the generator is out of breath from `bound` on."""

    def __init__(self, limit: float, bound: float = float("inf")) -> None:
        self.limit = limit
        self.bound = bound
        self.tried: list[float] = []

    def __call__(self, rate: float) -> Measurement:
        self.tried.append(rate)
        held = rate <= self.limit
        busy = 99.0 if rate >= self.bound else 10.0
        return Measurement(
            "load",
            held,
            newcomers=True,
            rate=rate,
            deliveries_s=rate,
            p99_ms=5 if held else 500,
            generator_cpu_pct=busy,
        )


@given(st.floats(0.05, 5_000), st.floats(0.5, 100))
def test_a_climb_ends_close_below_the_limit(times: float, start: float) -> None:
    limit = times * start
    found = climb(Known(limit), start)
    assert found.at is not None
    assert found.rate <= limit <= found.rate * CLOSE_ENOUGH
    assert found.at.rate == found.rate
    assert found.broke == "is late"


def test_a_climb_stops_where_the_generator_is_the_limit() -> None:
    server = Known(limit=1e9, bound=1_000)
    found = climb(server, 20)
    assert found.at is not None
    assert found.at.generator_bound
    assert found.rate == server.tried[-1]


def test_a_server_that_holds_nothing_is_found_out() -> None:
    server = Known(limit=0)
    found = climb(server, 20)
    assert found.at is None
    assert found.broke == "is late"
    assert min(server.tried) <= 20 * LOWEST


@pytest.mark.parametrize("limit", [60.0, 100.0, 103.0, 160.0])
def test_a_later_round_looks_only_nearby(limit: float) -> None:
    server = Known(limit)
    found = again(server, before=100)
    assert len(server.tried) <= 4
    assert found.rate <= limit


def test_a_later_round_moves_to_the_new_limit() -> None:
    assert again(Known(120), before=100).rate == pytest.approx(100 * CLOSE_ENOUGH)
    assert again(Known(95), before=100).rate == pytest.approx(100 / CLOSE_ENOUGH)
    assert again(Known(1), before=0).at is None


@pytest.mark.parametrize("above", [0, 100])
def test_one_late_window_does_not_end_a_ramp(above: float) -> None:
    server, late = Known(limit=1_000), [True]

    def attempt(rate: float) -> Measurement:
        measured = server(rate)
        return Known(limit=0)(rate) if rate > above and late and late.pop() else measured

    assert climb(attempt, 20).rate > 1_000 / CLOSE_ENOUGH
    assert min(server.tried) == 20
