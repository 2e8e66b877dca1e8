"""What a connection shows at the door: a ticket, a token or a key, fetched afresh for every try."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable

from collab_client.models import Ticket

Secret = str | Ticket
Source = Secret | Callable[[], Secret | Awaitable[Secret]]
"""A secret, or a function (plain or async) that fetches one. Tickets open one socket only, so a connection that is
to come back by itself needs the function; a token or key may be given as it is."""

OPENS_S = 60.0  # from the making of a ticket to its `opens_until`; so a session's length needs no right clock here
RENEW_PAUSE_S = 0.25  # at least, however short a session is
RENEW_AT = 0.8  # share of a session's life after which it asks for a fresh ticket


@dataclass(frozen=True, slots=True)
class Permit:
    """A secret, and what is known of it."""

    secret: str | None
    access: str | None = None
    life_s: float | None = None

    @property
    def renew_in_s(self) -> float | None:
        """When to fetch the next one; None if it is not known to end."""
        return None if self.life_s is None else max(RENEW_PAUSE_S, self.life_s * RENEW_AT)


async def fetch(source: Source | None) -> Permit:
    """Asks the source. Raises whatever its function raises."""
    found = source() if callable(source) else source
    given: Secret | None = await found if isawaitable(found) else found
    if isinstance(given, Ticket):
        return Permit(given.ticket, given.access, (given.ends_at - given.opens_until).total_seconds() + OPENS_S)
    return Permit(given)
