"""What one user may cost this node, over all sockets: work, bytes, CRDT client ids.

A socket's own buckets start anew with each connection; these do not. While the node is open everybody is one user, so
each socket has an allowance of its own then.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from collab.core.bucket import Bucket
from collab.limits import Limits


class Allowance:
    """Buckets with the time passed in."""

    __slots__ = ("__weakref__", "bytes", "new_clients", "work")

    def __init__(self, limits: Limits) -> None:
        self.work = Bucket(limits.work_share, limits.work_burst_s)
        self.bytes = Bucket(limits.bytes_per_s, limits.bytes_burst)
        self.new_clients = Bucket(limits.user_new_clients_per_s, limits.user_new_clients)

    def is_full(self, now: float) -> bool:
        """True if nothing of it is used."""
        return self.work.is_full(now) and self.bytes.is_full(now) and self.new_clients.is_full(now)


class Allowances:
    """One per proven user; forgotten when nothing of it is used, and no session has it: it would use it unseen."""

    SWEPT_AT = 1_024

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._users: dict[str, Allowance] = {}
        self._known: WeakValueDictionary[str, Allowance] = WeakValueDictionary()
        self._sweep_at = self.SWEPT_AT

    def __len__(self) -> int:
        return len(self._users)

    def of(self, user: str, now: float) -> Allowance:
        """The user's, made if need be."""
        found = self._users.get(user)
        if found is None:
            if len(self._users) >= self._sweep_at:
                self._users = {name: each for name, each in self._users.items() if not each.is_full(now)}
                self._users.update(self._known)
                self._sweep_at = max(self.SWEPT_AT, 2 * len(self._users))
            found = self._users[user] = self._known[user] = Allowance(self._limits)
        return found
