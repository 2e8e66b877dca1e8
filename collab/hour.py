"""The last hour of this node's figures, sampled every few seconds: for plots without a service beside it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping

SAMPLE_S = 5.0
KEPT = 720  # an hour

Read = Callable[[], Mapping[str, float]]


class Hour:
    """A ring of samples. What only grows is kept as a rate, by its name with `_per_s` behind it."""

    def __init__(
        self,
        read: Read,
        growing: frozenset[str],
        clock: Callable[[], float] = time.time,
        sample_s: float = SAMPLE_S,
    ) -> None:
        """`read` gives everything that is sampled; `growing` names those that only grow; `clock`: Unix seconds."""
        self.sample_s = sample_s
        self._read = read
        self._growing = growing
        self._clock = clock
        self._samples: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=KEPT)
        self._before: tuple[float, Mapping[str, float]] | None = None

    async def run(self) -> None:
        """Forever, until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(self.sample_s)

    def sample(self) -> None:
        """Takes one sample now; the first one is only what rates are reckoned from."""
        at, now = self._clock(), self._read()
        if self._before is not None:
            since, before = self._before
            span_s = max(at - since, 1e-6)
            self._samples.append((at, {self._name(k): self._value(k, v, before, span_s) for k, v in now.items()}))
        self._before = (at, now)

    def series(self) -> tuple[list[float], dict[str, list[float]]]:
        """(times in Unix seconds, values by name), oldest first."""
        names = self._samples[-1][1] if self._samples else {}
        return [at for at, _ in self._samples], {
            name: [sample.get(name, 0.0) for _, sample in self._samples] for name in names
        }

    def _name(self, name: str) -> str:
        return f"{name}_per_s" if name in self._growing else name

    def _value(self, name: str, value: float, before: Mapping[str, float], span_s: float) -> float:
        return (value - before.get(name, value)) / span_s if name in self._growing else value
