"""A disk that refuses: `python -m tests.faults.storage --rounds 100 --seed 1`.

Round n makes every fsync of a running server fail from the n-th on (an LD_PRELOAD shim), until it is told to work
again; `--full` does the same by filling a small tmpfs (root). While it fails: no message 102 is echoed and no REST edit
answered, readers are served and see each other, /readyz turns red within a second. When it works again, all that was
written is confirmed without anybody doing anything, and it is in the log.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2

from collab.crdt.gate import check
from collab.protocol import messages
from collab.protocol.messages import Kind
from collab.protocol.varint import read_varuint, write_varuint
from tests.clients.plain import PlainClient, plain_client
from tests.faults.shim import Shim
from tests.server import Server, running_server, wait_until
from tests.updates import typed

RED_S = 1.0
TMPFS_BYTES = 24 * 1024 * 1024


@dataclass
class Figures:
    """What a campaign has seen."""

    rounds: int = 0
    confirmed: int = 0
    red_s: list[float] = field(default_factory=list)  # from the first failure to a red /readyz
    back_s: list[float] = field(default_factory=list)  # from the healing to the confirmation of everything

    def __str__(self) -> str:
        worst = (
            f"red after at most {max(self.red_s):.2f} s, all confirmed at most {max(self.back_s):.2f} s after healing"
        )
        return f"{self.rounds} rounds, {self.confirmed} edits confirmed; {worst}"


class Pair:
    """Somebody who types in `document`, and somebody who reads it."""

    def __init__(self, server: Server, document: str, author: PlainClient, reader: PlainClient) -> None:
        self.server, self.document, self.author, self.reader = server, document, author, reader
        self.clock = 0
        self.confirmed = 0
        for client in (author, reader):
            client.sync(messages.EMPTY_VECTOR, lambda vector: messages.EMPTY_UPDATE)

    def type(self, text: str = "x") -> None:
        """One edit, the question whether it is saved, and the reader sees it whatever the answer."""
        self.author.send(messages.encode_update(typed(7, self.clock, text)))
        self.clock += len(text)
        self.author.send(messages.encode_status(write_varuint(self.clock)))
        self.reader.receive(Kind.UPDATE)

    def confirmations(self, wait_s: float) -> int:
        """The highest clock that was confirmed within so long."""
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0 and self.confirmed < self.clock:
            try:
                data = self.author.socket.recv(timeout=left)
            except TimeoutError:
                break
            assert isinstance(data, bytes)
            kind, body = messages.decode(data)
            if kind is Kind.STATUS:
                self.confirmed = max(self.confirmed, read_varuint(body, 0)[0])
        return self.confirmed

    def stored(self) -> int:
        """The clock up to which the server gives it to somebody new."""
        state = httpx2.get(f"{self.server.url}/api/documents/{self.document}/state").raise_for_status().content
        return max(end for _, _, end in check(state).runs)


@contextmanager
def pair(server: Server, document: str) -> Iterator[Pair]:
    """Both connected until the block ends."""
    httpx2.post(f"{server.url}/api/documents", json={"id": document}).raise_for_status()
    with plain_client(server.socket_url, document) as author, plain_client(server.socket_url, document) as reader:
        yield Pair(server, document, author, reader)


def one_round(people: Pair, is_broken: Callable[[], bool], heal: Callable[[], None]) -> Figures:
    """Types until the disk refuses, and on; then it heals. AssertionError if a promise is broken."""
    url, figures = people.server.url, Figures(1)
    while not is_broken():
        people.type()
        people.confirmations(0.2)
    broken = time.monotonic()
    people.type()
    wait_until(lambda: httpx2.get(f"{url}/readyz").status_code == 503, what="a red /readyz")
    figures.red_s.append(time.monotonic() - broken)
    before = people.confirmations(0.0)
    people.type()
    refused = httpx2.get(f"{url}/api/documents/{people.document}/state")
    assert refused.is_success, "readers go on"
    assert people.confirmations(0.3) == before < people.clock, "confirmed while no commit works"
    heal()
    healed = time.monotonic()
    wait_until(lambda: people.confirmations(0.5) == people.clock, what="confirmation of everything")
    figures.back_s.append(time.monotonic() - healed)
    assert people.stored() == people.clock, "confirmed, but not in the log"
    wait_until(lambda: httpx2.get(f"{url}/readyz").status_code == 200, what="a green /readyz")
    figures.confirmed = people.clock
    return figures


def add(total: Figures, one: Figures) -> None:
    """Sums up."""
    total.rounds += 1
    total.confirmed += one.confirmed
    total.red_s += one.red_s
    total.back_s += one.back_s


def failing_fsync(rounds: int, seed: int, folder: Path, until_s: float = 1e9) -> Figures:
    """Round n fails every fsync from the n-th on. The server lives through all of them."""
    total, began, shim = Figures(), time.monotonic(), Shim(folder)
    with running_server(folder / "data", env=shim.env) as server:
        for number in range(1, rounds + 1):
            with pair(server, f"fsync-{seed}-{number}") as people:
                first = shim.calls + number
                shim.fail(number)
                add(total, one_round(people, lambda first=first: shim.calls >= first, shim.heal))  # type: ignore[misc]
            if time.monotonic() - began > until_s:
                break
    return total


@contextmanager
def small_disk() -> Iterator[Path]:
    """A tmpfs that is soon full (root)."""
    folder = Path(tempfile.mkdtemp(prefix="collab-full-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def full_disk(rounds: int, seed: int) -> Figures:
    """Round after round the disk is filled up, and space is made again."""
    total, random = Figures(), Random(seed)
    with small_disk() as folder, running_server(folder / "data") as server:
        filler = folder / "filler"
        for number in range(rounds):

            def fill() -> None:
                with filler.open("wb", buffering=0) as file:
                    for size in (1 << 20, 4096, 1):  # to the last page
                        try:
                            while True:
                                file.write(b"x" * size)
                        except OSError:
                            continue

            def is_full() -> bool:
                return httpx2.get(f"{server.url}/readyz").status_code == 503

            with pair(server, f"full-{seed}-{number}") as people:
                people.type("y" * random.randint(1, 2000))
                people.confirmations(5.0)
                fill()
                add(total, one_round(people, is_full, filler.unlink))
    return total


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="fill the disk instead of failing fsync")
    parser.add_argument("--minutes", type=float, default=1e9, help="failing fsync: stop after so long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collab-storage-") as folder:
        if options.full:
            if os.geteuid() != 0:
                sys.stdout.write("SKIPPED: a small tmpfs needs root\n")
                return 2
            figures = full_disk(options.rounds, options.seed)
        else:
            figures = failing_fsync(options.rounds, options.seed, Path(folder), options.minutes * 60.0)
    sys.stdout.write(f"{figures}\n")
    return int(max(figures.red_s) > RED_S)


if __name__ == "__main__":
    sys.exit(main())
