"""What the engine did, as plain integers."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class EngineCounters:
    """Metrics read them; only the event loop's thread adds to them. All only grow."""

    calls: int = 0
    busy_us: int = 0  # from sending a call to its answer, over all calls
    deaths: int = 0  # children that ended without being told to, whatever killed them
    timeouts: int = 0  # children killed because a call took too long
    retries: int = 0  # calls repeated because their child had died of something else
    refused: int = 0  # calls not taken: queue full, or a document that has killed too many children
    children_started: int = 0
    forkers_started: int = 0

    def items(self) -> list[tuple[str, int]]:
        """(name, value) of each."""
        return [(f.name, getattr(self, f.name)) for f in fields(self)]
