"""Several nodes' hours as one."""

from __future__ import annotations

from collab.api.figures import HourView, merged


def hour(at: list[float], **series: list[float]) -> HourView:
    return HourView(sample_s=5.0, at=at, series=series)


def test_sums_of_what_adds_up_and_the_worst_of_times() -> None:
    one = hour([100.0, 105.0], sockets=[1.0, 2.0], commit_seconds_p99=[0.1, 0.3])
    two = hour([102.0, 107.0], sockets=[10.0, 20.0], commit_seconds_p99=[0.2, 0.2])
    both = merged({"a": one, "b": two})
    assert both.at == [100.0, 105.0]
    assert both.series == {"commit_seconds_p99": [0.2, 0.3], "sockets": [11.0, 22.0]}


def test_a_node_whose_clock_drifts_past_a_step_still_counts_there() -> None:
    steady = hour([100.0, 105.0, 110.0], sockets=[1.0, 1.0, 1.0])
    drifting = hour([104.9, 110.2], sockets=[5.0, 6.0])  # nothing between 105 and 110
    assert merged({"a": steady, "b": drifting}).series["sockets"] == [6.0, 6.0, 7.0]


def test_a_node_that_is_gone_stops_to_count_and_one_that_came_later_begins_to() -> None:
    gone = hour([100.0], sockets=[9.0])
    new = hour([130.0, 135.0], sockets=[1.0, 2.0], rooms=[1.0, 1.0])
    both = merged({"a": gone, "b": new})
    assert both.at == [100.0, 130.0, 135.0] and both.series["sockets"] == [9.0, 1.0, 2.0]
    assert both.series["rooms"] == [0.0, 1.0, 1.0]


def test_nothing_is_no_error() -> None:
    assert merged({}).series == {} and merged({"a": hour([])}).at == []
