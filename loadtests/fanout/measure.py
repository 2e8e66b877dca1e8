"""Runs the generator against a server and reads what it measured."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from loadtests.fanout.cache import cache_folder
from loadtests.fanout.peers import Peer
from loadtests.fanout.replay import replay_in_child
from loadtests.fanout.server import pin_here

CONNECT_S_MAX = 30.0  # for all clients together to be in
LATENCY_MS_MAX = 100.0  # p99 above it is no longer "sustained"
GENERATOR_PCT_MAX = 85.0  # above it the generator is the limit, not the server
LATE_MS_MAX = 20.0
OTHERS_PCT_MAX = 8.0  # of one core; more than that and the window is not trusted
_runs = itertools.count()


class GeneratorFailed(Exception):
    """The generator itself ended badly; the message is what it said."""


@dataclass(frozen=True)
class Target:
    """A listening server: where it is, what it speaks, and whose processor time counts as its own."""

    port: int
    dialect: str
    path: str
    pids: tuple[int, ...]

    @classmethod
    def of(cls, peer: Peer, port: int, pids: list[int]) -> Target:
        """The target that a started peer offers."""
        return cls(port, peer.dialect, peer.path, tuple(pids))


@dataclass(frozen=True)
class Load:
    """A shape of load. `rate` is in updates a second and writer; times in seconds."""

    rooms: int
    clients: int
    writers: int
    rate: float
    window_s: float = 3.0
    warm_s: float = 1.0
    drain_s: float = 5.0
    patience_s: float = 2.0  # so much load undelivered means that the server has lost; the window ends early
    presence: bool = False

    @property
    def updates_s(self) -> float:
        """Updates offered a second, all writers together."""
        return self.rooms * self.writers * self.rate

    @property
    def deliveries_s(self) -> float:
        """Deliveries a second if nothing is lost: every update to every other client of its room."""
        return self.updates_s * (self.clients - 1)


@dataclass(frozen=True)
class Measurement:
    """What one window showed. Percentages are of one core; latencies run from the scheduled send time."""

    run: str
    converged: bool
    why: str = ""
    rooms: int = 0
    clients: int = 0
    writers: int = 0
    rate: float = 0.0
    behind: int = 0
    newcomers: bool = False
    overloaded: bool = False
    early: int = 0
    repeated: int = 0
    echoed: int = 0
    foreign: int = 0
    lost: int = 0
    bad_messages: int = 0
    drain_s: float = 0.0
    window_s: float = 0.0
    updates_s: float = 0.0
    expected_s: float = 0.0
    deliveries_s: float = 0.0
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    frames_s: float = 0.0
    received_mb_s: float = 0.0
    server_cpu_s: float = 0.0
    server_cpu_pct: float = 0.0
    server_waited_pct: float = 0.0
    generator_cpu_pct: float = 0.0
    late_p99_ms: float = 0.0
    others_pct: float = 0.0
    stolen_pct: float = 0.0
    replayed: str = ""  # what pycrdt says of the sampled clients; empty if none were sampled

    @property
    def sustained(self) -> bool:
        """Whether the server carried this load: everything arrived, everywhere, in time."""
        return not self.fault

    @property
    def fault(self) -> str:
        """In a few words what the server did wrong under this load; empty if nothing."""
        if self.lost or self.why:
            return f"loses connections: {self.why}"
        if self.early and self.behind:
            return f"loses updates: {self.behind} clients have holes"
        if self.overloaded or self.p99_ms >= LATENCY_MS_MAX:
            return "is late"
        if self.behind or not self.newcomers or not self.deliveries_s:
            return "does not deliver everything"
        return "" if self.converged else self.replayed or "sends what cannot be read"

    @property
    def generator_bound(self) -> bool:
        """Whether the generator had no room left, so that the server may be faster than this shows."""
        return self.generator_cpu_pct > GENERATOR_PCT_MAX

    @property
    def disturbed(self) -> bool:
        """Whether something else used the machine meanwhile: others' time, or sends late though there was room."""
        late = self.late_p99_ms > LATE_MS_MAX and not self.generator_bound
        return late or self.others_pct > OTHERS_PCT_MAX or self.stolen_pct > OTHERS_PCT_MAX / 2

    @property
    def cpu_s_per_100k(self) -> float:
        """Server processor seconds for 100,000 deliveries; 0 if nothing was delivered."""
        delivered = self.deliveries_s * self.window_s
        return self.server_cpu_s / (delivered / 1e5) if delivered else 0.0

    @property
    def updates_per_frame(self) -> float:
        """How many updates the server put into one frame, on average."""
        return self.deliveries_s / self.frames_s if self.frames_s else 0.0


_FIELDS = {field.name for field in fields(Measurement)}


def measure(generator: Path, core: int, target: Target, load: Load, sampled: int = 0) -> Measurement:
    """Runs one load and returns what it showed; with `sampled` clients their frames are replayed into pycrdt.

    Raises GeneratorFailed only if the generator itself breaks: a server that refuses or loses is a result.
    """
    with _samples_folder(0 if load.presence else sampled) as folder:
        told = _generate(generator, core, target, load, folder, sampled)
        if folder and told["converged"]:
            told["replayed"] = replay_in_child(folder, target.dialect)
            told["converged"] = told["replayed"].startswith("ok")
        return Measurement(**{name: value for name, value in told.items() if name in _FIELDS})


@contextmanager
def _samples_folder(sampled: int) -> Iterator[Path | None]:
    if not sampled:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="samples-", dir=cache_folder()) as folder:
        yield Path(folder)


def _generate(
    generator: Path, core: int, target: Target, load: Load, folder: Path | None, sampled: int
) -> dict[str, Any]:
    run = "presence" if load.presence else "load"
    options = {
        **target_options(target),
        "run": run,
        "tag": f"{run}-{os.getpid()}-{time.monotonic_ns()}",
        "rooms": load.rooms,
        "clients": load.clients,
        "writers": load.writers,
        "rate": f"{load.rate:.4f}",
        "window_s": load.window_s,
        "warm_s": load.warm_s,
        "drain_s": load.drain_s,
        "connect_s": CONNECT_S_MAX,
        "patience_s": load.patience_s,
        "seed": next(_runs) + 1,
        **({"record": folder, "sampled": sampled} if folder else {}),
    }
    return run_generator(
        generator, core, options, timeout_s=load.window_s + load.warm_s + 2 * load.drain_s + 2 * CONNECT_S_MAX
    )


def target_options(target: Target) -> dict[str, object]:
    """The options that tell the generator where to connect and whose time to read."""
    return {
        "port": target.port,
        "dialect": target.dialect,
        "path": target.path,
        "pids": ",".join(map(str, target.pids)),
    }


def generator_command(generator: Path, options: dict[str, object]) -> list[str]:
    """The command line for these options."""
    return [str(generator), *(text for name, value in options.items() for text in (f"--{name}", str(value)))]


def run_generator(generator: Path, core: int, options: dict[str, object], timeout_s: float) -> dict[str, Any]:
    """Runs it pinned to a core and returns the JSON object on its last line. Raises GeneratorFailed."""
    command = generator_command(generator, options)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, preexec_fn=lambda: pin_here(core)
        )
        told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise GeneratorFailed(f"no result after {timeout_s:.0f} s") from error
    except (IndexError, ValueError) as error:
        raise GeneratorFailed(f"exit {done.returncode}: {done.stderr.strip()[-300:]}") from error
    return told


class NotHeld(Exception):
    """Not every idle client could connect; the message is the generator's reason."""


@contextmanager
def held_generator(generator: Path, core: int, options: dict[str, object]) -> Iterator[None]:
    """Keeps the clients of a `hold` run connected while the block runs. Raises NotHeld."""
    command = generator_command(generator, options)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: pin_here(core)
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline() or '{"converged": false, "why": "the generator ended"}')
        if not told["converged"]:
            raise NotHeld(told["why"])
        yield
    finally:
        process.communicate()  # closes its standard input, at which it leaves


def settled(weigh: Callable[[], int], settle_s: float) -> int:
    """The lowest weight seen while things settle: collectors and allocators give back with delay."""
    lowest, deadline_s = weigh(), time.monotonic() + settle_s
    while time.monotonic() < deadline_s:
        time.sleep(0.25)
        lowest = min(lowest, weigh())
    return lowest
