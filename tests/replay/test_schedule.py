"""Who had seen what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import BadRequest
from collab.replay.schedule import AGENTS_MAX, Schedule
from collab.replay.trace import Trace
from tests.replay.lanes import _history, lanes_trace


def trace_of(*txns: tuple[int, tuple[int, ...]], agents: int = 2) -> Trace:
    trace = Trace("t", agent_count=agents)
    for agent, parents in txns:
        trace.append([(0, 0, "a")], agent, parents)
    return trace


def test_an_epoch_lasts_until_something_is_merged() -> None:
    schedule = Schedule(trace_of((0, ()), (0, (0,)), (1, (0,)), (1, (2,)), (0, (1, 2)), (1, (3, 4))))
    assert [list(own) for own in schedule.own] == [[0, 1, 4], [2, 3, 5]]
    assert schedule.needs == [[(0, 0), (0, 1)], [(1, 0), (3, 0)]]
    assert [list(epochs) for epochs in schedule.epochs] == [[0, 0, 1], [0, 0, 1]]
    # agent 1 merges agent 0's first transaction before its epoch 0, the second and third before epoch 1
    assert [schedule.wanted(1, 0, ordinal) for ordinal in range(3)] == [0, 1, 1]
    # agent 0 merges agent 1's first before its epoch 1, the others only after all it types
    assert [schedule.wanted(0, 1, ordinal) for ordinal in range(3)] == [1, 2, 2]


@given(st.integers(0, 2**32), st.integers(2, 5))
def test_a_need_counts_the_history_of_the_parents(seed: int, agents: int) -> None:
    trace, _ = lanes_trace(seed, agents, 30)
    schedule = Schedule(trace)
    for agent, own in enumerate(schedule.own):
        for ordinal, index in enumerate(own):
            history = _history(trace, index) - {index}
            need = schedule.needs[agent][schedule.epochs[agent][ordinal]]
            counts = [sum(trace.agents[i] == a for i in history) for a in range(agents)]
            assert list(need) == [0 if a == agent else count for a, count in enumerate(counts)]
            assert counts[agent] == ordinal


def test_one_author_needs_nobody() -> None:
    schedule = Schedule(trace_of((0, ()), (0, (0,)), agents=1))
    assert (list(schedule.own[0]), list(schedule.epochs[0]), schedule.needs) == ([0, 1], [0, 0], [[(0,)]])


@pytest.mark.parametrize(
    ("trace", "why"),
    [
        (trace_of((0, ()), (0, ())), "two places"),
        (trace_of((0, (1,)), (0, (0,))), "does not come before"),
        (trace_of((0, (-1,))), "does not come before"),
        (trace_of((0, ()), agents=AGENTS_MAX + 1), "at most"),
    ],
)
def test_an_impossible_order_is_refused(trace: Trace, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        Schedule(trace)
