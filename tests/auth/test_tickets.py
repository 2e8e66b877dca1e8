"""Tickets: one use, one minute, one document, one user."""

from __future__ import annotations

import asyncio

import pytest

from collab.auth import opaque
from collab.auth.base import Ticket
from collab.auth.policy import GrantPolicy
from collab.auth.tickets import OPEN_S, SESSION_S_MAX, MemoryTickets, Tickets, User
from collab.errors import Overloaded, Unauthorized, Unprocessable
from collab.types import Access, Principal
from tests.auth.clock import Clock

BY = Principal("key-1", "key", key_id="key-1")
ADA = User("user-1", "Ada", "#ff8800")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tickets(clock: Clock) -> Tickets:
    return Tickets(MemoryTickets(clock=clock), clock)


async def test_a_ticket_speaks_for_its_user_on_its_document(tickets: Tickets, clock: Clock) -> None:
    secret, _ = await tickets.mint(BY, "team-a/*", Access.COMMENT, ADA, 120.0)
    principal = await tickets.who(secret)
    assert (principal.id, principal.name, principal.color) == ("user-1", "Ada", "#ff8800")
    assert (principal.kind, principal.key_id, principal.expires_at) == ("ticket", "key-1", clock.now + 120.0)
    assert GrantPolicy().may(principal, "team-a/*") is Access.COMMENT
    assert GrantPolicy().may(principal, "team-a/x") is Access.NONE
    assert principal.scopes == frozenset()


async def test_a_ticket_opens_once(tickets: Tickets) -> None:
    secret, _ = await tickets.mint(BY, "doc", Access.READ, ADA)
    await tickets.who(secret)
    with pytest.raises(Unauthorized):
        await tickets.who(secret)


async def test_of_ten_thousand_races_each_has_one_winner(tickets: Tickets) -> None:
    async def wins(secret: str) -> bool:
        try:
            await tickets.who(secret)
        except Unauthorized:
            return False
        return True

    for _ in range(100):
        minted = [(await tickets.mint(BY, "doc", Access.READ, ADA))[0] for _ in range(100)]
        races = await asyncio.gather(*(asyncio.gather(*(wins(secret) for _ in range(3))) for secret in minted))
        assert [sum(race) for race in races] == [1] * 100


async def test_a_ticket_waits_a_minute(tickets: Tickets, clock: Clock) -> None:
    early, late = [(await tickets.mint(BY, "doc", Access.READ, ADA))[0] for _ in range(2)]
    assert OPEN_S <= 60.0
    clock.pass_s(OPEN_S - 0.1)
    await tickets.who(early)
    clock.pass_s(0.1)
    with pytest.raises(Unauthorized):
        await tickets.who(late)


async def test_its_session_may_end_before_it_is_opened(tickets: Tickets, clock: Clock) -> None:
    secret, _ = await tickets.mint(BY, "doc", Access.READ, ADA, 10.0)
    clock.pass_s(10.0)
    with pytest.raises(Unauthorized):
        await tickets.who(secret)


async def test_no_session_outlives_the_one_who_minted_it(tickets: Tickets, clock: Clock) -> None:
    by = Principal("k", "key", expires_at=clock.now + 30.0)
    _, ticket = await tickets.mint(by, "doc", Access.READ, ADA, 3600.0)
    assert ticket.ends_at == clock.now + 30.0


async def test_the_secret_is_not_what_is_kept(clock: Clock) -> None:
    store = MemoryTickets(clock=clock)
    secret, _ = await Tickets(store, clock).mint(BY, "doc", Access.READ, ADA)
    assert opaque.is_shaped(secret, "ct_")
    assert await store.take(secret.encode()) is None
    assert await store.take(opaque.digest(secret)) is not None


@pytest.mark.parametrize("secret", ["", "ct_", "ct_" + "a" * 43, "ck_" + "a" * 43, "x" * 5000, "ct_" + "\u00e9" * 43])
async def test_what_was_never_minted_is_refused(tickets: Tickets, secret: str) -> None:
    with pytest.raises(Unauthorized):
        await tickets.who(secret)


@pytest.mark.parametrize(
    ("access", "user", "expires_in_s"),
    [
        (Access.NONE, ADA, 60.0), (Access.READ, User(""), 60.0), (Access.READ, User("u", "\u202e"), 60.0),
        (Access.READ, User("u", None, "red"), 60.0), (Access.READ, ADA, 0.0), (Access.READ, ADA, -1.0),
        (Access.READ, ADA, SESSION_S_MAX + 1), (Access.READ, ADA, float("nan")), (Access.READ, ADA, float("inf")),
    ],
)  # fmt: skip
async def test_tickets_that_make_no_sense_are_not_minted(
    tickets: Tickets, access: Access, user: User, expires_in_s: float
) -> None:
    with pytest.raises(Unprocessable):
        await tickets.mint(BY, "doc", access, user, expires_in_s)


async def test_memory_is_bounded_and_freed_by_time(clock: Clock) -> None:
    store = MemoryTickets(held_max=3, clock=clock)
    ticket = Ticket("doc", Access.READ, "u", None, None, 0.0, 0.0)
    for number in range(3):
        await store.put(bytes([number]), ticket, 60.0)
        clock.pass_s(1.0)
    with pytest.raises(Overloaded):
        await store.put(b"more", ticket, 60.0)
    clock.pass_s(57.0)
    await store.put(b"more", ticket, 60.0)
    assert len(store) == 3
    assert await store.take(bytes([0])) is None
    assert await store.take(bytes([1])) == ticket
