"""The engine: content work and folding in child processes, so that whatever happens there costs one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collab.engine.child import Request, encode_json
from collab.engine.counters import EngineCounters
from collab.engine.inspector import ChildInspector
from collab.engine.lane import Lane
from collab.engine.spawner import Spawner

GIB = 1024**3
FOLD_NICENESS = 10  # folding can wait; sockets cannot
GATE_NICENESS = 5  # of the gate for large updates


@dataclass(frozen=True, slots=True)
class Content:
    """One root of a document in one format; `body` is ready to be sent."""

    root: str
    type: str
    format: str
    media_type: str
    body: bytes


class Engine:
    """Lanes of worker processes: short content calls never wait behind a long fold, nor the gate behind either.

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

        self.gates = [
            Lane(
                self.spawner,
                self.counters,
                workers=1,
                waiting_max=waiting_max,
                call_s_max=call_s_max,
                memory_bytes_max=memory_bytes_max,
                niceness=niceness,
            )
            for niceness in (0, GATE_NICENESS)
        ]
        self.inspector = ChildInspector(*self.gates)

    async def start(self) -> None:
        """Starts all workers. Raises EngineUnavailable."""
        for lane in self._lanes():
            await lane.warm()

    def _lanes(self) -> tuple[Lane, ...]:
        return self.content, self.folding, *self.gates

    async def close(self) -> None:
        """Ends all workers; calls under way should be over."""
        for lane in self._lanes():
            await lane.close()
        await self.spawner.close()

    async def ping(self) -> None:
        """Goes once through a content worker."""
        await self.content.call(Request("echo", {}, []))

    async def fold(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        """The state of `base`, an earlier fold, and the updates; and its index. Checked to hold all of them.

        Raises BadUpdate if one of them is no update, or the result lacks something.
        """
        return await _fold(self.folding, base, updates)

    async def fold_now(self, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        """The same for somebody who waits: at the priority, and in the time, of content work."""
        return await _fold(self.content, base, updates)

    async def condense(self, updates: Sequence[bytes], whole: bool) -> bytes:
        """One small update for a stretch of a log; `whole` if it begins where the log does. Raises as `fold`."""
        _, (update,) = await self.folding.call(Request("condense", {"whole": whole}, list(updates)))
        return update

    async def roots(self, parts: Sequence[bytes]) -> dict[str, str]:
        """Names of roots, ascending, to "text", "map", "array", "xml", or "unknown" if nothing is left in it."""
        found, _ = await self._do("roots", parts)
        return dict(found)

    async def read(
        self, parts: Sequence[bytes], root: str | None = None, type: str | None = None, format: str | None = None
    ) -> Content:
        """One root: the only one if none is named, of the type that its bytes tell, in its type's own format.

        Formats: a text as "text" (plain) or "json" (Quill delta); a map or array as "json"; XML as "json"
        (ProseMirror's), "xml" or "text". Raises NotFound, or Unprocessable for what does not fit.
        """
        about, (body,) = await self._do("show", parts, root=root, type=type, format=format)
        return Content(**about, body=body)

    async def read_all(self, parts: Sequence[bytes]) -> bytes:
        """All roots that hold something, as a JSON object: name to type and content."""
        _, (body,) = await self._do("show_all", parts)
        return body

    async def content_hash(self, parts: Sequence[bytes]) -> str:
        """SHA-256, in hex, of all that can be read; equal for equal content however it came about."""
        found, _ = await self._do("content_hash", parts)
        return str(found)

    async def diff(self, before: Sequence[bytes], after: Sequence[bytes], root: str | None = None) -> bytes:
        """What changed, as a JSON object: root to type, hunks and unified diff. Raises NotFound."""
        _, (body,) = await self._do("diff", [*before, *after], before=len(before), root=root)
        return body

    async def write(
        self,
        parts: Sequence[bytes],
        client_id: int,
        body: bytes,
        root: str | None = None,
        type: str | None = None,
        format: str | None = None,
    ) -> bytes | None:
        """The update, written by `client_id`, that makes a root what the body says; None if it is that already.

        The same `client_id` must not make two updates from the same parts: their clocks would be the same. Formats
        and errors as for `read`; a root that is not there yet needs its type.
        """
        asked = {"client_id": client_id, "root": root, "type": type, "format": format}
        return await self._edit("write", [*parts, body], asked)

    async def patch(self, parts: Sequence[bytes], client_id: int, operations: Sequence[Any]) -> bytes | None:
        """The update that does all operations of a list (engine/patch.py); None if they change nothing.

        Raises Unprocessable with the operation's `index` in `extra`; nothing is done then.
        """
        return await self._edit("patch", [*parts, encode_json(operations)], {"client_id": client_id})

    async def restore(self, parts: Sequence[bytes], client_id: int, snapshot: bytes) -> bytes | None:
        """The update that makes all content what it was in a snapshot; None if it is that already."""
        return await self._edit("restore", [*parts, snapshot], {"client_id": client_id})

    async def _do(self, call: str, blobs: Sequence[bytes], **args: Any) -> tuple[Any, list[bytes]]:
        return await self.content.call(Request(call, args, blobs))

    async def _edit(self, call: str, blobs: Sequence[bytes], args: Mapping[str, Any]) -> bytes | None:
        _, updates = await self._do(call, blobs, **args)
        return updates[0] if updates else None


async def _fold(lane: Lane, base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
    blobs = [*([] if base is None else [base]), *updates]
    _, (state, index) = await lane.call(Request("fold", {"base": base is not None}, blobs))
    return state, index
