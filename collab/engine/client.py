"""The engine: content work and folding in child processes, so that whatever happens there costs one call."""

from __future__ import annotations

from collections.abc import Sequence

from collab.engine.child import Request
from collab.engine.counters import EngineCounters
from collab.engine.lane import Lane
from collab.engine.spawner import Spawner

GIB = 1024**3
FOLD_NICENESS = 10  # folding can wait; sockets cannot


class Engine:
    """Two lanes of worker processes: short content calls never wait behind a long fold.

    Every call raises EngineUnavailable when its worker died, hung or ran out of memory, and Overloaded when too many
    calls wait. Parts are updates that passed the gate: a base state, then what came later, in order.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        memory_bytes_max: int = 2 * GIB,
        call_s_max: float = 20.0,
        fold_s_max: float = 120.0,
        waiting_max: int = 64,
    ) -> None:
        """`memory_bytes_max` bounds each worker's address space; Python and its libraries take about 0.1 GiB of it."""
        self.counters = EngineCounters()
        self.spawner = Spawner(self.counters)
        self.content = Lane(
            self.spawner,
            self.counters,
            workers=workers,
            waiting_max=waiting_max,
            call_s_max=call_s_max,
            memory_bytes_max=memory_bytes_max,
        )
        self.folding = Lane(
            self.spawner,
            self.counters,
            workers=1,
            waiting_max=waiting_max,
            call_s_max=fold_s_max,
            memory_bytes_max=memory_bytes_max,
            niceness=FOLD_NICENESS,
        )

    async def start(self) -> None:
        """Starts all workers. Raises EngineUnavailable."""
        await self.content.warm()
        await self.folding.warm()

    async def close(self) -> None:
        """Ends all workers; calls under way should be over."""
        await self.content.close()
        await self.folding.close()
        await self.spawner.close()

    async def ping(self) -> None:
        """Goes once through a content worker."""
        await self.content.call(Request("echo", {}, []))

    async def fold(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        """The state of `base`, an earlier fold, and the updates; and its index. Checked to hold all of them.

        Raises BadUpdate if one of them is no update, or the result lacks something.
        """
        blobs = [*([] if base is None else [base]), *updates]
        _, (state, index) = await self.folding.call(Request("fold", {"base": base is not None}, blobs))
        return state, index
