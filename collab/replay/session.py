"""A whole replay: authors on their sockets, a watcher, a poller, and the check at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from pycrdt import Doc, Text

from collab.errors import Conflict, StorageUnavailable
from collab.replay.address import Address
from collab.replay.author import Author
from collab.replay.flight import Flight
from collab.replay.pace import Pace
from collab.replay.peer import Peer
from collab.replay.poller import Poller, refuse
from collab.replay.rehearsal import prepare
from collab.replay.report import Report, check
from collab.replay.schedule import Schedule
from collab.replay.trace import Trace


class Replay:
    """Plays one trace into one document that must be empty, and checks what everybody holds at the end."""

    def __init__(
        self, trace: Trace, address: Address, root: str, pace: Pace, progress: Callable[[int], None] = lambda done: None
    ) -> None:
        self._trace, self._address, self._root, self._pace = trace, address, root, pace
        self._progress = progress
        self._news = asyncio.Event()
        self._report = Report(trace.name, address.document)
        if not trace.client_ids:
            prepare(trace)
        schedule, flight = Schedule(trace), Flight(trace.agent_count)
        self._peers: list[Peer] = []
        self._authors = [
            Author(agent, trace, schedule, flight, root, self._connect) for agent in range(trace.agent_count)
        ]
        self._watcher: Doc[Any] = Doc()
        self._connect(self._watcher, self._watcher.apply_update)

    def _connect(self, replica: Doc[Any], receive: Callable[[bytes], None]) -> Peer:
        self._peers.append(Peer(self._address, replica, receive, self._news.set))
        return self._peers[-1]

    async def run(self) -> Report:
        """The whole job. Raises CollabError if it cannot be done; a wrong end is told by the report."""
        async with httpx2.AsyncClient(headers=self._address.headers, timeout=60.0) as http:
            await create(http, self._address, f"replay of {self._trace.name}")
            poller = Poller(http, self._address, self._news.set)
            jobs = [poller.run(self._pace.poll_s), *(peer.run() for peer in self._peers)]
            await beside(self._play(), jobs)
            await poller.poll()
            self._report.polls, self._report.polls_unchanged = poller.polls, poller.unchanged
            await self._conclude(http, poller)
        return self._report

    async def _play(self) -> None:
        await self._until(lambda: all(peer.synced and peer.live for peer in self._peers))
        if any(str(author.screen) for author in self._authors):
            raise Conflict(f"{self._address.document} is not empty: replay into a new document")
        began = time.monotonic()
        while not all(author.done for author in self._authors):
            await self._turn(time.monotonic() - began)
        self._report.edits, self._report.seconds = len(self._trace), time.monotonic() - began
        self._progress(len(self._trace))
        await self._until(lambda: str(self._watcher.get(self._root, type=Text)) == self._trace.end, may_fail=True)

    async def _turn(self, elapsed_s: float) -> None:
        made = sum(author.made for author in self._authors)
        due = int(elapsed_s * self._pace.edits_per_s) + 1 - made if self._pace.edits_per_s else self._pace.window
        typed = 0
        for author, peer in zip(self._authors, self._peers, strict=False):  # the last peer is the watcher's
            room = self._pace.window - (author.made - peer.saved)
            typed += author.turn(min(self._pace.per_turn, room, due - typed), self._pace.per_frame)
            if author.sent - peer.saved > self._pace.window // 4 or author.sent == author.total:
                peer.ask(author.sent)
        self._progress(made + typed)
        if typed:
            await asyncio.sleep(0)  # lets frames in
        else:
            await self._wait(1 / self._pace.edits_per_s if self._pace.edits_per_s else self._pace.stall_s)

    async def _wait(self, timeout_s: float) -> None:
        """Until something happens. Nothing for `stall_s` is the end, unless the pace itself is that slow."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except TimeoutError:
            if not self._pace.edits_per_s:
                raise StorageUnavailable(f"nothing moved for {timeout_s:.0f} s; the server took no more") from None
        self._news.clear()

    async def _until(self, holds: Callable[[], bool], may_fail: bool = False) -> None:
        try:
            async with asyncio.timeout(self._pace.stall_s):
                while not holds():
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            if not may_fail:
                raise StorageUnavailable(f"not everybody was in sync after {self._pace.stall_s:.0f} s") from None

    async def _conclude(self, http: httpx2.AsyncClient, poller: Poller) -> None:
        end, root = self._trace.end, self._root
        checks = [check(f"author {a.agent} (socket)", str(a.screen), end) for a in self._authors]
        checks.append(check("watcher (socket)", text_of(self._watcher, root), end))
        checks.append(check("poller (REST)", text_of(poller.doc, root), end))
        self._report.snapshot, state = await take_snapshot(http, self._address, f"end of {self._trace.name}")
        checks.append(check("snapshot (REST)", text_of(state, root), end))
        self._report.checks = checks


async def create(http: httpx2.AsyncClient, address: Address, title: str) -> None:
    """Creates the document; one that exists is fine."""
    answer = await http.post(address.documents, json={"id": address.document, "title": title})
    if not answer.is_success and answer.status_code != 409:
        refuse(answer)


async def take_snapshot(http: httpx2.AsyncClient, address: Address, label: str) -> tuple[str, Doc[Any]]:
    """Stores a snapshot and reads it back: (its id, its state as a document)."""
    answer = await http.post(f"{address.rest}/snapshots", json={"label": label})
    if not answer.is_success:
        refuse(answer)
    snapshot = str(answer.json()["id"])
    answer = await http.get(f"{address.rest}/snapshots/{snapshot}/state")
    if not answer.is_success:
        refuse(answer)
    doc: Doc[Any] = Doc()
    doc.apply_update(answer.content)
    return snapshot, doc


def text_of(doc: Doc[Any], root: str) -> str:
    """The text that a client holds."""
    return str(doc.get(root, type=Text))


async def beside(main: Awaitable[None], jobs: list[Any]) -> None:
    """Runs `main` with jobs that never end by themselves; the first failure of any is raised, alone."""
    tasks = [asyncio.ensure_future(job) for job in (main, *jobs)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
