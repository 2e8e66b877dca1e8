"""The bus on a real Valkey: frames arrive, and its death costs nobody anything but speed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager

import pytest
import redis

from collab.bus.base import EVERYBODY, BusFrame, Kind
from collab.bus.redis import RedisBus
from tests import realservers
from tests.patience import PATIENCE_S, Elapsed


async def until(holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise Elapsed("it did not come true")
        await asyncio.sleep(0.005)


@asynccontextmanager
async def buses(url: str, *names: str) -> AsyncIterator[list[tuple[RedisBus, list[BusFrame]]]]:
    """A started bus per node, with what it has heard."""
    async with AsyncExitStack() as stack:
        found = []
        for name in names:
            bus, heard = RedisBus(url, name), list[BusFrame]()
            bus.listen(heard.append)
            await bus.start()
            stack.push_async_callback(bus.close)
            found.append((bus, heard))
        yield found


def commit(node: str, seq: int, document: str = "doc") -> BusFrame:
    return BusFrame(Kind.UPDATES, node, document, "lineage", seq, seq, (b"update %d" % seq,))


async def test_frames_reach_the_others_and_not_oneself(valkey: realservers.Server) -> None:
    async with buses(valkey.url, "a", "b", "c") as [(a, to_a), (b, to_b), (c, to_c)]:
        await until(lambda: a.up and b.up and c.up)
        await asyncio.gather(a.subscribe("doc"), b.subscribe("doc"), c.subscribe("other/döc"))
        sent = [commit("a", seq) for seq in range(1, 50)]
        for frame in sent:
            a.publish(frame)
        a.publish(commit("a", 7, "other/döc"))
        await until(lambda: len(to_b) == 49 and to_c)
        assert to_b == sent
        assert to_c == [commit("a", 7, "other/döc")]
        assert to_a == []
        assert a._lanes[None].sent <= 4, "frames of one turn leave in one pipeline, joined by channel"


async def test_after_unsubscribing_nothing_comes(valkey: realservers.Server) -> None:
    async with buses(valkey.url, "a", "b") as [(a, _), (b, to_b)]:
        await until(lambda: b.up)
        await b.subscribe("doc")
        await b.subscribe("last")
        b.unsubscribe("doc")
        await b.subscribe("again")
        for document in ("doc", "last"):
            a.publish(commit("a", 1, document))
        await until(lambda: to_b)
        assert [frame.document for frame in to_b] == ["last"]


async def test_bad_messages_are_counted_and_the_next_one_is_heard(valkey: realservers.Server) -> None:
    async with buses(valkey.url, "a", "b") as [(a, _), (b, to_b)]:
        await until(lambda: b.up)
        await b.subscribe("doc")
        client = redis.Redis.from_url(valkey.url)
        for message in (b"", b"\x02", b"\x01\xff", b"\x01\x01\x05ab", bytes(range(256))):
            await asyncio.to_thread(client.publish, "collab:doc", message)
        a.publish(commit("a", 1))
        await until(lambda: to_b)
        assert b.bad_messages == 5
        client.close()


async def test_a_dead_server_costs_a_publish_next_to_nothing_and_comes_back_by_itself() -> None:
    with realservers.valkey() as server:
        async with buses(server.url, "a", "b") as [(a, _), (b, to_b)]:
            await b.subscribe("doc")
            a.publish(commit("a", 1))
            await until(lambda: a.up and b.up and to_b)
            server.kill()
            a.publish(commit("a", 2))
            await until(lambda: not a.up and not b.up)
            began = time.process_time()
            for seq in range(1000):
                a.publish(commit("a", seq))
            assert time.process_time() - began < 0.1, "a thousand publishes"
            losses = b.losses
            server.restart()
            await until(lambda: b.up)
            await until(lambda: publish_alive(a))
            assert b.losses > losses
            a.publish(commit("a", 3))
            await until(lambda: commit("a", 3) in to_b)
            await until(lambda: BusFrame(Kind.LOOK, "a", "doc") in to_b)  # what was dropped is to be looked up


def publish_alive(bus: RedisBus) -> bool:
    """What a hub does every second: the first try of a breaker that is open."""
    bus.publish(BusFrame(Kind.ALIVE, "a", EVERYBODY))
    return bus.up


async def test_a_stopped_server_is_noticed_and_nobody_waits_for_it() -> None:
    with realservers.valkey() as server:
        async with buses(server.url, "a") as [(a, _)]:
            await until(lambda: publish_alive(a))
            os.kill(server.process.pid, signal.SIGSTOP)
            a.publish(commit("a", 1))
            assert a.up
            await until(lambda: not a.up)
            async with asyncio.timeout(PATIENCE_S):
                await a.subscribe("doc")  # whose answer never comes
            a.unsubscribe("doc")
            assert a._lanes[None]._confirmations == {}, "what nobody waits for is not kept"
            losses = a.losses
            os.kill(server.process.pid, signal.SIGCONT)
            await until(lambda: publish_alive(a))
            assert a.losses > losses, "what was dropped, who has which client id for instance, is to be told again"


async def test_a_bus_starts_without_its_server() -> None:
    url = f"redis://127.0.0.1:{realservers.free_port()}"
    async with buses(url, "a") as [(a, _)]:
        assert not a.up
        await a.subscribe("doc")
        a.publish(commit("a", 1))


def test_a_url_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError):
        RedisBus("amqp://127.0.0.1", "a")


def ask(server: realservers.Server, *command: str | int) -> bytes:
    """What the server answers, as bytes."""
    with redis.Redis.from_url(server.url, protocol=2) as client:
        return bytes(client.execute_command(*command, NEVER_DECODE=True))


def cluster_server() -> AbstractContextManager[realservers.Server]:
    return realservers.valkey("--cluster-enabled", "yes", "--cluster-port", str(realservers.free_port()))


def bus_port(server: realservers.Server) -> str:
    return ask(server, "CLUSTER", "NODES").split()[1].split(b"@")[1].split(b",")[0].decode()


async def test_a_cluster_is_used_by_slots() -> None:
    with cluster_server() as one, cluster_server() as two:
        ask(one, "CLUSTER", "ADDSLOTSRANGE", 0, 8191)
        ask(two, "CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
        ask(one, "CLUSTER", "MEET", "127.0.0.1", two.url.rpartition(":")[2], bus_port(two))
        await until(lambda: all(b"cluster_state:ok" in ask(server, "CLUSTER", "INFO") for server in (one, two)))
        documents = [f"doc {number}" for number in range(20)]
        async with buses(one.url, "a", "b") as [(a, _), (b, to_b)]:
            await until(lambda: len(a._lanes) == 2 and b.up)
            for document in documents:
                await b.subscribe(document)
            for document in documents:
                a.publish(commit("a", 1, document))
            await until(lambda: len(to_b) == 20)
            assert {frame.document for frame in to_b} == set(documents)
            assert all(lane.sent for lane in a._lanes.values()), "both servers take their share"
