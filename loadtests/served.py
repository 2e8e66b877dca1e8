"""What the checks cost of a whole server: `uv run python -m loadtests.served [--rooms 100] [--seconds 2] [--runs 15]`.

Two servers take turns at the same work, each a process of its own with sockets, ticks, fan-out and commits: one as it
is, one whose rooms believe every edit (`loadtests.checks`). In each room one person types, fifty keys a second, and
four look on. Told is the CPU time of the server for one edit, its children's not included: the median of all runs, and
the best, which other programs on the machine disturb least.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from collab.core.session import Session
from collab.protocol.messages import encode_update
from collab.reception import Reception
from collab.slot import Slot
from loadtests.bombs.__main__ import cpu_ms
from loadtests.bombs.attacker import connect
from loadtests.bombs.catalog import frame
from loadtests.checks import believed
from loadtests.codec import generated, log_of
from tests.server import READY

LOOKERS = 4
KEY_S = 0.02
WARM_S = 1.0


def serve(careless: bool, folder: str) -> None:
    """In the server's process."""
    from collab.cli import app

    if careless:
        taken = Reception.receive

        def believing(self: Reception, slot: Slot, session: Session, data: bytes) -> float:
            if data[:2] != b"\x00\x02":
                return taken(self, slot, session, data)
            checked = believed(data[3:])
            slot.room.history.clocks.advance(checked)
            slot.room.gather(checked, session, session.principal.id, session.id)
            if not slot.scheduled:
                self._rooms.settle(slot)
            return 0.0

        Reception.receive = believing  # type: ignore[method-assign]
    app(["serve", "--host", "127.0.0.1", "--port", "0", "--data", folder])


@contextmanager
def served(careless: bool) -> Iterator[tuple[int, int]]:
    """(its pid, its port)."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "loadtests.served", "--serve", "careless" if careless else "as it is", folder]
        env = {**os.environ, "COLLAB_FRAMES_PER_S": "0"}
        with (
            open(Path(folder) / "log", "w+") as log,
            subprocess.Popen(words, stdout=log, stderr=log, env=env) as process,
        ):
            try:
                until = time.monotonic() + 60
                while not (found := READY.search((Path(folder) / "log").read_text())):
                    assert process.poll() is None and time.monotonic() < until, "the server did not start"
                    time.sleep(0.05)
                yield process.pid, int(found[1].rsplit(":", 1)[1])
            finally:
                process.terminate()


class Crowd:
    """Everybody on one server, and where the typists are in what they type."""

    def __init__(self, pid: int, port: int, rooms: int, frames: list[bytes]) -> None:
        self._pid = pid
        self._frames = frames
        self._at = 0
        self._typing = [connect("127.0.0.1", port, f"room-{n}") for n in range(rooms)]
        self._looking = [connect("127.0.0.1", port, f"room-{n}") for n in range(rooms) for _ in range(LOOKERS)]

    async def run(self, seconds: float) -> tuple[int, float]:
        """Types for so long; returns the edits, and the CPU seconds that the server spent."""
        loop = asyncio.get_running_loop()
        for each in (*self._typing, *self._looking):
            each.setblocking(False)
            loop.add_reader(each, each.recv, 65_536)
        before, began, edits = cpu_ms(self._pid)[0], self._at, 0
        start = loop.time()
        while (at := loop.time()) < start + seconds:
            due = int((at - start) / KEY_S * len(self._typing))
            for number in range(edits, due):
                place, who = divmod(number, len(self._typing))
                self._typing[who].send(self._frames[began + place])
            edits = max(edits, due)
            await asyncio.sleep(0.005)
        whole = -(-edits // len(self._typing))
        for number in range(edits, whole * len(self._typing)):
            place, who = divmod(number, len(self._typing))
            self._typing[who].send(self._frames[began + place])
        self._at = began + whole
        await asyncio.sleep(0.3)
        for each in (*self._typing, *self._looking):
            loop.remove_reader(each)
        return whole * len(self._typing), (cpu_ms(self._pid)[0] - before) / 1000


def measure(rooms: int, seconds: float, runs: int) -> Table:
    """Both servers run all the time; they work in turns."""
    keys = int((WARM_S + seconds * runs) / KEY_S) + 10 * (runs + 2)
    log = log_of([{"patches": patches} for patches in generated(keys)])
    frames = [frame(encode_update(update)) for update in log]
    took: dict[bool, list[float]] = {False: [], True: []}
    with ExitStack() as stack:
        crowds = {each: Crowd(*stack.enter_context(served(each)), rooms, frames) for each in (False, True)}
        for crowd in crowds.values():
            asyncio.run(crowd.run(WARM_S))
        for number in range(runs):
            for careless in ((False, True), (True, False))[number % 2]:
                edits, spent_s = asyncio.run(crowds[careless].run(seconds))
                took[careless].append(spent_s / edits * 1e6)
    table = Table(title=f"{rooms} rooms of one who types and {LOOKERS} who look on", title_justify="left")
    for column in ("", "with, µs an edit", "without", "checks", "of the edit's cost"):
        table.add_column(column, justify="right")
    for name, of in (("median", statistics.median), ("best", min)):
        with_us, without_us = of(took[False]), of(took[True])
        price = with_us - without_us
        table.add_row(name, f"{with_us:.1f}", f"{without_us:.1f}", f"{price:.2f}", f"{price / with_us:.1%}")
    return table


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve[0] == "careless", asked.serve[1])
    else:
        Console().print(measure(asked.rooms, asked.seconds, asked.runs))


if __name__ == "__main__":
    main()
