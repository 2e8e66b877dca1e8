"""Storms and time: `python -m tests.faults.storms return|stopped|soak --rounds N --seed S`.

`return`: N sockets on a few documents are cut at once by a SIGKILL and come back to a new process; all must hold what
was typed, within ten seconds, and each room's answer is built once for all of them. `stopped`: one of a hundred readers
stops reading while somebody types; the server's memory and the others' delays with it and without it, which must not be
more than 2 MiB and 1.2 times the delay. `soak`: documents
are opened, edited and left for N rounds; memory, file descriptors and rooms must come back to where they began.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx2
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from collab.crdt.clocks import Clocks
from collab.crdt.gate import check
from collab.protocol import messages
from collab.protocol.messages import Kind
from tests.patience import PATIENCE_S
from tests.server import Server, running_server
from tests.updates import typed, vector

ROOMS = 20
BACK_S = 10.0
READERS = 100
PAIRS = 3  # a machine is never quite alone: the medians of so many runs are compared
STUCK_KIB = 2 * 1024
STUCK_DELAY = 1.2
UPDATE_BYTES = 4_000
OPEN_AT_ONCE = 64
REST_POLLS = 300  # counted, not timed: a soak in the background may be starved for minutes


class Client(WSListener):  # type: ignore[misc]
    """One socket that knows clocks and no content: cheap enough for thousands in one process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clocks = Clocks()
        self.synced = asyncio.Event()
        self.changed: Callable[[], None] = lambda: None
        self.transport: WSTransport | None = None
        self.seen: dict[int, float] = {}  # clock of client 1 -> when it was known here

    async def connect(self) -> None:
        """Connects, and again until somebody listens; then asks for what it lacks."""
        self.synced.clear()
        while True:
            try:
                self.transport, _ = await ws_connect(lambda: self, self.url, max_frame_size=64 << 20)
                return
            except (OSError, Exception) as error:
                if isinstance(error, asyncio.CancelledError):
                    raise
                await asyncio.sleep(0.05)

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.BINARY, messages.encode_step1(vector(self.clocks.next)))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.BINARY:
            return
        kind, body = messages.decode(frame.get_payload_as_bytes())
        if kind is Kind.STEP1:
            transport.send(WSMsgType.BINARY, messages.encode_step2(messages.EMPTY_UPDATE))
        elif kind is Kind.STEP2 or kind is Kind.UPDATE:
            self.clocks.advance(check(body))
            self.seen.setdefault(self.clocks.next.get(1, 0), time.perf_counter())
            if kind is Kind.STEP2:
                self.synced.set()
            self.changed()

    def close(self) -> None:
        """Hangs up."""
        if self.transport is not None:
            self.transport.disconnect()


async def connected(clients: list[Client]) -> None:
    """All of them, some at a time."""
    places = asyncio.Semaphore(OPEN_AT_ONCE)

    async def one(client: Client) -> None:
        async with places:
            await client.connect()
            await client.synced.wait()

    await asyncio.gather(*(one(client) for client in clients))


async def post(url: str, document: str, update: bytes) -> None:
    """One durable edit by REST."""
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as http:
        await http.post(f"{url}/api/documents", json={"id": document})
        headers = {"content-type": "application/octet-stream"}
        (await http.post(f"{url}/api/documents/{document}/updates", content=update, headers=headers)).raise_for_status()


async def come_back(server: Server, sockets: int, seed: int) -> float:
    """Seconds from the moment at which the new process listens until everybody holds everything."""
    names = [f"storm-{seed}-{number}" for number in range(ROOMS)]
    for name in names:
        await post(server.url, name, typed(1, 0, "x" * 2_000))
    clients = [Client(f"{server.socket_url}/{names[number % ROOMS]}") for number in range(sockets)]
    await connected(clients)
    assert all(client.clocks.next == {1: 2_000} for client in clients)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    began = time.monotonic()
    for name in names:
        await post(server.url, name, typed(1, 2_000, "while they were away"))
    await connected(clients)
    took = time.monotonic() - began
    assert all(client.clocks.next == {1: 2_020} for client in clients), "somebody is not current"
    made = figure(server, "collab_answers_made_total")
    assert made == ROOMS, f"{sockets} sockets in {ROOMS} rooms had {made:.0f} answers made for them"
    for client in clients:
        client.close()
    return took


def resident_kib(pid: int) -> int:
    """What the process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


async def typed_to_readers(server: Server, document: str, edits: int, stop_one: bool) -> tuple[float, float]:
    """(p99 of the readers' delays in ms, KiB that the server grew by). One more reader may have stopped reading."""
    await post(server.url, document, typed(1, 0, "x"))
    url = f"{server.socket_url}/{document}"
    readers = [Client(url) for _ in range(READERS)]
    await connected(readers)
    stopped = Client(url)
    await connected([stopped])
    if stop_one and stopped.transport is not None:
        stopped.transport.underlying_transport.pause_reading()
    author = Client(url)
    await connected([author])
    before, peak = resident_kib(server.pid), 0
    sent: dict[int, float] = {}
    for number in range(edits):
        clock = 1 + number * UPDATE_BYTES
        sent[clock + UPDATE_BYTES] = time.perf_counter()
        assert author.transport is not None
        author.transport.send(WSMsgType.BINARY, messages.encode_update(typed(1, clock, "y" * UPDATE_BYTES)))
        await asyncio.sleep(0.01)
        peak = max(peak, resident_kib(server.pid))
    last = 1 + edits * UPDATE_BYTES
    async with asyncio.timeout(PATIENCE_S):
        while any(reader.clocks.next[1] < last for reader in readers):  # noqa: ASYNC110  100 readers, one look
            await asyncio.sleep(0.01)
    delays = [reader.seen[clock] - at for reader in readers for clock, at in sent.items() if clock in reader.seen]
    for client in (*readers, stopped, author):
        client.close()
    return 1000.0 * statistics.quantiles(delays, n=100)[98], peak - before


def figure(server: Server, name: str) -> float:
    """One of the node's own."""
    text = httpx2.get(f"{server.url}/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.split()[0] == name)


def figures(server: Server) -> dict[str, float]:
    """What must not grow: KiB, descriptors, threads, rooms and sockets."""
    process = Path(f"/proc/{server.pid}")
    return {
        "KiB": resident_kib(server.pid),
        "fds": len(list((process / "fd").iterdir())),
        "threads": len(list((process / "task").iterdir())),
        "rooms": figure(server, "collab_rooms"),
        "sockets": figure(server, "collab_sockets"),
    }


async def soak(server: Server, rounds: int, seed: int, until_s: float) -> list[dict[str, float]]:
    """Visits: a new document each time, a few people who type and leave. Figures at rest after every 50."""
    random, began, seen = Random(seed), time.monotonic(), list[dict[str, float]]()
    for number in range(rounds):
        url = f"{server.socket_url}/soak-{seed}-{number if random.random() < 0.5 else random.randrange(20)}"
        people = [Client(url) for _ in range(random.randint(1, 4))]
        await connected(people)
        for person in people:
            client = random.randrange(1000, 2**31)
            assert person.transport is not None
            for clock in range(0, 40, 2):
                person.transport.send(WSMsgType.BINARY, messages.encode_update(typed(client, clock, "ab")))
        await asyncio.sleep(random.uniform(0.0, 0.1))
        for person in people:
            person.close()
        if number % 50 == 49:
            seen.append(await asyncio.to_thread(at_rest, server))
            sys.stdout.write(f"{time.monotonic() - began:7.0f} s, {number + 1} visits: {seen[-1]}\n")
            sys.stdout.flush()
            if time.monotonic() - began > until_s:
                break
    return seen


def at_rest(server: Server) -> dict[str, float]:
    """The figures once all rooms are unloaded."""
    for _ in range(REST_POLLS):
        if not ((found := figures(server))["rooms"] or found["sockets"]):
            return found
        time.sleep(0.1)
    raise AssertionError(f"rooms or sockets stay: {found}")


def slope(values: list[float]) -> float:
    """Least squares, per measurement, of the second half: the first fills caches."""
    half = values[len(values) // 2 :]
    return statistics.linear_regression(range(len(half)), half).slope if len(half) > 1 else 0.0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("storm", choices=("return", "stopped", "soak"))
    parser.add_argument("--rounds", type=int, default=0, help="sockets, edits or visits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="soak: stop after so long")
    options = parser.parse_args()
    run: dict[str, Callable[[Server, Any], int]] = {"return": _return, "stopped": _stopped, "soak": _soak}
    environment = {"COLLAB_LINGER_S": "1", "COLLAB_LOG_LEVEL": "error"}
    with (
        tempfile.TemporaryDirectory(prefix="collab-storm-") as folder,
        running_server(Path(folder), env=environment) as server,
    ):
        return run[options.storm](server, options)


def _return(server: Server, options: Any) -> int:
    sockets = options.rounds or 2_000
    took = asyncio.run(come_back(server, sockets, options.seed))
    sys.stdout.write(f"{sockets} sockets were back and current {took:.1f} s after the server listened again\n")
    return int(took > BACK_S)


def _stopped(server: Server, options: Any) -> int:
    edits = options.rounds or 1_000
    asyncio.run(typed_to_readers(server, "warm", edits, False))
    runs = {
        stop_one: [asyncio.run(typed_to_readers(server, f"{stop_one}-{n}", edits, stop_one)) for n in range(PAIRS)]
        for stop_one in (False, True)
    }
    (p99, grown), (p99_with, grown_with) = (
        [statistics.median(values) for values in zip(*runs[stop_one], strict=True)] for stop_one in (False, True)
    )
    sys.stdout.write(
        f"{READERS} readers, {edits} edits of {UPDATE_BYTES} bytes, medians of {PAIRS} runs: p99 {p99:.1f} ms, memory "
        f"+{grown:.0f} KiB; with one more that stopped reading: p99 {p99_with:.1f} ms, memory +{grown_with:.0f} KiB\n"
    )
    return int(grown_with - grown > STUCK_KIB or p99_with > STUCK_DELAY * p99)


def _soak(server: Server, options: Any) -> int:
    seen = asyncio.run(soak(server, options.rounds or 1_000_000, options.seed, options.minutes * 60.0))
    for name in ("KiB", "fds", "threads"):
        values = [one[name] for one in seen]
        sys.stdout.write(
            f"{name}: {values[0]:.0f} at first, {values[-1]:.0f} at last, {slope(values):+.2f} per 50 visits\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
