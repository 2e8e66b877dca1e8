"""One server on the bench: started, warmed, measured, and started afresh when a load has broken it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.fanout.cache import cache_folder
from loadtests.fanout.document import Document, real_document
from loadtests.fanout.measure import (
    Load,
    Measurement,
    Target,
    held_generator,
    measure,
    run_generator,
    settled,
    target_options,
)
from loadtests.fanout.peers import Peer
from loadtests.fanout.replay import joined_text
from loadtests.fanout.scenarios import (
    DOCUMENTS_FIRST,
    DOCUMENTS_MORE,
    IDLE_FIRST,
    IDLE_MORE,
    IDLE_ROOMS,
    STORM_CLIENTS,
)
from loadtests.fanout.server import Server
from loadtests.fanout.visitor import Visitor

TRIES_WHEN_DISTURBED = 2
SAMPLED = 3
SETTLE_S = 4.0
WARM_SHARE = 0.4  # of the rate to be measured; a compiler needs some thousand calls before it is done
STORM_S_MAX = 60.0


@dataclass(frozen=True)
class Storm:
    """500 clients at once onto one document. Seconds until the last had all of it, and per client."""

    complete: bool
    why: str
    all_s: float
    p50_ms: float
    p99_ms: float
    server_cpu_s: float
    generator_cpu_pct: float
    received_mb: float


@dataclass(frozen=True)
class Memory:
    """Bytes that one more idle connection, and one more loaded document, cost the server."""

    connection_bytes: float
    document_bytes: float


class Bench:
    """A peer with the two cores of the measurement: its own and the generator's."""

    def __init__(self, peer: Peer, generator: Path, server_core: int, generator_core: int) -> None:
        self.peer = peer
        self.server = Server(peer, server_core)
        self._generator = generator
        self._core = generator_core
        self._warm = False

    def start(self) -> None:
        """Starts the server."""
        self.server.start()
        self._warm = False

    def ready(self) -> None:
        """Starts the server if it does not run. Raises DiedAtStart."""
        if not self.server.alive():
            self.start()

    def stop(self) -> None:
        """Ends the server and deletes its data."""
        self.server.stop()

    @property
    def target(self) -> Target:
        """The running server as the generator sees it."""
        return Target.of(self.peer, self.server.port, self.server.pids())

    def run(self, load: Load, quiet: bool = False, sampled: int = SAMPLED) -> Measurement:
        """Measures one load, again if it failed while the machine was disturbed; with `quiet` also if it held.

        After a load that it could not carry the server starts afresh, with nothing left to do from before.
        """
        for _ in range(TRIES_WHEN_DISTURBED):
            self._warm_up(load)
            measured = measure(self._generator, self._core, self.target, load, sampled)
            if not measured.sustained or not self.server.alive():
                self.server.restart()
                self._warm = False
            if not measured.disturbed or (measured.sustained and not quiet):
                break
        return measured

    def _warm_up(self, load: Load) -> None:
        if self._warm:
            return
        gentle = Load(load.rooms, load.clients, load.writers, load.rate * WARM_SHARE, 2.0, 0.2, presence=load.presence)
        if not measure(self._generator, self._core, self.target, gentle).sustained:
            self.server.restart()  # it would still be at this when the clock runs; better cold than behind
        self._warm = True

    def storm(self) -> Storm:
        """Joins many clients at once to a room that holds the real document."""
        document, room = real_document(), "storm-0"
        self.server.restart()
        with Visitor(self.target, room, document), _record_file() as record:
            options = {
                **target_options(self.target),
                **{"run": "join", "tag": "storm", "clients": STORM_CLIENTS, "writers": len(document.clocks)},
                **{"expect": ",".join(map(str, document.clocks)), "record": record, "connect_s": STORM_S_MAX},
            }
            told = run_generator(self._generator, self._core, options, timeout_s=STORM_S_MAX + 30)
            complete = told["converged"] and joined_text(record, self.peer.dialect) == document.text
        figures = ("why", "all_s", "p50_ms", "p99_ms", "server_cpu_s", "generator_cpu_pct", "received_mb")
        return Storm(complete=complete, **{name: told[name] for name in figures})

    def memory(self) -> Memory:
        """Weighs idle connections, then documents with one client each, on a fresh server each time.

        Only what the second batch adds counts: the first one fills the heap that the warm-up left half empty.
        """
        self._fresh_and_warm()
        connection = self._connection_bytes()
        self._fresh_and_warm()
        return Memory(connection, self._document_bytes(real_document()) - connection)

    def _fresh_and_warm(self) -> None:
        self.server.restart()
        measure(self._generator, self._core, self.target, Load(2, 20, 10, 20.0, 1.0, 0.2))

    def _connection_bytes(self) -> float:
        with self._idle("first", IDLE_FIRST):
            before = settled(self.server.memory_bytes, SETTLE_S)
            with self._idle("more", IDLE_MORE):
                return (settled(self.server.memory_bytes, SETTLE_S) - before) / IDLE_MORE

    def _idle(self, tag: str, clients: int) -> AbstractContextManager[None]:
        shape = {"rooms": IDLE_ROOMS, "clients": clients // IDLE_ROOMS}
        options = {**target_options(self.target), "run": "hold", "tag": tag, **shape}
        return held_generator(self._generator, self._core, options)

    def _document_bytes(self, document: Document) -> float:
        with ExitStack() as guests:

            def load(first: int, last: int) -> int:
                for number in range(first, last):
                    guests.enter_context(Visitor(self.target, f"loaded-{number}", document))
                return settled(self.server.memory_bytes, SETTLE_S)

            before = load(0, DOCUMENTS_FIRST)
            return (load(DOCUMENTS_FIRST, DOCUMENTS_FIRST + DOCUMENTS_MORE) - before) / DOCUMENTS_MORE


@contextmanager
def _record_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="storm-", dir=cache_folder()) as folder:
        yield Path(folder) / "last-client"
