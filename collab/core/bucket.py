"""A token bucket with the time passed in."""

from __future__ import annotations

from functools import lru_cache

NEVER = float("-inf")


@lru_cache(256)  # each session has several of a few kinds: they share the numbers
def _seconds(per_s: float, burst: float) -> tuple[float, float]:
    """Seconds that a token takes, and a burst; 0.0 for no limit."""
    token_s = 1.0 / per_s if per_s > 0.0 else 0.0
    return token_s, burst * token_s


class Bucket:
    """Holds up to `burst` tokens, refilled at `per_s`; per_s 0 means no limit.

    All it remembers is when it will be full again (the generic cell rate algorithm), so nothing has to be refilled
    and no idle time can lend more than one burst.
    """

    __slots__ = ("_burst_s", "_full_at", "_token_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._token_s, self._burst_s = _seconds(per_s, burst)
        self._full_at = NEVER

    def take(self, now: float, tokens: float = 1.0) -> float:
        """Takes tokens and returns 0.0, or returns the seconds until they would be there and takes them on credit.

        Credit is what lets a reader be slowed instead of refused: it pauses for the returned time.
        """
        token_s = self._token_s
        if token_s == 0.0:
            return 0.0
        full_at = self._full_at
        if full_at < now:
            full_at = now
        self._full_at = full_at = full_at + tokens * token_s
        debt_s = full_at - now - self._burst_s
        return debt_s if debt_s > 1e-9 else 0.0

    def debt_s(self, now: float) -> float:
        """Seconds until nothing is owed any more; takes nothing."""
        return max(0.0, self._full_at - now - self._burst_s) if self._token_s else 0.0

    def is_full(self, now: float) -> bool:
        """True if it need not be remembered: a new one would be the same."""
        return self._full_at <= now
