"""Who begins something and does not end it holds neither connections nor memory; floods slow their own socket."""

from __future__ import annotations

import asyncio
import mmap
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.websockets import WebSocketState
from websockets.asyncio.client import ClientConnection

from collab.limits import Limits
from collab.protocol.messages import encode_status, encode_update
from collab.sockets import asgi
from collab.sockets.arrivals import READ_BYTES, Arrivals
from collab.sockets.backlog import SLICE_BYTES
from collab.sockets.fast import FastProtocol
from collab.sockets.intake import Intake
from collab.sockets.listener import FastSocket
from tests.patience import PATIENCE_S
from tests.sockets.conftest import Node
from tests.sockets.test_shells import closed, greeted, with_limits
from tests.updates import typed

FIN_BINARY, BINARY, CONTINUATION, PING, PONG = 0x82, 0x02, 0x00, 0x89, 0x8A


def frame(head: int, payload: bytes, size: int | None = None) -> bytes:
    """A masked frame (with the mask 0) that announces `size`."""
    announced = len(payload) if size is None else size
    if announced < 126:
        length = bytes((0x80 | announced,))
    elif announced < 65_536:
        length = b"\xfe" + announced.to_bytes(2, "big")
    else:
        length = b"\xff" + announced.to_bytes(8, "big")
    return bytes((head,)) + length + bytes(4) + payload


def write(socket: ClientConnection, data: bytes) -> None:
    """Raw bytes, past the client library."""
    socket.transport.write(data)


async def until(holds: Callable[[], object]) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.005)


only_fast = pytest.mark.parametrize("node", ["fast"], indirect=True)


async def raw(node: Node) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = node.url.removeprefix("ws://").partition("/")[0].split(":")
    return await asyncio.open_connection(host, int(port))


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server hangs up."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        return b""


@only_fast
@with_limits(handshake_s=0.2)
@pytest.mark.parametrize("head", [b"", b"GET /sync/doc HTTP/1.1\r\nHost: a\r\nX-A: "])
async def test_a_request_head_that_does_not_end_is_hung_up_on(node: Node, head: bytes) -> None:
    reader, writer = await raw(node)
    writer.write(head)
    assert await rest_of(reader) == b""
    writer.close()


@only_fast
@with_limits(handshake_s=0.2)
async def test_so_is_a_second_one_on_the_same_connection(node: Node) -> None:
    reader, writer = await raw(node)
    writer.write(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"404" in await reader.readuntil(b"\r\n")
    writer.write(b"GET /noth")
    await rest_of(reader)
    writer.close()


@only_fast
@with_limits(header_bytes_max=1_000)
async def test_a_request_head_that_is_too_large_is_refused(node: Node) -> None:
    reader, writer = await raw(node)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 1_000)
    assert b"431" in await rest_of(reader)
    writer.close()


@only_fast
@with_limits(arriving_s_max=10.0)
async def test_a_frame_that_does_not_end_is_given_up(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    write(socket, frame(FIN_BINARY, b"\0" * 40_000, size=1_000_000))
    arrivals = node.sockets.arrivals
    await until(lambda: arrivals.held_bytes >= 30_000)
    arrivals.sweep(asyncio.get_running_loop().time() + 9)
    assert len(arrivals) == 1
    arrivals.sweep(asyncio.get_running_loop().time() + 11)
    assert await closed(socket) in (1013, 1006)
    await until(lambda: not node.hub.counters.sockets)
    assert arrivals.held_bytes == len(arrivals) == 0


@only_fast
async def test_a_large_frame_that_ends_holds_nothing(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    await socket.send(encode_update(typed(1, 0, "x" * 300_000)))
    await socket.send(encode_status(b"\x01"))
    assert await socket.recv() == encode_status(b"\x01")
    assert node.sockets.arrivals.held_bytes == 0
    await socket.close()


@pytest.mark.one_node
@only_fast
@with_limits(arriving_bytes_per_s=1.0, arriving_bytes_burst=1)
async def test_who_sends_a_large_frame_fast_is_not_read_for_a_while_and_nobody_else_waits(node: Node) -> None:
    large, small = await greeted(node.url + "doc"), await greeted(node.url + "other")
    whole = READ_BYTES + 4 * SLICE_BYTES
    write(large, frame(FIN_BINARY, b"\0" * whole, size=1_000_000))
    protocol = await _arriving(node)
    await until(lambda: protocol.is_resting)
    await small.send(encode_update(typed(1, 0, "x")))
    await small.send(encode_status(b"\x01"))
    assert await small.recv() == encode_status(b"\x01")
    before = node.sockets.arrivals.held_bytes
    assert before < whole, "the rest is in the kernel"
    protocol.listener._rested()  # a day has passed
    await until(lambda: node.sockets.arrivals.held_bytes > before)
    node.sockets.arrivals.sweep(asyncio.get_running_loop().time() + 61)  # nor does resting hold its place for long
    assert await closed(large) in (1013, 1006)
    await small.close()
    await until(lambda: not node.hub.counters.sockets)


@pytest.mark.one_node
@only_fast
async def test_once_a_large_frame_has_ended_small_ones_come_straight_to_the_protocol(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    body = encode_update(typed(1, 0, "x" * 300_000))
    write(socket, frame(FIN_BINARY, body)[:-1])
    protocol = await _arriving(node)
    assert isinstance(protocol.transport.underlying_transport.get_protocol(), Intake)
    write(socket, body[-1:])
    await until(lambda: not protocol.is_arriving)
    assert protocol.transport.underlying_transport.get_protocol() is protocol
    await socket.send(encode_status(b"\x01"))
    assert await socket.recv() == encode_status(b"\x01")
    await socket.close()


@pytest.mark.one_node
@only_fast
@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="memory is given back where there is a call for it")
async def test_what_a_large_frame_took_is_given_back_while_its_connection_lives(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    body = b"\x05" * 300_000  # a message of another protocol
    write(socket, frame(FIN_BINARY, body)[:-1])
    protocol = await _arriving(node)
    write(socket, body[-1:])
    await until(lambda: not protocol.is_arriving)
    buffer = bytes(protocol.get_buffer(-1))
    assert len(buffer) > len(body) and buffer.count(b"\x05") < 2 * mmap.PAGESIZE
    await socket.close()


async def _arriving(node: Node) -> FastProtocol:
    """The one of whom a large frame is arriving."""
    held = node.sockets.arrivals._held
    await until(lambda: held)
    (protocol,) = held
    assert isinstance(protocol, FastProtocol)
    return protocol


@pytest.mark.one_node
@only_fast
@with_limits(arriving_bytes_max=100_000)
async def test_what_is_arriving_is_bounded_over_all_sockets(node: Node) -> None:
    one, two = await greeted(node.url + "doc"), await greeted(node.url + "other")
    write(one, frame(FIN_BINARY, b"\0" * 70_000, size=1_000_000))
    await until(lambda: node.sockets.arrivals.held_bytes > 50_000)
    write(two, frame(FIN_BINARY, b"\0" * 70_000, size=1_000_000))
    assert await closed(two) in (1013, 1006)
    assert node.hub.counters.sockets == 1
    one.transport.abort()
    await until(lambda: node.sockets.arrivals.held_bytes == 0)


@only_fast
async def test_fragments_count_too_and_pings_between_them_do_not_help(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    write(socket, frame(BINARY, b"\0" * 40_000))
    for _ in range(3):
        write(socket, frame(PING, b"") + frame(CONTINUATION, b"\0" * 20_000))
    await until(lambda: node.sockets.arrivals.held_bytes == 100_000)
    node.sockets.arrivals.sweep(asyncio.get_running_loop().time() + 61)
    assert await closed(socket) in (1013, 1006)
    await until(lambda: node.sockets.arrivals.held_bytes == 0)


@only_fast
@pytest.mark.parametrize("payload", [b"", b"\0"])
async def test_fragment_floods_end_their_socket(node: Node, payload: bytes) -> None:
    socket = await greeted(node.url + "doc")
    write(socket, frame(BINARY, payload) + frame(CONTINUATION, payload) * 100)
    assert await closed(socket) == 4413
    assert node.refusals.counts == {("socket", "too_large"): 1}


@only_fast
async def test_a_compressed_frame_is_refused(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    write(socket, frame(FIN_BINARY | 0x40, os.urandom(100)))
    assert await closed(socket) == 4400


@only_fast
@with_limits(frames_per_s=100, frames_burst=10, debt_s_max=1.0)
async def test_pings_are_frames(node: Node) -> None:
    """Past the burst, time is owed; who owes too much is told why, and ended."""
    socket = await greeted(node.url + "doc")
    write(socket, frame(PING, b"hi") * 8)
    await until(lambda: node.hub.counters.sockets)
    write(socket, frame(PING, b"") * 20_000)
    assert await closed(socket) in (4529, 1006), "the code may be lost, since not all was read"
    assert node.refusals.counts == {("socket", "rate_limited"): 1}


@only_fast
async def test_who_does_not_read_gets_no_pongs_to_keep(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    (session,) = node.hub.slots["doc"].room.sessions
    outbox = session.outbox
    outbox.pause_writing()  # type: ignore[attr-defined]
    transport = outbox.transport.underlying_transport  # type: ignore[attr-defined]
    write(socket, frame(PING, b"x" * 100) * 1_000)
    await until(lambda: outbox.heard)
    await socket.send(encode_status(b"\x01"))
    await until(lambda: session.owes_status == b"\x01")
    assert transport.get_write_buffer_size() == 0
    await socket.close()


@only_fast
async def test_what_follows_the_end_of_a_connection_is_not_looked_at(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300,000 fragments, of which 64 are allowed: nearly all of them are dropped as bytes."""
    looked_at = 0

    def counted(self: FastSocket, transport: object, frame: object) -> None:
        nonlocal looked_at
        looked_at += 1
        genuine(self, transport, frame)  # type: ignore[arg-type]

    genuine = FastSocket.on_ws_frame
    monkeypatch.setattr(FastSocket, "on_ws_frame", counted)
    socket = await greeted(node.url + "doc")
    write(socket, frame(BINARY, b"\0") + frame(CONTINUATION, b"\0") * 300_000)
    assert await closed(socket) == 4413
    assert looked_at < 10_000


@only_fast
@with_limits(frames_per_s=100, frames_burst=10, debt_s_max=1.0)
async def test_pongs_are_frames_too(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    write(socket, frame(PONG, b"") * 20_000)
    assert await closed(socket) in (4529, 1006)
    assert node.refusals.counts == {("socket", "rate_limited"): 1}


@only_fast
async def test_many_frames_that_come_at_once_are_all_taken_in_their_order(node: Node) -> None:
    """They are looked at slice by slice; a large one among them is whole in the end."""
    socket = await greeted(node.url + "doc")
    updates = [typed(1, number, "x") for number in range(2_000)]
    sent = [*updates[:1_000], typed(2, 0, "y" * 300_000), *updates[1_000:]]
    write(socket, b"".join(frame(FIN_BINARY, encode_update(update)) for update in sent))
    await socket.send(encode_status(b"\x01"))
    async with asyncio.timeout(PATIENCE_S):
        assert await socket.recv() == encode_status(b"\x01")
    assert node.hub.slots["doc"].room.history.clocks.next == {1: 2_000, 2: 300_000}
    await socket.close()


class Messages:
    """A WebSocket of an ASGI server, as far as reading it goes: these messages, then the end."""

    client_state = WebSocketState.CONNECTED

    def __init__(self, *sizes: int) -> None:
        self._left = [{"type": "websocket.receive", "bytes": bytes(size)} for size in sizes]

    async def receive(self) -> dict[str, object]:
        return self._left.pop(0) if self._left else {"type": "websocket.disconnect"}


async def test_behind_an_asgi_server_it_is_not_read_on_after_a_large_message(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, rests = asyncio.Event(), list[float]()
    reading.set()
    taken = SimpleNamespace(error=None, receive=lambda data: 0.0, reading=reading)
    arrivals = Arrivals(Limits(arriving_bytes_per_s=1_000.0, arriving_bytes_burst=10))

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("collab.sockets.asgi.asyncio.sleep", rest)
    sockets = SimpleNamespace(arrivals=arrivals, hub=SimpleNamespace(congested=False))
    await asgi._read(cast(Any, Messages(100, 50_000)), cast(Any, sockets), cast(Any, taken))
    assert rests == [pytest.approx(49.99)]
