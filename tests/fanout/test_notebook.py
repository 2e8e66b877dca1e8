"""A benchmark in several sittings: what was measured is not measured again, unless its server has changed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from loadtests.fanout.bench import Bench
from loadtests.fanout.campaign import Campaign
from loadtests.fanout.notebook import Notebook, digest
from loadtests.fanout.scenarios import QUICK

BUILDS = {"ours": "1", "theirs": "1"}


def bench(name: str) -> Bench:
    """A bench that is always ready; what it measures is the test's."""
    fake = SimpleNamespace(peer=SimpleNamespace(name=name), ready=lambda: None, stop=lambda: None)
    return cast(Bench, fake)


def sitting(book: Notebook, seconds: float = 60, names: tuple[str, ...] = ("ours", "theirs")) -> Campaign:
    """One sitting with so much time."""
    benches = {name: bench(name) for name in names}
    return Campaign(benches, QUICK, time.monotonic() + seconds, lambda line: None, book, asleep=tuple(BUILDS))


def counter() -> tuple[list[str], Callable[[Bench, list[Any]], str]]:
    """What was measured, and the work that measures it."""
    asked: list[str] = []

    def work(bench: Bench, before: list[Any]) -> str:
        asked.append(f"{bench.peer.name} {len(before)}")
        return asked[-1]

    return asked, work


def test_a_second_sitting_measures_only_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    asked, work = counter()
    first = sitting(Notebook.opened(path, BUILDS, resume=False), names=("ours",))
    assert first.in_turn("A", 2, work) == {"ours": ["ours 0", "ours 1"], "theirs": []}
    second = sitting(Notebook.opened(path, BUILDS, resume=True))
    found = second.in_turn("A", 2, work)
    assert found == {"ours": ["ours 0", "ours 1"], "theirs": ["theirs 0", "theirs 1"]}
    assert asked == ["ours 0", "ours 1", "theirs 0", "theirs 1"]


def test_a_sitting_without_time_tells_what_is_known_and_what_is_not(tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    _, work = counter()
    sitting(Notebook.opened(path, BUILDS, resume=False), names=("ours",)).in_turn("A", 1, work)
    late = sitting(Notebook.opened(path, BUILDS, resume=True), seconds=0)
    assert late.in_turn("A", 1, work) == {"ours": ["ours 0"], "theirs": []}
    assert late.skipped == ["A"]


def test_a_part_that_is_not_wanted_now_is_told_but_not_measured(tmp_path: Path) -> None:
    asked, work = counter()
    campaign = sitting(Notebook.opened(tmp_path / "pieces", BUILDS, resume=False))
    campaign.measuring = False
    assert campaign.in_turn("A", 1, work) == {"ours": [], "theirs": []}
    assert not asked
    assert not campaign.skipped


def test_figures_of_a_server_that_has_changed_since_are_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    _, work = counter()
    sitting(Notebook.opened(path, BUILDS, resume=False)).in_turn("A", 1, work)
    changed = Notebook.opened(path, BUILDS | {"ours": "2"}, resume=True)
    assert changed.find("A", "ours", 0) is None
    assert changed.find("A", "theirs", 0) is not None


def test_what_a_server_was_before_is_told_until_it_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    _, work = counter()
    for build in ("0", "1"):
        book = Notebook.opened(path, BUILDS | {"ours": build}, resume=True)
        sitting(book).in_turn("A", 2 if build == "0" else 1, work)
    late = Notebook.opened(path, BUILDS | {"ours": "2"}, resume=True)
    assert late.outdated() == {("A", "ours")}
    assert late.find_old("A", "ours", 0) is not None
    assert late.find_old("A", "ours", 1) is None  # of an older build yet
    assert sitting(late, seconds=0).in_turn("A", 1, work)["ours"] == ["ours 0"]
    late.note("A", "ours", 0, result="new")
    assert not late.outdated()
    assert sitting(late, seconds=0).in_turn("A", 2, work)["ours"] == ["new"]


def test_failures_are_kept_with_the_figures(tmp_path: Path) -> None:
    path = tmp_path / "pieces"

    def fail(bench: Bench, before: list[Any]) -> None:
        raise TimeoutError("stuck")

    sitting(Notebook.opened(path, BUILDS, resume=False), names=("ours",)).in_turn("A", 1, fail)
    again = sitting(Notebook.opened(path, BUILDS, resume=True), names=("ours",))
    assert again.in_turn("A", 1, fail)["ours"] == []
    assert again.failures == ["A, ours: stuck"]
    assert len(path.read_text().splitlines()) == 1


def test_without_resume_the_notebook_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "pieces"
    book = Notebook.opened(path, BUILDS, resume=False)
    book.note("A", "ours", 0, result={"rate": 1.5})
    book.sat({"minutes": 2})
    again = Notebook.opened(path, BUILDS, resume=True)
    assert again.find("A", "ours", 0) == json.loads(path.read_text().splitlines()[0])
    assert again.sittings == [{"minutes": 2}]
    assert not Notebook.opened(path, BUILDS, resume=False).pieces


@pytest.mark.parametrize("change", ["content", "name"])
def test_a_digest_tells_changed_sources_apart(tmp_path: Path, change: str) -> None:
    (tmp_path / "a.py").write_text("one")
    before = digest([tmp_path])
    assert digest([tmp_path]) == before
    if change == "name":
        (tmp_path / "a.py").rename(tmp_path / "b.py")
    else:
        (tmp_path / "a.py").write_text("two")
    assert digest([tmp_path]) != before
