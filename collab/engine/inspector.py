"""The gate in a child process, for updates that would hold up the server's event loop.

Children trust no bytes and bound their own CPU and memory. The server takes their word: they run our own codec, and
pycrdt is not touched by these calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from collab.crdt.checked import Checked
from collab.crdt.index import StateIndex
from collab.engine import summary
from collab.engine.child import Request
from collab.engine.lane import Lane

SMALL_BYTES = 256 * 1024  # what takes a fifth of a second at worst does not wait behind what takes ten


class ChildInspector:
    """Satisfies the Inspector port."""

    def __init__(self, small: Lane, large: Lane) -> None:
        self._small = small
        self._large = large

    async def check(self, update: bytes | memoryview, stored: bool = False) -> Checked:
        """Raises BadUpdate, EngineUnavailable, Overloaded."""
        value, blobs = await self._lane(update).call(Request("check", {"stored": stored}, [update]))
        return summary.decode(bytes(update), value, blobs)  # what is refused was never copied

    async def check_state_vector(self, vector: bytes | memoryview) -> dict[int, int]:
        """Raises BadUpdate, EngineUnavailable, Overloaded."""
        _, (clocks,) = await self._lane(vector).call(Request("check_state_vector", {}, [vector]))
        known: dict[int, int] = {}
        for some in summary.decoding_clocks(clocks):
            known.update(some)
            await asyncio.sleep(0)  # a vector may have half a million clients
        return known

    async def split(self, update: Checked, known: dict[int, int]) -> tuple[Checked | None, Checked | None]:
        """(ready, ahead)."""
        request = Request("split", {}, [update.raw, summary.encode_clocks(known)])
        ready, ahead = _parts(*await self._lane(update.raw).call(request))
        return ready, ahead

    async def without(self, update: Checked, clients: set[int]) -> Checked | None:
        """What is left."""
        request = Request("without", {"clients": sorted(clients)}, [update.raw])
        (rest,) = _parts(*await self._lane(update.raw).call(request))
        return rest

    async def only(self, update: Checked, client: int) -> Checked | None:
        """What is left of one client."""
        (rest,) = _parts(*await self._lane(update.raw).call(Request("only", {"client": client}, [update.raw])))
        return rest

    async def join(self, base: StateIndex | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        """(the state, its index)."""
        blobs = [] if base is None else [base.state, base.encode()]
        _, (state, index) = await self._large.call(Request("join", {"base": base is not None}, [*blobs, *updates]))
        return state, index

    def _lane(self, data: bytes | memoryview) -> Lane:
        return self._small if len(data) <= SMALL_BYTES else self._large


def _parts(values: list[list[int] | None], blobs: list[bytes]) -> list[Checked | None]:
    """Updates that a child cut: each its bytes, then its summary."""
    parts: list[Checked | None] = []
    for value in values:
        if value is None:
            parts.append(None)
        else:
            update, *about = blobs[:4]
            del blobs[:4]
            parts.append(summary.decode(update, value, about))
    return parts
