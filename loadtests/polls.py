"""How many unchanged polls one core answers: `uv run --group dev python -m loadtests.polls`.

Starts a server on one core and polls one document's state from the other over keep-alive connections, each asking
again as soon as it is answered. Every answer must be 304. Prints requests per second, latency, and what a poll costs
the server in CPU. Then the same for whole states (200) and for differences, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pycrdt

from tests.server import running_server

DOCUMENT = "polled"


class Poller(asyncio.Protocol):
    """One connection: sends the request again whenever a whole answer has come."""

    def __init__(self, request: bytes, status: bytes, latencies: list[float], failed: Callable[[bytes], None]) -> None:
        self._request = request
        self._status = status
        self._latencies = latencies
        self._failed = failed
        self._buffer = b""
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Checks the answer and asks again."""
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end or len(rest) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 " + self._status):
            self._failed(head)
            return
        self._latencies.append(time.perf_counter() - self._asked)
        self._buffer = b""
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)


def _length(head: bytes) -> int:
    if head.startswith(b"HTTP/1.1 304"):
        return 0
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)


async def measure(url: httpx2.URL, request: bytes, status: bytes, connections: int, seconds: float) -> list[float]:
    """Latencies in seconds. Raises RuntimeError at the first other answer."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    over: asyncio.Future[None] = loop.create_future()

    def failed(head: bytes) -> None:
        if not over.done():
            over.set_exception(RuntimeError(head.decode("latin-1")))

    transports = [
        (await loop.create_connection(lambda: Poller(request, status, latencies, failed), url.host, url.port))[0]
        for _ in range(connections)
    ]
    try:
        await asyncio.wait_for(over, seconds)
    except TimeoutError:
        pass
    for transport in transports:
        transport.abort()
    return latencies


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def state_of(characters: int) -> bytes:
    """A document with a text of this length."""
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    doc["default"] = text = pycrdt.Text()
    for start in range(0, characters, 100):
        text += f"{start:>9} {'x' * 89} "
    return doc.get_update()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--characters", type=int, default=20_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(server.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
        base = f"{server.url}/api/documents"
        httpx2.post(base, json={"id": DOCUMENT}).raise_for_status()
        state = state_of(args.characters)
        headers = {"content-type": "application/octet-stream"}
        httpx2.post(f"{base}/{DOCUMENT}/updates", content=state, headers=headers).raise_for_status()
        etag = httpx2.get(f"{base}/{DOCUMENT}/state").headers["etag"]
        path = f"/api/documents/{DOCUMENT}/state"
        for name, target, extra, status in (
            ("unchanged (304)", path, f"If-None-Match: {etag}\r\n", b"304"),
            (f"whole state of {len(state)} bytes (200)", path, "", b"200"),
            ("details (200)", path.removesuffix("/state"), "", b"200"),
        ):
            request = f"GET {target} HTTP/1.1\r\nHost: {httpx2.URL(server.url).netloc.decode()}\r\n{extra}\r\n".encode()
            report(name, server.pid, httpx2.URL(server.url), request, status, args)


def report(name: str, pid: int, url: httpx2.URL, request: bytes, status: bytes, args: argparse.Namespace) -> None:
    """Measures one kind of poll and prints its line."""
    before = cpu_s(pid)
    latencies = asyncio.run(measure(url, request, status, args.connections, args.seconds))
    used = cpu_s(pid) - before
    quantiles = statistics.quantiles(latencies, n=100)
    print(
        f"{name}: {len(latencies) / args.seconds:,.0f}/s, p50 {quantiles[49] * 1e3:.1f} ms, "
        f"p99 {quantiles[98] * 1e3:.1f} ms, {used / len(latencies) * 1e6:.0f} µs of CPU each"
    )


if __name__ == "__main__":
    main()
