"""Machines whose clocks are minutes apart agree on when something was revoked: by the clock of their database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from collab.auth.base import RevocationStore
from collab.auth.open_mode import Openness
from collab.auth.revocations import Revocations
from collab.auth.shared_clock import EXACT_S, SharedClock
from collab.auth.tickets import MemoryTickets, Tickets, User
from collab.auth.vigil import Vigil
from collab.types import Access, Principal
from tests.auth.clock import Clock
from tests.runtime.conftest import Bench, bench

__all__ = ["bench"]  # a fixture
ROOT = Principal("root")


def says(clock: Clock, ahead_s: float = 0.0) -> Callable[[], Awaitable[float | None]]:
    async def now() -> float | None:
        return clock() + ahead_s

    return now


class Shared:
    """The store of two nodes, with a clock of its own."""

    def __init__(self, store: RevocationStore, clock: Clock) -> None:
        self.add = store.add
        self.since = store.since
        self.now = says(clock)


def node(bench: Bench, store: Shared, clock: SharedClock) -> Vigil:
    return Vigil(store, bench.store.keys, Revocations(), Openness(), bench.hub, clock)


@pytest.mark.parametrize("apart_s", [-300.0, 300.0])
async def test_what_a_node_with_another_clock_revokes_is_found_and_counts(bench: Bench, apart_s: float) -> None:
    true, wrong = Clock(), Clock(Clock().now + apart_s)
    store = Shared(bench.store.revocations, true)
    one, other = SharedClock(true), SharedClock(wrong)
    watching, revoking = node(bench, store, one), node(bench, store, other)
    for vigil in (watching, revoking):
        await vigil.look()
    for issues, ends, sees in ((one, revoking, watching), (other, watching, revoking)):
        tickets = Tickets(MemoryTickets(), issues)
        secret, _ = await tickets.mint(ROOT, "doc", Access.WRITE, User("ada"))
        holder = await tickets.who(secret)
        for clock in (true, wrong):
            clock.pass_s(1.0)
        await ends.revoke("ada", None, None)
        await sees.look()
        assert sees._revocations.cap(holder, "doc") is Access.NONE
    found = await bench.store.revocations.since(datetime.fromtimestamp(true.now - 5, UTC))
    assert len(found) == 2 and all(abs(r.at.timestamp() - true.now) < 5 for r in found)


async def test_seconds_and_slow_answers_change_nothing() -> None:
    clock, timer = Clock(), Clock(0.0)
    shared = SharedClock(clock, timer)
    await shared.set_by(says(clock, 1.5))
    assert shared.offset_s == 0.0

    async def slowly() -> float | None:
        timer.pass_s(EXACT_S + 0.1)
        return clock() + 100.0

    await shared.set_by(slowly)
    assert shared.offset_s == 0.0
    await shared.set_by(says(clock, 100.0))
    await shared.set_by(says(clock, 100.3))
    assert shared() == clock() + 100.0
    await shared.set_by(says(clock))
    assert shared() == clock()
