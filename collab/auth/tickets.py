"""Tickets: permission to open one socket, minted over the authenticated REST session and used up by opening it.

What travels is 256 random bits; what it means stays on the server under its sha256, so a ticket in a log or a browser
history is worth nothing a moment later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from collab.auth import opaque
from collab.auth.base import Ticket, TicketStore
from collab.core.user import check_user
from collab.errors import Overloaded, Unauthorized, Unprocessable
from collab.types import Access, DocumentId, Grant, Principal

OPEN_S = 60.0  # from minting to opening: a page load on a bad line
SESSION_S = 3_600.0
SESSION_S_MAX = 86_400.0
HELD_MAX = 100_000  # 60 s of 1,600 tickets a second; 50 MB


@dataclass(frozen=True, slots=True)
class User:
    """Whom a ticket speaks for, as others will see them."""

    id: str
    name: str | None = None
    color: str | None = None


class Tickets:
    """Mints tickets and takes them back, once."""

    def __init__(self, store: TicketStore, clock: Callable[[], float] = time.time) -> None:
        """`clock`: Unix seconds."""
        self._store = store
        self._clock = clock

    async def mint(
        self,
        by: Principal,
        document: DocumentId,
        access: Access,
        user: User,
        expires_in_s: float = SESSION_S,
    ) -> tuple[str, Ticket]:
        """Returns the secret and what it stands for. Raises Unprocessable, Overloaded.

        Whether `by` may do so is decided before (auth/policy.py): a scope to speak for others, and at least `access`
        on the document. The session that the ticket opens ends after `expires_in_s`, and no later than `by` does.
        """
        check_user(user.id, user.name, user.color)
        if access is Access.NONE or not 0.0 < expires_in_s <= SESSION_S_MAX:
            raise Unprocessable(f"a ticket gives some access, for at most {SESSION_S_MAX:.0f} seconds")
        now = self._clock()
        ends_at = now + expires_in_s if by.expires_at is None else min(now + expires_in_s, by.expires_at)
        ticket = Ticket(document, access, user.id, user.name, user.color, now + OPEN_S, ends_at, by.key_id)
        secret = opaque.mint(opaque.TICKET)
        await self._store.put(opaque.digest(secret), ticket, OPEN_S)
        return secret, ticket

    async def who(self, secret: str) -> Principal:
        """Uses the ticket up, whatever comes of it. Raises Unauthorized if unknown, used before or too old."""
        ticket = await self._store.take(opaque.digest(secret)) if opaque.is_shaped(secret, opaque.TICKET) else None
        now = self._clock()
        if ticket is None or now >= min(ticket.opens_until, ticket.ends_at):
            raise Unauthorized
        return Principal(
            id=ticket.user_id,
            kind="ticket",
            name=ticket.user_name,
            color=ticket.user_color,
            key_id=ticket.key_id,
            expires_at=ticket.ends_at,
            grants=(Grant(ticket.document, ticket.access, exact=True),),
            issued_at=ticket.opens_until - OPEN_S,
        )


class MemoryTickets:
    """Satisfies TicketStore for one node: a dictionary, oldest first, bounded."""

    def __init__(self, held_max: int = HELD_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self._held: dict[bytes, tuple[float, Ticket]] = {}
        self._held_max = held_max
        self._clock = clock

    def __len__(self) -> int:
        return len(self._held)

    async def put(self, digest: bytes, ticket: Ticket, ttl_s: float) -> None:
        """Forgets what is too old first; they were put with one ttl, so the oldest go first."""
        now = self._clock()
        while self._held and next(iter(self._held.values()))[0] <= now:
            del self._held[next(iter(self._held))]
        if len(self._held) >= self._held_max:
            raise Overloaded("too many tickets wait to be used")
        self._held[digest] = (now + ttl_s, ticket)

    async def take(self, digest: bytes) -> Ticket | None:
        """Plain dictionary work with no await in it: nobody can come between."""
        until, ticket = self._held.pop(digest, (0.0, None))
        return ticket if ticket is not None and self._clock() < until else None
