"""What one user may cost: one allowance, however many sockets, and however many other users there are."""

from __future__ import annotations

import pytest

from collab.core.allowance import Allowances
from collab.limits import Limits


def test_one_user_has_one_allowance() -> None:
    allowances = Allowances(Limits())
    assert allowances.of("ada", 0.0) is allowances.of("ada", 1.0)
    assert allowances.of("ada", 0.0) is not allowances.of("bob", 0.0)


def test_those_of_whom_nothing_is_used_and_nobody_is_here_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Allowances, "SWEPT_AT", 4)
    allowances = Allowances(Limits())
    allowances.of("busy", 0.0).bytes.take(0.0, 1000)
    for number in range(100):
        allowances.of(f"user {number}", 0.0)
    assert len(allowances) <= 4
    assert not allowances.of("busy", 0.0).bytes.is_full(0.0)


def test_a_user_who_is_here_keeps_the_allowance_though_nothing_of_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next socket would have another one, and what is used of this one would be forgotten with its socket."""
    monkeypatch.setattr(Allowances, "SWEPT_AT", 4)
    allowances = Allowances(Limits())
    held = allowances.of("ada", 0.0)  # as a session does
    for number in range(100):
        allowances.of(f"user {number}", 0.0)
    held.bytes.take(0.0, 1000)
    del held
    for number in range(100, 200):
        allowances.of(f"user {number}", 0.0)
    assert not allowances.of("ada", 0.0).bytes.is_full(0.0)
