"""A slice of every fuzzer in each run of the tests, and the proof that the fuzzers would find something.

`python -m tests.hostile.fuzz --cases N --seed S` runs any number more.
"""

from __future__ import annotations

import os

import pytest

from collab.errors import CollabError
from tests.hostile import fuzz
from tests.hostile.cases import liar_of
from tests.hostile.faults import AT, FAULTS
from tests.hostile.targets import TARGETS

CASES = int(os.environ.get("COLLAB_FUZZ_CASES", "100000"))
SHARE = {
    "update": 0.43,
    "frame": 0.16,
    "addressed": 0.08,
    "presence": 0.06,
    "merge": 0.03,
    "vector": 0.16,
    "engine": 0.08,
}


def test_every_target_has_its_share() -> None:
    assert SHARE.keys() == TARGETS.keys() and sum(SHARE.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_no_bytes_do_anything_but_be_taken_or_be_refused(target: str) -> None:
    report = fuzz.fuzz(target, seed=1, cases=int(CASES * SHARE[target]), processes=1)
    assert report.findings == []
    assert report.peak_mib < 200
    assert sum(report.outcomes.values()) == report.cases
    assert 0.05 < report.outcomes["taken"] / report.cases < 0.9, "they are neither all good nor all bad"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_number_is_always_the_same_bytes(target: str) -> None:
    assert [fuzz.data_of(7, target, n) for n in range(50)] == [fuzz.data_of(7, target, n) for n in range(50)]
    assert fuzz.data_of(7, target, 1) != fuzz.data_of(8, target, 1)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_what_does_not_lie_is_taken(target: str) -> None:
    attack, grammar = TARGETS[target]
    refused = 0
    for number in range(300):
        liar = liar_of(3, target, number)
        try:
            attack(liar, grammar(liar))
        except CollabError:
            refused += 1
    # Some whole updates are such as no editor makes (text inside of an embed), and the engine is pickier still.
    assert refused < {"update": 120, "frame": 120, "addressed": 120, "engine": 180}.get(target, 1)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_is_found_by_its_number_and_the_cases_behind_it_are_run(fault: str) -> None:
    report = fuzz.fuzz(fault, seed=1, cases=40, processes=1)
    assert [finding.partition(":")[0] for finding in report.findings] == [f"1/{fault}/{AT}"]
    assert report.outcomes["found"] == 1
    assert report.outcomes["taken"] >= 40 - 1 - AT
    assert FAULTS[fault][2] in report.findings[0]
