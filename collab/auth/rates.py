"""How much REST takes from one key, one user and one address, and what callers are told about it.

429 with Retry-After, and on every answer the RateLimit and RateLimit-Policy fields of
draft-ietf-httpapi-ratelimit-headers (10 and later). Sockets have their own buckets (core/bucket.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from limits import RateLimitItemPerSecond
from limits.aio.storage.base import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from collab.auth.windows import WindowCounters
from collab.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `amount` within any `period_s` seconds."""

    amount: int
    period_s: int


DEFAULT_RATES: Mapping[str, Rate] = {
    "address": Rate(6_000, 60),  # a whole office behind one address
    "user": Rate(1_200, 60),
    "key": Rate(30_000, 60),  # a backend that speaks for all its users
    "streams": Rate(1_200, 60),  # sockets and event streams opened from one address: an office after a restart
    # Wrong credentials from one address. Secrets have 256 bits: this saves work, it does not stop guessing, and three
    # tabs with a stale token must not lock their office out.
    "failures": Rate(600, 60),
}


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of one rate. `reset_s`: when more is there again, rounded up."""

    name: str
    rate: Rate
    remaining: int
    reset_s: int


class Rates:
    """Counts per kind of subject; the storage decides whether per node (memory) or for all of them (Redis)."""

    def __init__(self, rates: Mapping[str, Rate] = DEFAULT_RATES, storage: Storage | None = None) -> None:
        """`storage`: any of `limits.aio.storage` that knows sliding windows."""
        counters = WindowCounters() if storage is None else storage
        if not isinstance(counters, SlidingWindowCounterSupport):
            raise TypeError(f"{type(counters).__name__} cannot count in sliding windows")
        self._counters: SlidingWindowCounterSupport = counters
        self._limiter = SlidingWindowCounterRateLimiter(counters)
        self._rates = dict(rates)
        self._items = {name: RateLimitItemPerSecond(r.amount, r.period_s, "collab") for name, r in rates.items()}

    async def spend(self, subjects: Mapping[str, str], cost: int = 1) -> list[Quota]:
        """Takes from each kind's subject, {"address": …, "user": …}; those without a rate are let pass.

        Raises RateLimited (extra: `retry_after_s`, `headers`) at the first that has not enough left.
        """
        quotas = []
        for name, subject in subjects.items():
            if name in self._items:
                taken = await self._limiter.hit(self._items[name], name, subject, cost=cost)
                quotas.append(await self._quota(name, subject, cost))
                if not taken:
                    raise _limited(quotas)
        return quotas

    async def check(self, subjects: Mapping[str, str]) -> None:
        """Takes nothing. Raises RateLimited if there is nothing to take."""
        for name, subject in subjects.items():
            if name in self._items and not await self._limiter.test(self._items[name], name, subject):
                raise _limited([await self._quota(name, subject, 1)])

    async def _quota(self, name: str, subject: str, cost: int) -> Quota:
        rate, key = self._rates[name], self._items[name].key_for(name, subject)
        previous, left_s, current, ends_s = await self._counters.get_sliding_window(key, rate.period_s)
        used = previous * left_s / rate.period_s + current
        remaining = max(0, rate.amount - floor(used))
        return Quota(name, rate, remaining, _wait_s(rate, cost, previous, left_s, current, ends_s))


def headers(quotas: Sequence[Quota]) -> dict[str, str]:
    """The fields for an answer, refused or not; nothing if nothing was counted."""
    if not quotas:
        return {}
    return {
        "RateLimit-Policy": ", ".join(f'"{q.name}";q={q.rate.amount};w={q.rate.period_s}' for q in quotas),
        "RateLimit": ", ".join(f'"{q.name}";r={q.remaining};t={q.reset_s}' for q in quotas),
    }


def _limited(quotas: list[Quota]) -> RateLimited:
    wait_s = quotas[-1].reset_s
    return RateLimited(retry_after_s=wait_s, headers={"Retry-After": str(wait_s), **headers(quotas)})


def _wait_s(rate: Rate, cost: int, previous: int, left_s: float, current: int, ends_s: float) -> int:
    """Seconds, rounded up, until `cost` more fit if nobody takes meanwhile; 1 if they fit now.

    The count falls as the previous window fades; once the current one has ended, it fades in its place.
    """
    room = rate.amount - cost + 1  # floor(used) + cost <= amount as long as used < room
    if current < room:
        over = previous * left_s / rate.period_s + current - room
        return max(1, ceil(over * rate.period_s / previous + 1e-6) if previous else 1)
    fades_s = rate.period_s * (1 - room / current) if current else 0.0
    return max(1, ceil(ends_s - rate.period_s + fades_s + 1e-6))
