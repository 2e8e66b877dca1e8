"""Presence and event streams: what happens now, for those without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from collab.core.awareness import encode_entries
from collab.errors import Draining
from collab.limits import Limits
from collab.protocol.messages import encode_awareness
from collab.types import Access
from tests.api.service import Service, until
from tests.patience import PATIENCE_S
from tests.updates import typed

EVENTS = "/api/documents/d/events"
STATE = "/api/documents/d/state"


def presence(client: int, clock: int, state: bytes) -> bytes:
    """A presence frame."""
    return encode_awareness(encode_entries([(client, clock, state)]))


@pytest.mark.everywhere
async def test_presence_is_what_people_announce(api: Service) -> None:
    """As the bytes that came, oddities of JavaScript's JSON included; asking makes nobody appear."""
    await api.create()
    path = "/api/documents/d/presence"
    opened = [dict(parts.hub.slots) for parts in api.nodes]
    for _ in api.nodes:
        assert (await api.client.get(path)).json() == {"people": [], "sockets": 0}
    assert [parts.hub.slots for parts in api.nodes] == opened
    async with api.socket() as ada, api.socket(access=Access.READ) as eve:
        ada.send(presence(1, 1, b'{"user":{"name":"Ada"}}'))
        eve.send(presence(2**53 - 1, 1, b'{"x":"\\ud800","n":99999999999999999999,\n"y":null}'))
        answer = await api.client.get(path)
    assert answer.json() == {
        "people": [
            {"client_id": 1, "state": {"user": {"name": "Ada"}}},
            {"client_id": 2**53 - 1, "state": {"x": "\ud800", "n": 99999999999999999999, "y": None}},
        ],
        "sockets": 2,
    }


@dataclass
class Event:
    """One Server-Sent Event."""

    kind: str
    id: str | None
    data: dict[str, object]


class Stream:
    """Speaks to the application as a server would, so that a stream that never ends can be read as it comes."""

    def __init__(self, api: Service, last_event_id: str | None) -> None:
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self.status: int | None = None
        headers = [(b"last-event-id", last_event_id.encode())] if last_event_id is not None else []
        scope = {
            "type": "http", "method": "GET", "path": EVENTS, "raw_path": EVENTS.encode(), "query_string": b"",
            "headers": headers, "client": ("test", 1), "server": ("test", 80), "scheme": "http", "http_version": "1.1",
        }  # fmt: skip
        self.task = asyncio.create_task(api.front(scope, self._receive, self._send))  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, object]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]  # type: ignore[assignment]
        elif message.get("body"):
            self._inbox.put_nowait(message["body"])  # type: ignore[arg-type]

    async def next(self) -> Event:
        """The next event; comments are skipped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                lines = (await self._inbox.get()).decode().strip().splitlines()
                fields = [line.split(": ", 1) for line in lines if not line.startswith(":")]
                if fields:
                    break
        data = json.loads("\n".join(value for name, value in fields if name == "data"))
        one = dict(fields)  # type: ignore[arg-type]
        return Event(one["event"], one.get("id"), data)

    async def close(self) -> None:
        """The client goes away."""
        self._gone.set()
        await self.task


@asynccontextmanager
async def watching(api: Service, last_event_id: str | None = None) -> AsyncIterator[Stream]:
    """A stream until the block ends."""
    stream = Stream(api, last_event_id)
    try:
        yield stream
    finally:
        await stream.close()


@pytest.mark.everywhere
async def test_a_stream_tells_where_the_document_stands_and_what_happens(api: Service) -> None:
    """Versions as they commit, snapshots, and people."""
    lineage = (await api.create())["lineage"]
    async with watching(api) as stream:
        update = await stream.next()
        assert (update.kind, update.data) == ("update", {"seq": 0, "version": f"{lineage}.0"})
        assert (await stream.next()).data == {"people": [], "sockets": 0}
        await api.post(typed(1, 0, "ab"))
        assert (await stream.next()).data["seq"] == 1
        snapshot = (await api.client.post("/api/documents/d/snapshots", json={"label": "s"})).json()
        told = await stream.next()
        assert (told.kind, told.data) == ("snapshot", snapshot)
        async with api.socket() as peer:
            peer.send(presence(7, 1, b'{"a":1}'))
            assert (await stream.next()).data["people"] == [{"client_id": 7, "state": {"a": 1}}]
        assert (await stream.next()).data == {"people": [], "sockets": 0}
    assert not any(pinned(api))


def pinned(api: Service) -> list[int]:
    """How often each node's room of the document is pinned."""
    return [slot.pins for parts in api.nodes if (slot := parts.hub.slots.get("d")) is not None]


async def test_a_stream_resumes(api: Service) -> None:
    """Nothing that was told is told again, and nothing is missed."""
    await api.create()
    async with watching(api) as stream:
        first = await stream.next()
        await stream.next()
    async with watching(api, first.id) as stream:
        assert (await stream.next()).kind == "presence"
    snapshots = [(await api.client.post("/api/documents/d/snapshots")).json() for _ in range(2)]
    await api.post(typed(1, 0, "ab"))
    async with watching(api, first.id) as stream:
        told = [await stream.next() for _ in range(4)]
    assert [event.kind for event in told] == ["snapshot", "snapshot", "update", "presence"]
    assert [event.data for event in told[:2]] == snapshots
    async with watching(api, told[0].id) as stream:
        assert [(await stream.next()).data for _ in range(2)] == [snapshots[1], told[2].data]


@pytest.mark.parametrize("last", ["", "x", "other.5.-", "..", "\u00e9", "a.b.c.d"])
async def test_an_unknown_last_event_id_begins_anew(api: Service, last: str) -> None:
    """Of another lineage, or of another server."""
    await api.create()
    async with watching(api, last) as stream:
        assert (await stream.next()).kind == "update"


async def test_a_slow_reader_gets_the_newest(api: Service) -> None:
    """However much happened while it did not read, each kind of thing is told once."""
    await api.create()
    async with watching(api) as stream:
        await stream.next()
        await stream.next()
        async with api.socket() as peer:
            for clock in range(100):
                peer.edit(typed(1, clock, "x"))
            await peer.saved()
        seen = await stream.next()
        while seen.data["seq"] != 100:
            seen = await stream.next()
        assert stream._inbox.qsize() <= 1


@pytest.mark.parametrize(("purge", "code"), [(False, "gone"), (True, "lineage_retired")])
async def test_deletion_ends_the_stream(api: Service, purge: bool, code: str) -> None:
    """With a last event that says why."""
    await api.create()
    async with watching(api) as stream:
        await stream.next()
        await stream.next()
        await api.client.delete("/api/documents/d", params={"purge": purge})
        end = await stream.next()
        assert (end.kind, end.data["code"]) == ("end", code)
        await stream.task
    async with watching(api, "x") as stream:
        await stream.task
        assert stream.status == (404 if purge else 410)


@pytest.mark.one_node
async def test_streams_have_the_ceilings_of_sockets(api: Service) -> None:
    """Each holds a connection and a room; a script that forgets to close them must not hold all."""
    await api.create()
    api.parts.seats.limits = Limits(sessions_per_address_max=1)
    async with watching(api) as first:
        await first.next()
        async with watching(api) as second:
            await second.task
            assert second.status == 503
    assert len(api.parts.seats) == 0
    async with watching(api) as third:
        assert (await third.next()).kind == "update"


@pytest.mark.one_node
async def test_long_polls_have_the_ceilings_of_sockets(api: Service) -> None:
    """Each holds a connection and a room as long as it waits, and no longer."""
    await api.create()
    api.parts.seats.limits = Limits(sessions_per_address_max=1)
    headers = {"if-none-match": (await api.client.get(STATE)).headers["etag"]}
    first = asyncio.create_task(api.client.get(f"{STATE}?wait=60", headers=headers))
    await until(lambda: len(api.parts.seats) == 1)
    second = await api.client.get(f"{STATE}?wait=60", headers=headers)
    assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (503, "overloaded", "1")
    assert (await api.client.get(STATE, headers=headers)).status_code == 304, "who does not wait needs no seat"
    assert (await api.post(typed(1, 0, "new"))).status_code == 200
    assert (await first).status_code == 200
    assert len(api.parts.seats) == 0


async def test_a_node_that_goes_down_ends_its_streams(api: Service) -> None:
    """The browser comes back by itself, to another node."""
    await api.create()
    async with watching(api) as stream:
        await stream.next()
        for slot in (parts.hub.slots.get("d") for parts in api.nodes):
            if slot is not None:
                slot.tell("end", Draining())
        kinds = [(await stream.next()).kind]
        while kinds[-1] != "end":
            kinds.append((await stream.next()).kind)
        await stream.task
    await until(lambda: not any(pinned(api)))
