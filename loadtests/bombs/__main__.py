"""What each bomb costs: `uv run python -m loadtests.bombs [--seconds 5] [--only WORDS] [--write]`.

Starts a server of its own with the rates of a public one. For each bomb: a quiet stretch, then a stretch in which
another process throws it as fast as the server takes it, each time on a new connection. Told are the server's CPU time
for one bomb (engine children apart), the most its memory grew, the close codes, and the p99 of edits in another
document, from one socket to another, quiet and bombed. `--write` writes loadtests/results/bombs.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from collab.protocol.messages import encode_update
from loadtests.bombs.catalog import BOMBS
from tests.server import Server, running_server
from tests.updates import typed

RATES = {
    "COLLAB_FRAMES_PER_S": "200",
    "COLLAB_BYTES_PER_S": str(1024 * 1024),
    "COLLAB_STREAMS_PER_MIN_ADDRESS": "1200",
}
PAUSE_S = 0.01  # between two edits of the probe
RESULT = Path(__file__).parent.parent / "results" / "bombs.md"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Row:
    """One bomb's figures; milliseconds, MiB."""

    name: str
    thrown: int
    size: int
    cpu_ms: float
    children_ms: float
    grown_mib: float
    outcomes: dict[str, int]
    quiet_p99_ms: float
    bombed_p99_ms: float


class Probe:
    """Two sockets in a document of their own: one types, the other looks at the clock."""

    def __init__(self, typing: ClientConnection, seeing: ClientConnection) -> None:
        self._typing = typing
        self._seeing = seeing
        self._clock = 0

    async def run(self, seconds: float, pid: int) -> tuple[list[float], float]:
        """Latencies in seconds, and the most memory the server had meanwhile, in MiB."""
        sent: dict[int, float] = {}
        seen: list[float] = []
        peak = resident_mib(pid)
        until = time.perf_counter() + seconds
        reading = asyncio.create_task(self._read(sent, seen))
        while time.perf_counter() < until:
            update = encode_update(typed(1, self._clock, "x"))
            self._clock += 1
            sent[len(sent) + 1] = time.perf_counter()
            await self._typing.send(update)
            await asyncio.sleep(PAUSE_S)
            peak = max(peak, resident_mib(pid))
        async with asyncio.timeout(30):
            while len(seen) < len(sent):  # noqa: ASYNC110  # the last ones, however late
                await asyncio.sleep(0.01)
        reading.cancel()
        return seen, peak

    async def _read(self, sent: dict[int, float], seen: list[float]) -> None:
        """Edits of one tick come merged, in their order, so that each frame's length tells how many it shows."""
        async for message in self._seeing:
            now = time.perf_counter()
            data = bytes(message)  # type: ignore[arg-type]
            if data[:2] != b"\x00\x02":
                continue
            shown = max(1, data.count(b"x"))
            seen += [now - sent[number] for number in range(len(seen) + 1, min(len(seen) + shown, len(sent)) + 1)]


def resident_mib(pid: int) -> float:
    """Memory of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def cpu_ms(pid: int) -> tuple[float, float]:
    """(of the process, of all its descendants that live)."""
    own, others = 0.0, 0.0
    for process in (pid, *descendants(pid)):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent = (int(fields[11]) + int(fields[12])) * 1000 / TICKS_PER_S
        own, others = (spent, others) if process == pid else (own, others + spent)
    return own, others


def descendants(pid: int) -> Iterator[int]:
    """Children, their children, and so on."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            yield child
            yield from descendants(child)


def p99(seconds: list[float]) -> float:
    """In milliseconds."""
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000


async def measure(server: Server, number: int, seconds: float) -> Row:
    """One bomb."""
    address = urlsplit(server.url)
    url = f"{server.socket_url}/probe-{number}"
    async with connect(url, compression=None) as typing, connect(url, compression=None) as seeing:
        probe = Probe(typing, seeing)
        await probe.run(0.5, server.pid)
        quiet, before = await probe.run(seconds, server.pid)
        words = [sys.executable, "-m", "loadtests.bombs.attacker", str(address.hostname), str(address.port)]
        attacker = subprocess.Popen(  # noqa: ASYNC220  # between two stretches, when nothing is measured
            [*words, str(number), str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert attacker.stdin is not None and attacker.stdout is not None
        await asyncio.to_thread(attacker.stdout.readline)
        own, others = cpu_ms(server.pid)
        probe_cost = own
        attacker.stdin.write("go\n")
        attacker.stdin.flush()
        bombed, peak = await probe.run(seconds, server.pid)
        own_after, others_after = cpu_ms(server.pid)
        told = json.loads(await asyncio.to_thread(attacker.stdout.readline))
        await asyncio.to_thread(attacker.wait)
    thrown = max(1, sum(told["outcomes"].values()))
    return Row(
        BOMBS[number].name, thrown, told["bytes"], (own_after - probe_cost) / thrown, (others_after - others) / thrown,
        max(0.0, peak - before), told["outcomes"], p99(quiet), p99(bombed),
    )  # fmt: skip


def table(rows: list[Row]) -> str:
    """As Markdown."""
    head = (
        "| bomb | bytes | thrown | CPU ms each | in children | memory + MiB | ended by | p99 quiet | p99 bombed |\n"
        "|---|---:|---:|---:|---:|---:|---|---:|---:|\n"
    )
    lines = [
        f"| {row.name} | {row.size:,} | {row.thrown} | {row.cpu_ms:.1f} | {row.children_ms:.1f} | {row.grown_mib:.0f} "
        f"| {', '.join(sorted(row.outcomes))} | {row.quiet_p99_ms:.1f} | {row.bombed_p99_ms:.1f} |"
        for row in rows
    ]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stretch")
    parser.add_argument("--only", default="", help="bombs whose name holds these words")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="collab-bombs-") as folder:
        with running_server(Path(folder), env=RATES) as server:
            for number, bomb in enumerate(BOMBS):
                if options.only in bomb.name:
                    rows.append(asyncio.run(measure(server, number, options.seconds)))
                    print(table(rows[-1:]).splitlines()[-1], flush=True)
    if options.write:
        machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        RESULT.write_text(f"# Bombs\n\n`python -m loadtests.bombs --write` on {machine}.\n\n{table(rows)}")


if __name__ == "__main__":
    main()
