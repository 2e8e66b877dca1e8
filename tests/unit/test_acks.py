"""A Hocuspocus provider's count, mirrored: whatever comes in whatever order, it is never told too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.core.acks import Acks
from collab.protocol.messages import encode_step1, encode_update
from tests.updates import deleted, typed, vector

STEPS = ["force", "type", "delete", "offline", "answer", "save", "settle"]


class Provider:
    """How `@hocuspocus/provider` counts; 2 without a floor at zero, so that it begins anew when in doubt."""

    def __init__(self, floor: bool) -> None:
        self.acks = Acks()
        self.floor = floor
        self.clock = 0
        self.asked = 0
        self.queue: list[bytes] = []
        self.step1()

    def step1(self) -> None:
        self.count = 1
        self.owes_step2 = self.unsaved = True
        self.acks.step1(encode_step1(vector({1: self.clock} if self.clock else {})))

    def step2(self) -> None:
        """It sends what it had queued first."""
        for message in self.queue:
            self.acks.update(message)
        self.queue.clear()
        self.owes_step2 = False
        self.acks.step2()
        self.ask()

    def change(self, delete: bool) -> bytes:
        if delete and self.clock:
            return encode_update(deleted(1, self.clock - 1, 1))
        self.clock += 1
        return encode_update(typed(1, self.clock - 1, "x"))

    def type(self, delete: bool = False) -> None:
        self.count += 1
        self.unsaved = True
        self.acks.update(self.change(delete))
        self.ask()

    def comes_back(self) -> None:
        """It made these before its step 1, and sends them behind it."""
        self.queue += [self.change(False), self.change(True)]
        self.step1()

    def ask(self) -> None:
        if not self.acks.awaits_step2:
            self.asked = self.acks.owed

    def save(self) -> None:
        """All that it has sent is committed."""
        if not self.acks.awaits_step2:
            self.unsaved = False
        self.count -= self.acks.tell(self.asked)
        if self.floor:
            self.count = max(0, self.count)

    def settle(self) -> None:
        """Nothing came for a while, and what came is saved."""
        if self.acks.withholds and self.floor:
            self.acks.release()
            self.ask()
            self.save()
        elif self.acks.withholds:
            self.step1()


@pytest.mark.parametrize("floor", [True, False])
@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_nothing_is_shown_as_saved_too_early_and_in_the_end_all_is(floor: bool, steps: list[str]) -> None:
    provider = Provider(floor)
    for step in steps:
        if step == "force":
            provider.step1()
        elif step == "offline":
            provider.comes_back()
        elif step in ("type", "delete"):
            provider.type(step == "delete")
        elif step == "answer" and provider.owes_step2:
            provider.step2()
        elif step in ("save", "settle"):
            provider.save() if step == "save" else provider.settle()
        assert provider.count >= 0
        assert provider.count > 0 or not provider.unsaved
    if provider.owes_step2:
        provider.step2()
    provider.save()
    provider.settle()
    if provider.owes_step2:
        provider.step2()
    provider.save()
    assert provider.count == 0


def test_a_step_2_that_answers_nothing_of_its_own_is_not_counted() -> None:
    acks = Acks()
    acks.step1(encode_step1(b"\x00"))
    acks.step2()
    acks.step2()
    assert (acks.owed, acks.tell(acks.owed), acks.tell(acks.owed)) == (1, 1, 0)
