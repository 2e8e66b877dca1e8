"""Stamps and sightings become latencies; plans become seats."""

from __future__ import annotations

import pytest

from loadtests.contrast.casting import seats
from loadtests.contrast.ledger import Sighting, Stamps
from loadtests.contrast.plan import FULL, QUICK, points, tls_points
from loadtests.contrast.result import propagation_ms, quantile
from loadtests.contrast.shape import KINDS, Shape


def test_each_stamp_is_matched_with_the_first_sight_of_it() -> None:
    load = {"stamps": [(7, 1, 10.0), (7, 2, 10.1), (7, 5, 10.2), (7, 6, 99.0)], "sightings": []}
    probe = {"stamps": [], "sightings": [(0, [(7, 1, 10.5), (7, 5, 10.6), (7, 6, 99.5)]), (0, [(7, 5, 11.2)])]}
    found = propagation_ms([load, probe], 9.0, 20.0)
    assert sorted(map(round, found)) == [400, 500, 500, 1000, 1100, 1200]


def test_what_a_reader_knew_before_the_window_is_no_news() -> None:
    load = {"stamps": [(7, 1, 1.0), (7, 2, 10.0)], "sightings": []}
    probe = {"stamps": [], "sightings": [(0, [(7, 1, 1.5), (8, 4, 2.0), (7, 2, 10.25)])]}
    assert propagation_ms([load, probe], 9.0, 20.0) == [250.0]


def test_stamps_and_sightings_of_one_process_match_too() -> None:
    stamps, sighting = Stamps(), Sighting(0)
    for clock in (1, 2, 2, 4):
        stamps.made(7, clock)
    assert sighting.look({7: 2}) == [(7, 2, 0)]
    assert sighting.look({7: 2, 9: 1}) == [(9, 1, 0)]
    assert len(stamps.since(7, 2, 0)) == 2
    assert len(stamps.since(7, 4, 2)) == 1
    assert stamps.since(8, 4, 0) == []


def test_quantiles_by_the_nearest_rank() -> None:
    values = [float(value) for value in range(100)]
    assert [quantile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [0.0, 50.0, 95.0, 99.0]
    assert quantile([], 0.5) == 0.0


@pytest.mark.parametrize("pace", [FULL, QUICK], ids=lambda pace: pace.name)
def test_every_point_of_the_plan_seats_all_its_people(pace: object) -> None:
    assert pace in (FULL, QUICK)
    chosen = FULL if pace is FULL else QUICK
    plan = [*points(chosen), *tls_points(chosen)]
    assert {point.shape.kind for point in plan} == set(KINDS)
    assert len({point.key for point in plan}) == len(plan)
    for point in plan:
        load, probe = seats(point.shape)
        writers = [(seat.document, seat.section) for seat in load if seat.section >= 0]
        assert len(load) + len(probe) == point.shape.users
        assert len(writers) == len(set(writers)) == point.shape.documents * point.shape.writers
        assert probe and all(seat.watched and seat.section < 0 for seat in probe)


def test_documents_that_people_do_not_fill_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        Shape("socket", users=30, members=20)
