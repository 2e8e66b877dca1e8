"""The whole study: section after section until the time is over; every run is kept as soon as it is made."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2

from loadtests.contrast import tokens, usage
from loadtests.contrast.archive import Archive
from loadtests.contrast.crowds import Crowd, CrowdFailed
from loadtests.contrast.host import Host
from loadtests.contrast.origin import Origin
from loadtests.contrast.plan import Pace, Point, middle_of
from loadtests.contrast.run import Run, Troupe, Void, quieter
from loadtests.contrast.script import Script
from loadtests.contrast.shape import KINDS, POLLING, Shape
from loadtests.contrast.stage import NotPrepared
from loadtests.contrast.storm import restart
from loadtests.fanout.server import DiedAtStart

BROKEN = (CrowdFailed, NotPrepared, DiedAtStart, httpx2.HTTPError, OSError, subprocess.SubprocessError)
INTERVALS_MIN = 2.0  # a window sees each poller come round this often
EDITS_MIN, EDITS_S_MIN, SLOW_S_MAX = 30, 0.01, 12.0  # slow typists are watched for longer
IDLE_S = 3.0
KEEPALIVE_S = 15.5  # the server speaks to idle sockets every 15 s
LIMITS_MS = (200, 1_000)
POLL_SHARE = 0.75  # of the staleness allowed; the rest is for the server's answer
LIMIT_USERS_MAX = 4_000
SAFETY = 0.75  # where the search for the highest load starts, as a share of what the middle's cost promises
STEP = 1.4
LOAD_NICENESS = 5  # the probe, on the same core, goes first


@dataclass
class Study:
    """Runs the sections. `host` is None when a server of the caller's own is studied: its usage stays unknown."""

    archive: Archive
    script: Script
    pace: Pace
    deadline_s: float  # of time.monotonic()
    say: Callable[[str], None]
    server_core: int = 0
    people_core: int = 1

    def __enter__(self) -> Study:
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="contrast-script-")))
        self.script.save(self._folder / "script.json")
        self.troupe = self._gather()
        return self

    def __exit__(self, *_: object) -> None:
        self._disperse()
        self._stack.close()

    def _gather(self) -> Troupe:
        load, probe = Crowd(self.people_core, LOAD_NICENESS), Crowd(self.people_core)
        return Troupe(load, probe, self.script, self._folder / "script.json")

    def _disperse(self) -> None:
        self.troupe.load.stop()
        self.troupe.probe.stop()

    # --- one thing

    def attempt(self, key: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """Does a piece of work unless it is done or the time is over; what goes wrong is kept as well."""
        if self.archive.has(key):
            return self.archive.rows[key]
        if time.monotonic() >= self.deadline_s:
            self.archive.facts.setdefault("skipped", []).append(key)
            return None
        row: dict[str, Any]
        try:
            row = work()
        except Void as error:
            row = {"void": str(error)}
        except BROKEN as error:
            row = {"void": f"{type(error).__name__}: {error}"[:300]}
            self._disperse()
            self.troupe = self._gather()
        self.archive.put(key, row)
        self.say(f"{key}: {in_words(row)}")
        return None if "void" in row else row

    def play(self, shape: Shape, origin: Origin, server: int | None, window_s: float | None = None) -> dict[str, Any]:
        """One measured run."""
        span_s = window_s or self.pace.window_s
        if shape.kind in POLLING:
            span_s = max(span_s, INTERVALS_MIN * shape.interval_s)
        elif shape.offered_s <= EDITS_S_MIN and self.pace.name == "full":
            span_s = max(span_s, KEEPALIVE_S)
        if shape.offered_s > EDITS_S_MIN:
            span_s = max(span_s, min(EDITS_MIN / shape.offered_s, SLOW_S_MAX))
        with Run(shape, origin, self.troupe, server) as run:
            return run.play(span_s).as_dict()

    # --- sections

    def weigh_idle(self, server: int) -> None:
        """The share of a core that the server uses with nobody there: no person's cost."""
        if "idle_share" not in self.archive.facts:
            before = usage.cpu_s(server)
            time.sleep(IDLE_S)
            self.archive.facts["idle_share"] = (usage.cpu_s(server) - before) / IDLE_S

    def curves(self, points: Iterable[Point], origin: Origin, server: int | None) -> None:
        """The grid."""
        for point in points:
            self.attempt(point.key, lambda: self.play(point.shape, origin, server))  # noqa: B023  # called at once

    def crud(self, origin: Origin, server: int | None) -> None:
        """What REST is best at."""
        shape = replace(middle_of(self.pace), kind="rest", users=20, writers=0, edits_s=1.0)
        self.attempt(f"crud/{shape.name()}/0", lambda: self._crud(shape, origin, server))

    def _crud(self, shape: Shape, origin: Origin, server: int | None) -> dict[str, Any]:
        with Run(shape, origin, self.troupe, server) as run:
            result = run.play(self.pace.window_s)
            took_s: dict[str, list[float]] = {}
            for log in self.troupe.each("log"):
                for name, times in log["took_s"].items():
                    took_s.setdefault(name, []).extend(times)
        calls = {name: [len(times), 1000 * statistics.median(times)] for name, times in sorted(took_s.items())}
        cpu_ms = 1000 * result.server_cpu_share / result.requests_s if result.requests_s else 0.0
        return {**result.as_dict(), "calls": calls, "cpu_ms_per_request": cpu_ms}

    def memory(self) -> None:
        """Idle people of each kind on a fresh server each: what one more costs it."""
        for kind in KINDS if self.pace.memory_users else ():
            shape = quieter(replace(middle_of(self.pace), kind=kind), self.pace.memory_users)
            self.attempt(f"memory/{shape.name()}/0", lambda: self._memory(shape))  # noqa: B023

    def _memory(self, shape: Shape) -> dict[str, Any]:
        with Host(self.server_core) as host:
            self.play(replace(shape, users=2 * shape.members), host.origin, host.pid, window_s=1.0)  # fills its heap
            with Run(shape, host.origin, self.troupe, host.pid) as run:
                held = run.mark()
                opened = held["load"]["held"] + held["probe"]["held"]
                grown = run.joined_bytes - run.idle_bytes
                return {"shape": shape.as_dict(), "bytes_per_user": grown / shape.users, "held": opened}

    def restarts(self) -> None:
        """A killed server, for each kind."""
        for kind in KINDS if self.pace.name == "full" else ("socket", "diff"):
            shape = quieter(replace(middle_of(self.pace), kind=kind), self.pace.restart_users)
            self.attempt(f"restart/{shape.name()}/0", lambda: self._restart(shape))  # noqa: B023

    def _restart(self, shape: Shape) -> dict[str, Any]:
        with Host(self.server_core) as host:
            return restart(shape, host, self.troupe).as_dict()

    def security(self) -> None:
        """A key that is refused, revoked, expired."""
        self.attempt("security/keys/0", lambda: tokens.measure(self.server_core).as_dict())

    def limits(self, origin: Origin, server: int) -> None:
        """The highest load with a p95 below each bound: a few tries around what the middle's cost promises."""
        promised = {kind: self._promised_users(kind) for kind in KINDS}
        for bound_ms in LIMITS_MS:
            for kind in KINDS:
                self._climb(kind, bound_ms, promised[kind], origin, server)

    def _promised_users(self, kind: str) -> float:
        rows = [row for row in self.archive.section("kinds") if row["shape"]["kind"] == kind]
        share = statistics.median(row["server_cpu_share"] for row in rows) if rows else 0.3
        return SAFETY * middle_of(self.pace).users / max(share, 0.01)

    def _climb(self, kind: str, bound_ms: int, promised: float, origin: Origin, server: int) -> None:
        middle = replace(middle_of(self.pace), kind=kind)
        interval_s = POLL_SHARE * bound_ms / 1000 if kind in POLLING else middle.interval_s
        users = promised * min(1.0, interval_s / middle.interval_s)
        went = 0
        for attempt in range(self.pace.tries):
            shape = quieter(replace(middle, interval_s=interval_s), int(min(users, LIMIT_USERS_MAX)))
            key = f"limit-{bound_ms}/{shape.name()}/{attempt}"
            row = self.attempt(key, lambda: self.play(shape, origin, server))  # noqa: B023
            held = row is not None and row["p95_ms"] < bound_ms
            step = 1 if held else -1
            if (went and step != went) or (held and shape.users >= LIMIT_USERS_MAX // shape.members * shape.members):
                break
            users, went = users * STEP**step, step


def in_words(row: dict[str, Any]) -> str:
    """One line of progress."""
    if "void" in row:
        return f"VOID: {row['void']}"
    if "p95_ms" in row:
        return (
            f"p50 {row['p50_ms']:.1f} p95 {row['p95_ms']:.1f} ms, {row['deliveries_s']:,.0f} deliveries/s, "
            f"server {100 * row['server_cpu_share']:.0f} %, generator {100 * row['generator_share']:.0f} %"
        )
    return ", ".join(f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, int | float))
