"""One contract over both socket shells: the same frames, the same refusals, the same bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from collab.crdt.clocks import Clocks
from collab.crdt.gate import check
from collab.errors import Forbidden, Gone, NotFound, Unauthorized
from collab.limits import Limits
from collab.protocol.messages import (
    KEEPALIVE,
    Kind,
    decode,
    encode_denied,
    encode_status,
    encode_step1,
    encode_step2,
    encode_update,
)
from collab.types import Access
from tests.patience import PATIENCE_S
from tests.sockets.conftest import Node
from tests.updates import typed

HELLO = typed(1, 0, "hello")


def with_limits(**bounds: Any) -> Callable[[Any], Any]:
    """Runs the test's node with these bounds."""

    def mark(test: Any) -> Any:
        test.limits = Limits(**{"frames_per_s": 0, **bounds})
        return test

    return mark


async def greeted(url: str, **options: Any) -> ClientConnection:
    """Connects and reads the greeting away."""
    socket = await connect(url, max_size=None, **options)
    assert (await socket.recv())[:2] == b"\x00\x00"
    assert (await socket.recv())[:1] == b"\x01"
    return socket


async def closed(socket: ClientConnection) -> int | None:
    """Reads until the server closes; returns its close code."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), PATIENCE_S)
    except ConnectionClosed:
        return socket.close_code


@pytest.mark.everywhere
async def test_two_clients_see_each_others_edits_and_are_told_what_is_durable(node: Node) -> None:
    a, b = await greeted(node.url + "doc"), await greeted(node.url + "doc")
    await a.send(encode_step1(b"\x00"))
    assert await a.recv() == encode_step2(b"\x00\x00")
    await a.send(encode_update(HELLO))
    await a.send(encode_status(b"\x01"))
    assert await b.recv() == encode_update(HELLO)
    assert await a.recv() == encode_status(b"\x01")
    await a.close()
    await b.close()


async def test_a_client_that_says_goodbye_without_a_code_is_answered_in_order(node: Node) -> None:
    """Browsers do, when a page calls `close()`; what is no valid close code they report as a broken connection."""
    socket = await greeted(node.url + "doc")
    socket.protocol.send_close()
    socket.send_data()
    await asyncio.wait_for(socket.wait_closed(), 30)
    assert socket.close_code in (1000, 1005)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a%2Fb", "a/b"), ("my%20room/%C3%BC", "my%20room%2F%C3%BC"), ("%41", "A"), ("50%25", "50%25")],
)
async def test_percent_encoded_names_are_one_document(node: Node, one: str, other: str) -> None:
    a, b = await greeted(node.url + one), await greeted(node.url + other + "?token=x")
    assert len(node.hub.slots) == 1
    await a.send(encode_update(HELLO))
    assert await b.recv() == encode_update(HELLO)
    await a.close()
    await b.close()


@pytest.mark.parametrize("name", ["", "%00", "%FF", "a%0Ab", "%E2%80%AE", "x" * 201])
async def test_names_that_are_no_names_are_refused_at_the_upgrade(node: Node, name: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(node.url + name)
    assert refusal.value.response.status_code == 400
    assert node.hub.slots == {}


async def test_an_offered_subprotocol_is_selected(node: Node) -> None:
    socket = await greeted(node.url + "doc", subprotocols=["yjs", "other"])
    assert socket.subprotocol == "yjs"
    await socket.close()


@pytest.mark.parametrize("error", [Unauthorized(), Forbidden(), NotFound(), Gone()])
async def test_refusals_are_http_answers_before_the_socket_opens(node: Node, error: Any) -> None:
    node.doorman.refuse = error
    with pytest.raises(InvalidStatus) as refusal:
        await connect(node.url + "doc")
    assert refusal.value.response.status_code == error.http_status
    assert node.refusals.counts == {("socket", error.code): 1}
    assert node.hub.slots == {}


@pytest.mark.parametrize("frame", [b"", b"\x00\x07", b"\x00\x02\xff", encode_update(b"\x01" + HELLO), "text"])
async def test_a_bad_frame_ends_its_own_socket_with_a_final_code(node: Node, frame: bytes | str) -> None:
    bad, good = await greeted(node.url + "doc"), await greeted(node.url + "doc")
    await bad.send(frame)
    assert await closed(bad) in (4400, 4422)
    await good.send(encode_update(HELLO))
    await good.send(encode_status(b"\x01"))
    assert await good.recv() == encode_status(b"\x01")
    await good.close()


@pytest.mark.one_node
@pytest.mark.parametrize(
    ("said", "told"), [("é" * 100, "é" * 61), ("x" * 122 + "é", "x" * 122), ("y" * 123, "y" * 123)]
)
async def test_a_reason_is_told_as_far_as_a_close_frame_holds_it(node: Node, said: str, told: str) -> None:
    """123 bytes, and no part of a character."""
    socket = await greeted(node.url + "doc")
    (session,) = node.hub.slots["doc"].room.sessions
    session.outbox.close(Forbidden(said))
    assert (await closed(socket), socket.close_reason) == (4403, told)


async def test_a_message_in_fragments_is_one_message(node: Node) -> None:
    a, b = await greeted(node.url + "doc"), await greeted(node.url + "doc")
    message = encode_update(HELLO)
    await a.send([message[:1], message[1:4], message[4:]])
    assert await b.recv() == message
    await a.close()
    await b.close()


async def test_a_reader_is_refused_in_words_stays_and_changes_nothing(node: Node) -> None:
    writer = await greeted(node.url + "doc")
    node.doorman.access = Access.READ
    reader = await greeted(node.url + "doc")
    await reader.send(encode_update(HELLO))
    assert await reader.recv() == encode_denied("read-only")
    await writer.send(encode_update(typed(2, 0, "x")))
    assert await reader.recv() == encode_update(typed(2, 0, "x"))
    await reader.close()
    await writer.close()


@pytest.mark.one_node
async def test_a_socket_that_goes_leaves_nothing_behind(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    await socket.send(b"\x01\x06\x01\x07\x01\x02{}")
    assert await socket.recv() == b"\x01\x06\x01\x07\x01\x02{}"
    other = await greeted(node.url + "doc")
    socket.transport.abort()
    assert await other.recv() == b"\x01\x08\x01\x07\x01\x04null"
    slot = node.hub.slots["doc"]
    assert len(slot.room.sessions) == slot.pins == node.hub.counters.sockets == 1
    await other.close()


@pytest.mark.one_node
@with_limits(sessions_per_document_max=1)
async def test_more_sockets_than_a_document_takes_are_told_to_come_back(node: Node) -> None:
    first = await greeted(node.url + "doc")
    with pytest.raises(InvalidStatus) as refusal:
        await connect(node.url + "doc")
    assert refusal.value.response.status_code == 503
    assert node.hub.slots["doc"].pins == 1
    await first.close()


@pytest.mark.one_node
@with_limits(outbox_bytes_max=64 * 1024)
async def test_a_reader_that_stops_reading_is_bounded_and_gets_one_diff_when_it_reads_again(node: Node) -> None:
    writer = await greeted(node.url + "doc")
    slow = await greeted(node.url + "doc")
    slow.transport.pause_reading()
    slot = node.hub.slots["doc"]
    clock = 0
    while not any(session.behind for session in slot.room.sessions):
        await writer.send(encode_update(typed(5, clock, "x" * 60_000)))
        await writer.send(encode_status(b"\x01"))
        assert (await writer.recv())[:1] == b"\x66"
        clock += 60_000
        assert clock < 40_000_000, "the kernel's buffers are not that large"
    for _ in range(20):
        await writer.send(encode_update(typed(5, clock, "y" * 3_000)))
        clock += 3_000
    await writer.send(encode_status(b"\x02"))
    assert await writer.recv() == encode_status(b"\x02")
    slow.transport.resume_reading()
    known, seen = Clocks(), 0
    while known.next.get(5, 0) < clock:
        kind, body = decode(cast(bytes, await asyncio.wait_for(slow.recv(), PATIENCE_S)))
        if kind is Kind.UPDATE:
            update = check(body)
            assert not known.adds_nothing(update), "nothing is sent twice"
            known.advance(update)
            seen += 1
    assert seen < (clock - 60_000) // 60_000 + 20, "what it missed came merged"
    await writer.send(encode_update(typed(5, clock, "z")))
    while decode(cast(bytes, await slow.recv())) != (Kind.UPDATE, typed(5, clock, "z")):
        pass
    await slow.close()
    await writer.close()


@with_limits(frames_per_s=50, frames_burst=5)
async def test_a_flood_is_slowed_and_nothing_of_it_is_lost(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    for number in range(15):
        await socket.send(encode_status(bytes((number,))))
    answers = [await asyncio.wait_for(socket.recv(), PATIENCE_S) for _ in range(15)]
    assert answers == [encode_status(bytes((number,))) for number in range(15)]
    await socket.close()


async def test_a_quiet_socket_is_kept_alive(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    await node.upkeep.once(asyncio.get_running_loop().time() + 16)
    assert await socket.recv() == KEEPALIVE
    await socket.close()


@pytest.mark.one_node
async def test_draining_closes_with_service_restart(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    await socket.send(encode_update(HELLO))
    await node.upkeep.drain()
    assert await closed(socket) == 1012
    with pytest.raises(InvalidStatus) as refusal:
        await connect(node.url + "doc")
    assert refusal.value.response.status_code == 503


async def test_a_header_given_twice_is_seen_twice(node: Node) -> None:
    given = [("authorization", "Bearer a"), ("authorization", "Bearer b"), ("x-forwarded-for", "1.1.1.1")]
    socket = await greeted(node.url + "doc", origin="https://a.example", additional_headers=given)
    (upgrade,) = node.doorman.seen
    assert list(upgrade.values("authorization")) == ["Bearer a", "Bearer b"]
    assert list(upgrade.values("origin")) == ["https://a.example"]
    assert list(upgrade.values("x-forwarded-for")) == ["1.1.1.1"]
    assert upgrade.peer == "127.0.0.1"
    await socket.close()


@pytest.mark.one_node
async def test_while_too_much_waits_for_the_database_writers_are_not_read_and_readers_are(node: Node) -> None:
    node.hub.settings = replace(node.hub.settings, full_pause_s=0.001)
    bound, node.journal._waiting_bytes_max = node.journal._waiting_bytes_max, 0
    writer = await greeted(node.url + "doc", max_queue=None)
    await writer.send(encode_update(HELLO))
    room = node.hub.slots["doc"].room
    while not room.history.clocks.next:  # noqa: ASYNC110  # the room tells nobody of it
        await asyncio.sleep(0)
    await writer.send(encode_update(typed(1, 5, "!")))
    # frames that nobody takes would keep a client with a bounded queue from seeing that it is closed
    reader = await greeted(node.url + "doc", max_queue=None)
    for _ in range(20):
        await reader.send(encode_step1(b"\x00"))
        assert (await reader.recv())[:1] == b"\x00"
    assert room.history.clocks.next == {1: 5}
    node.journal._waiting_bytes_max = bound
    await writer.send(encode_status(b"\x01"))
    async with asyncio.timeout(PATIENCE_S):
        while await writer.recv() != encode_status(b"\x01"):
            pass
    assert room.history.clocks.next == {1: 6}
    await asyncio.gather(reader.close(), writer.close())


@pytest.mark.one_node
async def test_a_fault_of_ours_ends_that_socket_and_is_told(
    node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = await greeted(node.url + "doc"), await greeted(node.url + "doc")
    with monkeypatch.context() as patch:
        patch.setattr(node.hub.slots["doc"].room, "receive", lambda *frame: 1 / 0)
        await first.send(encode_step1(b"\x00"))
        assert await closed(first) == 1011
    await second.send(encode_step1(b"\x00"))
    assert (await second.recv())[:1] == b"\x00"
    assert len(node.hub.slots["doc"].room.sessions) == 1
    assert "ZeroDivisionError" in "".join(capsys.readouterr())
    await second.close()


async def test_who_is_sending_meanwhile_learns_the_close_code_all_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hangs up after the client, not over what the client had sent before it knew."""
    monkeypatch.setattr("collab.sockets.connection.LINGER_S", 600.0)
    monkeypatch.setattr("collab.sockets.connection.CLOSE_S", 600.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(node.url.rsplit(":", 1)[1].split("/")[0]))
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(masked(encode_update(b"\x01")))  # cut off
    while (head := await reader.readexactly(2))[0] != 0x88:
        await reader.readexactly(head[1])  # the greeting: short frames
    assert int.from_bytes((await reader.readexactly(head[1]))[:2], "big") == 4422
    for clock in range(50):
        writer.write(masked(encode_update(typed(1, clock, "x"))))
        await writer.drain()
        await asyncio.sleep(0)
    assert not reader.at_eof()
    writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()


HANDSHAKE = (
    b"GET /sync/doc HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def masked(message: bytes) -> bytes:
    """A client's binary frame of at most 125 bytes, under a mask of zeros."""
    return bytes([0x82, 0x80 | len(message), 0, 0, 0, 0]) + message
