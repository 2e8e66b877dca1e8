"""What several nodes give and cost: `uv run --group dev python -m loadtests.nodes`.

Five measurements, each on Postgres (fsync on) and Valkey, everything on this machine:

* throughput: deliveries per second and p99 with 1, 2 and 4 workers behind one port, many rooms
* latency: what another node adds, p50 and p99, against the same two clients on one node
* cost: CPU µs per edit of a node alone, with the bus, and of Postgres and Valkey
* parts: CPU µs per edit of the log and of the bus apart, of one process that does the same with and without them
* rooms: 1,000 rooms spread over two nodes, all of them shown on the other node

Clients speak the plain dialect with ready-made keystrokes, so that they cost less than the service.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from collab.protocol.messages import encode_update
from loadtests import apart
from loadtests.cluster import Cluster, cluster
from tests.updates import typed

TICKS = os.sysconf("SC_CLK_TCK")
SETTLE_S = 1.0
SHARED = {"COLLAB_ENGINE_WORKERS": "1", "COLLAB_LOG_LEVEL": "warning"}


class Member(WSListener):
    """One connection; a writer's keystrokes carry their number, from which readers know when it was sent."""

    def __init__(self, sent: dict[tuple[int, int], float], latencies: list[float]) -> None:
        self.client = 0
        self.clock = 0
        self._sent = sent
        self._latencies = latencies

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keeps it."""
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Notes how long ago each keystroke in it was sent."""
        data = frame.get_payload_as_bytes()
        if frame.msg_type is not WSMsgType.BINARY or data[:2] != b"\x00\x02":
            return
        now = time.perf_counter()
        for key in numbers_in(data):
            began = self._sent.get(key)
            if began is not None:
                self._latencies.append(now - began)

    def type(self) -> None:
        """One keystroke."""
        self._sent[self.client, self.clock] = time.perf_counter()
        self.transport.send(
            WSMsgType.BINARY, encode_update(typed(self.client, self.clock, mark(self.client, self.clock)))
        )
        self.clock += WIDTH


WIDTH = 12  # characters of a mark


def mark(client: int, clock: int) -> str:
    """Names a keystroke in its own text."""
    return f"<{client:04x}{clock // WIDTH:05x}>".ljust(WIDTH, ".")


def numbers_in(data: bytes) -> Iterator[tuple[int, int]]:
    """The keystrokes in a frame, merged or not."""
    at = data.find(b"<")
    while at >= 0:
        if data[at + 10 : at + 11] == b">":
            yield int(data[at + 1 : at + 5], 16), int(data[at + 5 : at + 10], 16) * WIDTH
        at = data.find(b"<", at + 1)


@dataclass
class Result:
    """Milliseconds, and CPU microseconds per edit."""

    edits: int
    deliveries: int
    seconds: float
    p50_ms: float
    p99_ms: float
    node_cpu_us: float
    postgres_cpu_us: float
    valkey_cpu_us: float

    @property
    def deliveries_per_s(self) -> float:
        """Over all clients."""
        return self.deliveries / self.seconds


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process, its threads and all its children that live."""
    total, todo = 0.0, [pid]
    while todo:
        one = todo.pop()
        try:
            with open(f"/proc/{one}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            with open(f"/proc/{one}/task/{one}/children") as children:
                todo += map(int, children.read().split())
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


async def connect_to(url: str, document: str, member: Member) -> WSTransport:
    """Opens the socket; nothing is asked for."""
    transport, _ = await ws_connect(lambda: member, f"{url}/{document}")
    return transport


async def drive(
    running: Cluster, urls: list[str], rooms: int, readers: int, rate: float, seconds: float, apart: bool
) -> Result:
    """A writer and `readers` in each room, `rate` keystrokes a second in each; `apart`: readers on the next node."""
    sent: dict[tuple[int, int], float] = {}
    latencies: list[float] = []
    writers: list[Member] = []
    name = secrets.token_hex(4)
    async with AsyncExitStack() as stack:
        for room in range(rooms):
            here, there = urls[room % len(urls)], urls[(room + apart) % len(urls)]
            writer = Member(sent, [])
            writer.client = room + 1
            writers.append(writer)
            for member, url in ((writer, here), *((Member(sent, latencies), there) for _ in range(readers))):
                transport = await connect_to(url, f"{name}-{room}", member)
                stack.callback(transport.disconnect)
        for writer in writers:
            writer.type()  # rooms are born
        await asyncio.sleep(SETTLE_S)
        latencies.clear()
        before = cpu_of(running)
        edits, began = await _type(writers, rate, seconds)
        await asyncio.sleep(SETTLE_S)
        after = cpu_of(running)
    per_edit = [1e6 * (now - then) / edits for now, then in zip(after, before, strict=True)]
    ordered = sorted(latencies) or [0.0]
    return Result(
        edits, len(latencies), began, 1e3 * statistics.median(ordered), 1e3 * ordered[int(0.99 * (len(ordered) - 1))],
        *per_edit,
    )  # fmt: skip


async def _type(writers: list[Member], rate: float, seconds: float) -> tuple[int, float]:
    """Spreads the keystrokes evenly; returns how many, and for how long."""
    edits, began = 0, time.perf_counter()
    gap = 1.0 / (rate * len(writers))
    while (elapsed := time.perf_counter() - began) < seconds:
        while edits < elapsed / gap:
            writers[edits % len(writers)].type()
            edits += 1
        await asyncio.sleep(0.0005)
    return edits, time.perf_counter() - began


def cpu_of(running: Cluster) -> tuple[float, float, float]:
    """CPU seconds of all nodes, Postgres and Valkey so far."""
    nodes = sum(tree_cpu_s(node.pid) for node in running.nodes)
    return nodes, tree_cpu_s(running.postgres.process.pid), tree_cpu_s(running.valkey.process.pid)


@contextmanager
def workers(count: int) -> Iterator[Cluster]:
    """One `collab serve --workers N`, or one node without a bus if N is 1."""
    extra = SHARED | {"COLLAB_WORKERS": str(count)}
    with cluster(1, extra) as running:
        yield running


def throughput(seconds: float, rate: float) -> dict[str, Any]:
    """200 rooms of 5, spread by the kernel over the workers."""
    found = {}
    for count in (1, 2, 4):
        with workers(count) as running:
            result = asyncio.run(drive(running, [running.nodes[0].socket_url], 200, 4, rate, seconds, apart=False))
        found[str(count)] = asdict(result) | {"deliveries_per_s": result.deliveries_per_s}
        print(f"workers {count}: {result}", flush=True)
    return found


def latency(seconds: float) -> dict[str, Any]:
    """Ten calm rooms: both people on one node, then on two; then 1,000 rooms on two nodes."""
    found = {}
    with cluster(2, SHARED) as running:
        urls = [node.socket_url for node in running.nodes]
        for name, rooms, rate, apart in (
            ("together", 10, 5.0, False), ("apart", 10, 5.0, True),
            ("busy_together", 50, 5.0, False), ("busy_apart", 50, 5.0, True), ("1000_rooms", 1000, 0.3, True),
        ):  # fmt: skip
            result = asyncio.run(drive(running, urls, rooms, 1, rate, seconds, apart))
            found[name] = asdict(result) | {"deliveries_per_s": result.deliveries_per_s}
            print(f"{name}: {result}", flush=True)
    return found


def parts(rounds: int = 500) -> dict[str, Any]:
    """The log and the bus apart."""
    with cluster(1, SHARED) as running:
        found = apart.measured(running.postgres.url, running.valkey.url, rounds)
    print(f"parts: {found}", flush=True)
    return asdict(found)


def main() -> None:
    """Prints every result as it comes, and all of them as JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="of typing in each measurement")
    parser.add_argument("--rate", type=float, default=5.0, help="keystrokes a second and room for the throughput")
    parser.add_argument("--only", nargs="*", choices=("parts", "latency", "throughput"), help="default: all three")
    given = parser.parse_args()
    kinds = {
        "parts": parts,
        "latency": lambda: latency(given.seconds),
        "throughput": lambda: throughput(given.seconds, given.rate),
    }
    found = {kind: kinds[kind]() for kind in given.only or kinds}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
