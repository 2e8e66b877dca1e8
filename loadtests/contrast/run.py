"""One run: people come, type, are measured for a while, stop; then everybody must hold what the server holds."""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from loadtests.contrast import usage
from loadtests.contrast.casting import Seat, seats
from loadtests.contrast.crowds import Crowd
from loadtests.contrast.origin import Origin
from loadtests.contrast.result import Result, Window
from loadtests.contrast.script import Script
from loadtests.contrast.shape import POLLING, Shape
from loadtests.contrast.stage import Stage, digests, lost

JOIN_S_MAX = 60.0
SETTLE_S_MAX = 60.0  # an overloaded server is late, which is measured, and not yet wrong
COMPARE_S_MAX = 45.0
WARM_S = 1.0
_runs = itertools.count()


class Void(Exception):
    """The run shows nothing: somebody ended with other content, or an edit was lost. The message says who."""


@dataclass(frozen=True)
class Troupe:
    """The two processes of people, and what they type."""

    load: Crowd
    probe: Crowd
    script: Script
    script_path: Path

    def each(self, do: str, **details: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Asks both at once."""
        self.load.tell(do, **details)
        self.probe.tell(do, **details)
        return self.load.hear(), self.probe.hear()


class Run:
    """A shape played on a server. `server` is its process id, if its usage can be read."""

    def __init__(self, shape: Shape, origin: Origin, troupe: Troupe, server: int | None) -> None:
        self.shape = shape
        self._troupe = troupe
        self._origin = origin
        self._server = server
        names = [f"run-{os.getpid()}-{next(_runs)}-{number}" for number in range(shape.documents)]
        self.stage = Stage(origin, names, troupe.script, shape.writers)
        self.idle_bytes = 0  # memory of the server before anybody came, documents loaded
        self.joined_bytes = 0
        self.join_s = 0.0

    def __enter__(self) -> Run:
        """Prepares the documents and lets everybody in. Raises Void if somebody cannot get in."""
        self.stage.set(self.shape.document_bytes)
        self.idle_bytes = self._memory()
        load, probes = seats(self.shape)
        plan: dict[str, Any] = {
            "shape": self.shape.as_dict(),
            "documents": self.stage.documents,
            "origin": asdict(self._origin),
            "script": str(self._troupe.script_path),
            "within_s": JOIN_S_MAX,
        }
        self._troupe.load.tell("join", seats=[astuple(seat) for seat in load], **plan)
        self._troupe.probe.tell("join", seats=[astuple(seat) for seat in probes], **plan)
        for crowd in (self._troupe.load, self._troupe.probe):
            told = crowd.hear()
            self.join_s = max(self.join_s, told["took_s"])
            if told["joined"] < told["of"]:
                raise Void(
                    f"{told['of'] - told['joined']} of {told['of']} did not get in: {crowd.ask('log')['faults']}"
                )
        self.joined_bytes = self._memory()
        return self

    def __exit__(self, *_: object) -> None:
        self._troupe.each("leave")
        self.stage.strike()

    def play(self, window_s: float, warm_s: float = WARM_S) -> Result:
        """Measures one window of typing. Raises Void."""
        self.type()
        time.sleep(warm_s)
        before = self.mark()
        time.sleep(window_s)
        after = self.mark()
        self.check()
        logs = self._troupe.each("log")
        window = Window.between(before, after)
        return Result.of(self.shape, window, logs, self.joined_bytes - self.idle_bytes, self.join_s)

    def follow(self, server: int) -> None:
        """The server has another process id now."""
        self._server = server

    def type(self) -> None:
        """Lets the writers begin."""
        self._troupe.each("type")

    def mark(self) -> dict[str, Any]:
        """All counters of both sides and of the server, now."""
        load, probe = self._troupe.each("mark")
        return {
            "load": load,
            "probe": probe,
            "server_cpu_s": usage.cpu_s(self._server) if self._server else 0.0,
            "at_s": time.monotonic(),
        }

    def check(self, within_s: float = COMPARE_S_MAX) -> float:
        """Stops the typing; everybody's content must become the server's, and that what was typed. Raises Void.

        Returns when (time.monotonic) the last one was equal.
        """
        told = self._troupe.each("settle", within_s=SETTLE_S_MAX)
        texts = self.stage.read()
        gone = lost(self._troupe.script, texts, [writer for each in told for writer in each["writers"]])
        if gone:
            raise Void(f"{len(gone)} writers lost edits; {gone[0]}")
        waits = within_s + (3 * self.shape.interval_s if self.shape.kind in POLLING else 0.0)
        compared = self._troupe.each("compare", digests=digests(texts), within_s=waits)
        differ = sum(each["differ"] for each in compared)
        if differ:
            raise Void(f"{differ} of {self.shape.users} people ended with another content than the server")
        return max(float(each["at_s"]) for each in compared)

    def _memory(self) -> int:
        return usage.memory_bytes(self._server) if self._server else 0


def astuple(seat: Seat) -> tuple[int, int, bool]:
    """As it travels to a crowd."""
    return seat.document, seat.section, seat.watched


def quieter(shape: Shape, users: int) -> Shape:
    """The same with other people; documents stay full."""
    return replace(shape, users=max(shape.members, users // shape.members * shape.members))
