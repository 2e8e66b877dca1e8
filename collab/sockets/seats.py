"""How many sockets one user and one address have open on this node."""

from __future__ import annotations

from collections import Counter

from collab.auth.proxies import subject
from collab.errors import Overloaded
from collab.limits import Limits
from collab.types import Principal


class Seats:
    """Taken when a socket is admitted, given back when it is gone. Everybody is one user while the node is open, so
    users are told apart only when they have proven who they are."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken.total()

    def take(self, principal: Principal, address: str) -> tuple[str, ...]:
        """Returns what `give_back` wants. Raises Overloaded."""
        ceilings = {f"a{subject(address)}": self.limits.sessions_per_address_max}
        if principal.kind != "open":
            ceilings[f"u{principal.id}"] = self.limits.sessions_per_user_max
        for name, most in ceilings.items():
            if most and self._taken[name] >= most:
                raise Overloaded("too many connections of one user or address")
        seat = tuple(ceilings)
        self._taken.update(seat)
        return seat

    def give_back(self, seat: tuple[str, ...]) -> None:
        """Forgets names with nothing left."""
        for name in seat:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
