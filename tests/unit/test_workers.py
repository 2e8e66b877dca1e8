"""The pool's decisions, without processes (`tests/cluster/test_workers.py` has those)."""

from __future__ import annotations

import signal

import pytest

from collab.workers import Pool


class Process:
    def __init__(self) -> None:
        self.exitcode: int | None = None


class Worker:
    """A place whose new process serves, ends or hangs."""

    def __init__(self, number: int, fate: str = "serves") -> None:
        self.number = number
        self.fate = fate
        self.started = 0
        self.ready, self.stuck = True, False
        self.process = Process()
        self.pipe = self

    def close(self) -> None:
        """The pipe's."""

    def end(self, grace_s: float) -> None:
        self.ready = False

    def start(self) -> None:
        self.started += 1

    def hear(self) -> None:
        self.ready = self.fate == "serves"
        self.stuck = self.fate == "hangs"
        self.process.exitcode = 1 if self.fate == "ends" else None


class Rolling(Pool):
    """A pool of those."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers  # type: ignore[assignment]
        self._grace_s = 0.0
        self._signals = []
        self.turns = 0

    def _turn(self) -> None:
        self.turns += 1
        assert self.turns < 100, "it waits for ever"
        for worker in self._workers:
            if not worker.ready:
                worker.hear()


def renewed(*fates: str) -> list[int]:
    workers = [Worker(number, fate) for number, fate in enumerate(fates, 1)]
    Rolling(workers)._obey(signal.SIGUSR2)
    return [worker.started for worker in workers]


def test_all_are_replaced_if_each_new_one_serves() -> None:
    assert renewed("serves", "serves", "serves") == [1, 1, 1]


@pytest.mark.parametrize("fate", ["ends", "hangs"])
def test_the_others_stay_if_a_new_one_does_not_serve(fate: str) -> None:
    """Settings or a version that cannot start must not take down one worker after the other."""
    assert renewed("serves", fate, "serves") == [1, 1, 0]
