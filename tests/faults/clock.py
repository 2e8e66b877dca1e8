"""The wall clock jumps: `python -m tests.faults.clock --rounds N --seed S`.

A real server runs under a preloaded library (clock_shim.c); its wall clock is set ten years forward, ten years back and
right again, while two people are connected. After each jump: what one types is confirmed and reaches the other within
seconds, and so does presence; new tokens and tickets, made by the clock as it stands, are taken, and what has expired
by it is refused; REST answers, and what it writes bears the clock's time. Then the server is killed, the clock jumps
once more, and all that was confirmed is there.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.core.awareness import decode_entries, encode_entries
from collab.crdt.clocks import Clocks
from collab.crdt.gate import check
from collab.limits import DEFAULT
from collab.protocol import messages
from collab.protocol.messages import Kind
from collab.protocol.varint import read_varuint, write_varuint
from tests.access.realm import Realm, realm, token
from tests.backends import embedded
from tests.faults.shim import Wall
from tests.patience import PATIENCE_S
from tests.updates import typed, vector

TEN_YEARS_S = 3652 * 86_400
DOCUMENT = "clock"
OFFSETS = (0, TEN_YEARS_S, -TEN_YEARS_S)
BINARY = {"content-type": "application/octet-stream"}


class Person:
    """One socket: what it knows, what was confirmed to it, and whom it sees."""

    def __init__(self, client: int, socket: ClientConnection) -> None:
        self.client = client
        self.clocks = Clocks()
        self.confirmed = self.typed = self.presence = 0
        self.seen: dict[int, int] = {}  # CRDT client id to the newest clock of its presence
        self.closed: int | None = None  # the code
        self._socket = socket
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def type(self) -> None:
        """A letter, a question whether all is durable, and a sign of presence."""
        await self._socket.send(messages.encode_update(typed(self.client, self.typed, "x")))
        self.clocks.advance(check(typed(self.client, self.typed, "x")))
        self.typed += 1
        self.presence += 1
        await self._socket.send(messages.encode_status(write_varuint(self.typed)))
        await self._socket.send(messages.encode_awareness(encode_entries([(self.client, self.presence, b'{"a":1}')])))

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for something that the server tells. Raises AssertionError."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: not within {PATIENCE_S:.0f} s") from None

    async def leave(self) -> None:
        """Hangs up."""
        await self._socket.close()
        await self._reader

    async def _read(self) -> None:
        await self._socket.send(messages.encode_step1(vector(self.clocks.next)))
        try:
            async for message in self._socket:
                assert isinstance(message, bytes)
                await self._take(message)
                self._changed.set()
        except ConnectionClosed:
            pass
        self.closed = self._socket.close_code
        self._changed.set()

    async def _take(self, message: bytes) -> None:
        kind, body = messages.decode(message)
        if kind is Kind.STEP1:
            await self._socket.send(messages.encode_step2(messages.EMPTY_UPDATE))
        elif kind in (Kind.STEP2, Kind.UPDATE):
            self.clocks.advance(check(body))
        elif kind is Kind.STATUS:
            self.confirmed = max(self.confirmed, read_varuint(body, 0)[0])
        elif kind is Kind.AWARENESS:
            self.seen |= {client: clock for client, clock, state in decode_entries(body, DEFAULT) if state != b"null"}


class Jumps:
    """The server, its clock, and two people who stay connected throughout."""

    def __init__(self, here: Realm, wall: Wall) -> None:
        self.here = here
        self.wall = wall
        self.people: list[Person] = []
        here.tokens["admin"] = lasting("root", scope="admin")
        here.tokens["ada"] = lasting("ada", (DOCUMENT, "write"))

    async def begin(self) -> None:
        """Both come in with tokens that no jump here ends."""
        created = await self._ask("admin", "POST", "/api/documents", json={"id": DOCUMENT})
        assert created.status_code == 201
        self.people = [Person(client, await self._socket("ada")) for client in (1, 2)]

    async def end(self) -> None:
        """Both leave."""
        for person in self.people:
            await person.leave()

    async def jump(self, offset_s: int) -> None:
        """Sets the clock, then looks whether everything still goes on."""
        late = await self._expiring() if offset_s > self.wall.offset_s else None
        self.wall.set(offset_s)
        await self._talk()
        await self._come_in()
        await self._write()
        if late is not None:
            await late.until(lambda: late.closed is not None, "a token that has expired ends its socket")
            assert late.closed == 4401, f"it was closed with {late.closed}"
            await late.leave()

    async def _talk(self) -> None:
        for one, other in (self.people, reversed(self.people)):
            await one.type()
            await one.until(lambda one=one: one.confirmed == one.typed, "an edit is confirmed")  # type: ignore[misc]
            await other.until(
                lambda one=one, other=other: (  # type: ignore[misc]
                    other.clocks.next.get(one.client) == one.typed and other.seen.get(one.client) == one.presence
                ),
                "edit and presence reach the other",
            )

    async def _come_in(self) -> None:
        """With a token and a ticket of this moment."""
        now = self.wall.now()
        self.here.tokens["now"] = token("bob", (DOCUMENT, "write"), iat=now, exp=now + 3600.0)
        minted = await self._ask("now", "POST", f"/api/documents/{DOCUMENT}/tickets", json={"access": "read"})
        assert minted.status_code == 201, minted.text
        url = f"{self.here.server.socket_url}/{DOCUMENT}?ticket={minted.json()['ticket']}"
        bob = Person(9, await connect(url, max_size=None))
        await bob.until(lambda: bob.clocks.next == self.people[0].clocks.next, "a ticket lets one in")
        await bob.leave()
        self.here.tokens["over"] = token("bob", (DOCUMENT, "write"), iat=now - 7200.0, exp=now - 3600.0)
        assert (await self._ask("over", "GET", f"/api/documents/{DOCUMENT}")).status_code == 401

    async def _write(self) -> None:
        """By REST; the log says when, by this clock."""
        client = 1000 + self.people[0].typed
        path = f"/api/documents/{DOCUMENT}/updates"
        answer = await self._ask("now", "POST", path, content=typed(client, 0, "rest"), headers=BINARY)
        assert answer.status_code == 200, answer.text
        [row, *_] = (await self._ask("now", "GET", f"{path}?after={answer.json()['seq'] - 1}")).json()["items"]
        off_s = datetime.fromisoformat(row["created_at"]).timestamp() - self.wall.now()
        assert abs(off_s) < 3600.0, f"the log says {row['created_at']}"

    async def _expiring(self) -> Person:
        now = self.wall.now()
        self.here.tokens["late"] = token("late", (DOCUMENT, "read"), iat=now, exp=now + 3600.0)
        return Person(8, await self._socket("late"))

    async def crash(self, offset_s: int) -> None:
        """SIGKILL, another clock, and all that was confirmed is there."""
        await asyncio.to_thread(self.here.server.servers[0].kill)
        for person in self.people:
            await person.until(lambda person=person: person.closed is not None, "the kill")  # type: ignore[misc]
        self.wall.set(offset_s)
        await asyncio.to_thread(self.here.server.servers[0].start)
        state = await self._ask("admin", "GET", f"/api/documents/{DOCUMENT}/state")
        clocks = {client: end for client, _, end in check(state.content).runs}
        for person in self.people:
            assert clocks.get(person.client, 0) >= person.confirmed, "what was confirmed is gone"
            await person.leave()
        self.people = [Person(p.client + 2, await self._socket("ada")) for p in self.people]

    async def _ask(self, role: str, method: str, path: str, **options: Any) -> Any:
        return await asyncio.to_thread(self.here.ask, role, method, path, **options)

    async def _socket(self, role: str) -> ClientConnection:
        url = f"{self.here.server.socket_url}/{DOCUMENT}"
        return await connect(url, additional_headers=self.here.as_(role), max_size=None)


def lasting(user: str, *grants: tuple[str, str], scope: str = "") -> str:
    """A token for all the years that are to be seen."""
    now = time.time()
    return token(user, *grants, scope=scope, iat=now - 2 * TEN_YEARS_S, exp=now + 2 * TEN_YEARS_S)


@contextmanager
def jumping(folder: Path) -> Any:
    """A server whose wall clock can be set."""
    wall = Wall(folder)
    with realm(embedded(folder / "data"), folder / "data", env=wall.env) as here:
        yield Jumps(here, wall)


async def campaign(jumps: Jumps, rounds: int, seed: int) -> int:
    """`rounds` jumps, a kill after every fourth; returns how many edits were confirmed."""
    random, confirmed = Random(seed), 0
    await jumps.begin()
    for number in range(1, rounds + 1):
        await jumps.jump(random.choice([offset for offset in OFFSETS if offset != jumps.wall.offset_s]))
        if number % 4 == 0:
            confirmed += sum(person.confirmed for person in jumps.people)
            await jumps.crash(random.choice(OFFSETS))
    await jumps.end()
    return confirmed + sum(person.confirmed for person in jumps.people)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="jumps")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collab-clock-") as folder, jumping(Path(folder)) as jumps:
        confirmed = asyncio.run(campaign(jumps, options.rounds, options.seed))
    sys.stdout.write(f"{options.rounds} jumps of ten years and more, {confirmed} edits confirmed, nothing amiss\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
