"""Throws one bomb again and again for some seconds: `python -m loadtests.bombs.attacker HOST PORT NUMBER SECONDS`.

A process of its own, so that making and sending bombs does not disturb who measures. Prints JSON: how often it was
thrown, and the close codes (or HTTP statuses) that came back; "open" if the server only let it wait.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import suppress

from loadtests.bombs.catalog import BOMBS, Bomb

OWN_ADDRESS = ("127.0.0.2", 0)  # its rates are not those of who measures
REST_S = 0.1  # between two connections, or the rate for new ones would be all that is measured
PATIENCE_S = 2.0  # what is neither closed nor read on within this time is left behind


def connect(host: str, port: int, document: str) -> socket.socket:
    """A socket behind its handshake."""
    made = socket.create_connection((host, port), timeout=10, source_address=OWN_ADDRESS)
    key = base64.b64encode(os.urandom(16)).decode()
    made.sendall(
        f"GET /sync/{document} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = made.recv(4096)
        if not more:
            break
        answer += more
    return made


def throw(host: str, port: int, bomb: Bomb, data: bytes, until: float) -> str:
    """One connection's worth of it; returns what became of the connection."""
    made = socket.create_connection((host, port), 10, OWN_ADDRESS) if bomb.raw else connect(host, port, "bombed")
    made.setblocking(False)
    read, left, moved = bytearray(), memoryview(data), time.monotonic()
    with made:
        while (now := time.monotonic()) < min(until, moved + PATIENCE_S):
            readable, writable, _ = select.select([made], [made] if left else [], [], 0.1)
            with suppress(BlockingIOError):
                if readable:
                    more = made.recv(65_536)
                    if not more:
                        return outcome(bytes(read))
                    read = (read + more)[-65_536:]
                if writable:
                    left, moved = left[made.send(left[: 1 << 18]) :], now
    return outcome(bytes(read)) if read[:4] == b"HTTP" else "open"


def outcome(read: bytes) -> str:
    """The HTTP status, or the close code in the last frame that came; "cut" if there is none."""
    if read[:4] == b"HTTP":
        return read[9:12].decode()
    at = read.rfind(b"\x88")
    return str(int.from_bytes(read[at + 2 : at + 4], "big")) if 0 <= at <= len(read) - 4 else "cut"


def main() -> None:
    """The process."""
    host, port, number, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    bomb = BOMBS[number]
    data = bomb.make()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    until = time.monotonic() + seconds
    outcomes: Counter[str] = Counter()

    def again() -> None:
        while time.monotonic() < until:
            try:
                outcomes[throw(host, port, bomb, data, until)] += 1
            except OSError:
                outcomes["cut"] += 1
            time.sleep(REST_S)

    threads = [threading.Thread(target=again) for _ in range(bomb.sockets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"bytes": len(data), "outcomes": outcomes}) + "\n")


if __name__ == "__main__":
    main()
