"""A token bucket with the time passed in."""

from __future__ import annotations


class Bucket:
    """Holds up to `burst` tokens, refilled at `per_s`; per_s 0 means no limit."""

    __slots__ = ("_at", "_tokens", "burst", "per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self.per_s = per_s
        self.burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float, tokens: float = 1.0) -> float:
        """Takes tokens and returns 0.0, or returns the seconds until they would be there and takes them on credit.

        Credit is what lets a reader be slowed instead of refused: it pauses for the returned time.
        """
        if self.per_s <= 0.0:
            return 0.0
        if self._at is None:
            self._at = now
        self._tokens -= tokens
        if self._tokens >= 0.0:
            return 0.0
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_s)
        self._at = now
        return 0.0 if self._tokens >= 0.0 else -self._tokens / self.per_s
