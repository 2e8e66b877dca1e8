"""The contract of TicketStore in the database: kept, used once, forgotten."""

from __future__ import annotations

import asyncio

from collab.auth.base import Ticket
from collab.store.open import Store
from collab.types import Access

TICKET = Ticket("team/döc", Access.COMMENT, "u", "Ada", "#d33", 1_800_000_000.5, 1_800_003_600.0, "key-1")


async def test_of_many_takers_at_once_one_gets_the_ticket(store: Store) -> None:
    await store.tickets.put(b"digest", TICKET, 60.0)
    taken = await asyncio.gather(*(store.tickets.take(b"digest") for _ in range(8)))
    assert [ticket for ticket in taken if ticket is not None] == [TICKET]


async def test_what_nobody_made_and_what_is_too_old_is_not_there(store: Store) -> None:
    assert await store.tickets.take(b"unknown") is None
    await store.tickets.put(b"old", TICKET, -1.0)
    assert await store.tickets.take(b"old") is None


async def test_old_tickets_go_when_new_ones_come(store: Store) -> None:
    for number in range(3):
        await store.tickets.put(bytes([number]), TICKET, -1.0)
    await store.tickets.put(b"new", TICKET, 60.0)
    left = await store.database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM ticket").scalar_one())
    assert left == 1
