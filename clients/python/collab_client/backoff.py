"""How long to wait before the next try: longer each time, and never the same for all."""

from __future__ import annotations

import random


class Backoff:
    """Full jitter: anything up to `first_s` · 2ⁿ, at most `longest_s`, so that a restarted server is not stormed.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, first_s: float = 0.5, longest_s: float = 30.0) -> None:
        self.first_s = first_s
        self.longest_s = longest_s
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait now."""
        bound = min(self.longest_s, self.first_s * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return random.uniform(0.0, bound)

    def reset(self) -> None:
        """It worked: the next trouble begins small."""
        self._tries = 0
