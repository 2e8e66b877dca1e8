"""What a revocation takes back, from whom, and that it is applied to open sockets once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from collab.auth.base import REMEMBERED_S, Revocation
from collab.auth.keys import Keys
from collab.auth.open_mode import Openness
from collab.auth.revocations import RevocablePolicy, Revocations
from collab.auth.shared_clock import SharedClock
from collab.auth.vigil import Vigil
from collab.core.session import Session
from collab.errors import StorageUnavailable, Unauthorized
from collab.protocol.messages import encode_access
from collab.types import ANONYMOUS, Access, Grant, Principal, Scope
from tests.auth.clock import Clock
from tests.fakes import Recorder
from tests.runtime.conftest import Bench, bench

__all__ = ["bench"]  # a fixture

NOW = 1_800_000_000.0
EVERYTHING = (Grant("*", Access.WRITE),)


def revoked(user: str | None = None, document: str | None = None, key: str | None = None, **more: Access) -> Revocation:
    return Revocation("r", datetime.fromtimestamp(NOW, UTC), user, document, key, **more)


def holder(kind: str = "jwt", issued_at: float | None = NOW - 10, id: str = "ada", key_id: str = "k") -> Principal:
    return Principal(id, kind, key_id=key_id, grants=EVERYTHING, issued_at=issued_at)


def left(revocation: Revocation, principal: Principal, document: str = "doc") -> Access:
    known = Revocations()
    known.add(revocation)
    return RevocablePolicy(known).may(principal, document)


@pytest.mark.parametrize(
    ("revocation", "kept"),
    [
        (revoked(user="ada"), Access.NONE),
        (revoked(user="bo"), Access.WRITE),
        (revoked(key="k"), Access.NONE),
        (revoked(key="other"), Access.WRITE),
        (revoked(document="doc"), Access.NONE),
        (revoked(document="other"), Access.WRITE),
        (revoked(user="ada", document="doc"), Access.NONE),
        (revoked(user="ada", document="other"), Access.WRITE),
        (revoked(user="bo", document="doc"), Access.WRITE),
        (revoked(user="ada", key="other"), Access.WRITE),
        (revoked(user="ada", document="doc", access=Access.READ), Access.READ),
    ],
)
def test_everything_that_is_named_must_match(revocation: Revocation, kept: Access) -> None:
    assert left(revocation, holder()) is kept
    assert left(revocation, holder("ticket")) is kept


@pytest.mark.parametrize(
    ("issued_at", "kept"), [(NOW - 1, Access.NONE), (NOW, Access.NONE), (NOW + 1, Access.WRITE), (None, Access.NONE)]
)
def test_it_ends_what_was_issued_before_it(issued_at: float | None, kept: Access) -> None:
    assert left(revoked(user="ada"), holder(issued_at=issued_at)) is kept


def test_a_key_is_a_standing_permission() -> None:
    assert left(revoked(document="doc"), holder("key", issued_at=None)) is Access.WRITE


def test_a_key_that_was_revoked_for_good_ends_in_the_cache_too() -> None:
    """A node that has looked it up a moment ago must open nothing with it once it has heard of the end."""
    assert left(revoked(key="k"), holder("key", issued_at=None)) is Access.NONE
    assert left(revoked(key="k", document="doc"), holder("key", issued_at=None)) is Access.WRITE
    assert left(revoked(key="k", access=Access.READ), holder("key", issued_at=None)) is Access.WRITE


def test_it_gives_nothing() -> None:
    principal = Principal("ada", "jwt", grants=(Grant("*", Access.READ),), issued_at=NOW - 1)
    assert left(revoked(user="ada", access=Access.WRITE), principal) is Access.READ


def test_what_is_too_old_is_forgotten() -> None:
    known = Revocations()
    assert known.add(revoked(user="ada"))
    assert not known.add(revoked(user="ada"))
    known.forget(NOW + REMEMBERED_S - 1)
    assert known.cap(holder(), None) is Access.NONE
    known.forget(NOW + REMEMBERED_S + 1)
    assert known.cap(holder(), None) is Access.WRITE
    assert known.add(revoked(user="ada"))


TEN_YEARS_S = 3.2e8


@dataclass
class Watch:
    """A vigil over a hub."""

    bench: Bench
    clock: Clock
    revocations: Revocations
    vigil: Vigil
    openness: Openness

    async def enter(self, principal: Principal, document: str = "doc") -> tuple[Session, Recorder]:
        """A session of this principal."""
        slot = await self.bench.hub.open(document)
        outbox = Recorder()
        session = Session("s", principal, Access.WRITE, outbox, self.bench.hub.limits)
        self.bench.hub.join(slot, session)
        outbox.take()
        return session, outbox


@pytest.fixture
def watch(bench: Bench) -> Watch:
    clock, revocations, openness = Clock(NOW), Revocations(), Openness()
    store = bench.store
    vigil = Vigil(store.revocations, store.keys, revocations, openness, bench.hub, SharedClock(clock))
    return Watch(bench, clock, revocations, vigil, openness)


async def test_it_ends_open_sockets_of_the_user_and_nobody_elses(watch: Watch) -> None:
    ada, to_ada = await watch.enter(holder())
    bo, to_bo = await watch.enter(holder(id="bo", key_id="k2"))
    assert await watch.vigil.revoke("ada", None, None) == (1, 0)
    assert isinstance(to_ada.closed, Unauthorized) and to_ada.closed.close_code == 4401
    assert (ada.access, bo.access, to_bo.closed) == (Access.NONE, Access.WRITE, None)


async def test_a_fall_from_write_to_read_takes_effect_on_the_open_socket(watch: Watch) -> None:
    ada, to_ada = await watch.enter(holder())
    elsewhere, _ = await watch.enter(holder(), "other")
    assert await watch.vigil.revoke("ada", "doc", None, Access.READ) == (0, 1)
    assert (ada.access, elsewhere.access, to_ada.closed) == (Access.READ, Access.WRITE, None)
    assert to_ada.take() == [encode_access("read")]


async def test_another_nodes_revocations_are_found_and_applied_once(watch: Watch) -> None:
    _, to_ada = await watch.enter(holder())
    at = datetime.fromtimestamp(watch.clock.now, UTC)
    await watch.bench.store.revocations.add(Revocation("r2", at, user="ada"))
    assert to_ada.closed is None
    watch.clock.pass_s(0.5)
    assert await watch.vigil.look() == (1, 0)
    assert to_ada.closed is not None
    _, to_fresh = await watch.enter(holder(issued_at=watch.clock.now))
    assert await watch.vigil.look() == (0, 0)
    assert to_fresh.closed is None


async def test_a_clock_that_was_set_forward_and_back_brings_nothing_back(watch: Watch) -> None:
    await watch.vigil.revoke("ada", None, None)
    watch.clock.pass_s(TEN_YEARS_S)
    await watch.vigil.look()
    assert watch.revocations.cap(holder(), None) is Access.WRITE  # far too old to matter
    watch.clock.pass_s(-TEN_YEARS_S)
    await watch.vigil.look()
    assert watch.revocations.cap(holder(), None) is Access.NONE


async def test_a_key_revoked_on_the_command_line_ends_what_it_opened(watch: Watch) -> None:
    keys = Keys(watch.bench.store.keys, watch.clock)
    key, _ = await keys.mint("backend", [Scope.DOCUMENTS_WRITE])
    _, direct = await watch.enter(holder("key", None, id=key.id, key_id=key.id))
    _, by_ticket = await watch.enter(holder("ticket", NOW - 5, key_id=key.id))
    _, another = await watch.enter(holder("ticket", NOW - 5, key_id="k3"))
    await keys.revoke(key.id)
    assert await watch.vigil.look() == (2, 0)
    assert direct.closed is not None and by_ticket.closed is not None and another.closed is None


async def test_an_open_node_closes_when_a_key_exists(watch: Watch) -> None:
    watch.openness.open = True
    _, anybody = await watch.enter(ANONYMOUS)
    assert await watch.vigil.look() == (0, 0)
    await Keys(watch.bench.store.keys, watch.clock).mint("first", [Scope.ADMIN])
    assert await watch.vigil.look() == (1, 0)
    assert not watch.openness.open
    assert anybody.closed is not None


async def test_a_database_that_is_away_ends_nothing_and_the_watch_goes_on(watch: Watch) -> None:
    class Away:
        async def add(self, revocation: Revocation) -> None:
            raise StorageUnavailable

        async def since(self, at: datetime) -> list[Revocation]:
            raise StorageUnavailable

        async def now(self) -> float | None:
            return None

    _, to_ada = await watch.enter(holder())
    vigil = Vigil(Away(), watch.bench.store.keys, watch.revocations, watch.openness, watch.bench.hub)
    with pytest.raises(StorageUnavailable):
        await vigil.revoke("ada", None, None)
    with pytest.raises(StorageUnavailable):
        await vigil.look()
    assert to_ada.closed is None
