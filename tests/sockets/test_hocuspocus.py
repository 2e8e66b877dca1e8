"""The Hocuspocus dialect over both socket shells: frames, counts of what is saved, several documents on one socket."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from collab.errors import Forbidden, Gone, StorageUnavailable, Unauthorized
from collab.protocol.messages import (
    KEEPALIVE,
    encode_awareness,
    encode_status,
    encode_step1,
    encode_step2,
    encode_update,
)
from collab.protocol.varint import write_varbytes
from collab.sockets import channel, switchboard
from collab.types import Access, Grant, Principal
from tests.api.service import until
from tests.patience import PATIENCE_S
from tests.sockets.conftest import Node
from tests.sockets.test_shells import closed, greeted, with_limits
from tests.updates import deleted, typed, vector

HELLO = typed(1, 0, "hello")
EMPTY = encode_step2(b"\x00\x00")
STEP1 = encode_step1(b"\x00")
READ_WRITE, READ_ONLY = b"\x02\x02\x0aread-write", b"\x02\x02\x08readonly"
SAVED, REFUSED = b"\x08\x01", b"\x08\x00"
CLOSE = b"\x07"
NOW = time.time()
ADA = Principal("ada", "ticket", grants=(Grant("*", Access.WRITE),), expires_at=NOW + 600, issued_at=NOW)


def auth(token: str = "", version: str | None = None) -> bytes:
    """As providers 2 and 3 say it, or with its version as provider 4 does."""
    return b"\x02\x00" + write_varbytes(token.encode()) + (write_varbytes(version.encode()) if version else b"")


def denied(reason: str) -> bytes:
    return b"\x02\x01" + write_varbytes(reason.encode())


@dataclass
class Provider:
    """One address on a socket, which one test reads at a time."""

    socket: ClientConnection
    address: bytes

    async def send(self, *messages: bytes) -> None:
        for message in messages:
            await self.socket.send(write_varbytes(self.address) + message)

    async def hears(self, *messages: bytes) -> None:
        """Asserts that exactly these come next, all to this address; keepalives are passed over."""
        for message in messages:
            while (found := await asyncio.wait_for(self.socket.recv(), PATIENCE_S)) == write_varbytes(
                self.address
            ) + KEEPALIVE:
                pass
            assert found == write_varbytes(self.address) + message

    async def synced(self, known: bytes = b"\x00", content: bytes = EMPTY) -> Provider:
        """The handshake of provider 3, into a document that nobody has written yet."""
        await self.send(auth("any"), STEP1)
        await self.hears(READ_WRITE, encode_step1(known), content)
        await self.send(EMPTY)
        await self.hears(SAVED)
        return self


async def opened(node: Node, address: bytes = b"doc") -> Provider:
    return Provider(await connect(node.url.removesuffix("sync/") + "hocuspocus", max_size=None), address)


@pytest.mark.everywhere
async def test_an_edit_crosses_to_the_plain_dialect_and_back_and_each_is_told_saved_once(node: Node) -> None:
    ana, plain = await (await opened(node)).synced(), await greeted(node.url + "doc")
    await ana.send(encode_update(HELLO), encode_update(typed(1, 5, "!")))
    seen = [await plain.recv()]
    await ana.hears(SAVED, SAVED)
    if seen == [encode_update(HELLO)]:
        assert await plain.recv() == encode_update(typed(1, 5, "!"))
    await plain.send(encode_update(typed(2, 0, "there")))
    await ana.hears(encode_update(typed(2, 0, "there")))
    await ana.send(encode_update(HELLO))
    await ana.hears(SAVED)
    await ana.socket.close()
    await plain.close()


async def test_every_step_1_of_the_client_gets_one_of_ours_and_one_saved(node: Node) -> None:
    ana = await (await opened(node)).synced()
    await ana.send(encode_update(HELLO))
    await ana.hears(SAVED)
    await ana.send(encode_step1(vector({1: 5})))
    await ana.hears(encode_step1(vector({1: 5})), encode_update(HELLO), EMPTY)
    await ana.send(EMPTY, EMPTY)  # the second one answers nothing of ours: it is not counted
    await ana.hears(SAVED)
    await ana.send(encode_update(typed(1, 5, "!")))
    await ana.hears(SAVED)
    await ana.socket.close()


async def test_edits_between_its_step_1_and_its_step_2_are_told_last(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider may have counted them, or not: until nothing is under way any more nobody knows."""
    monkeypatch.setattr(channel, "SETTLE_S", 3600.0)
    ana = await opened(node)
    await ana.send(auth("any", "4.8.0"), encode_step1(vector({1: 2})))
    await ana.hears(READ_WRITE, encode_step1(b"\x00"), EMPTY)
    await ana.send(encode_update(HELLO), encode_update(deleted(1, 0, 1)), encode_update(typed(1, 5, "new")))
    await ana.send(EMPTY)
    await ana.hears(SAVED, SAVED)  # its step 1, and what its state vector did not name
    await ana.send(encode_update(typed(1, 8, "!")))
    await ana.hears(SAVED)
    (session,) = node.hub.slots["doc"].room.sessions
    doubtful = session.outbox
    assert isinstance(doubtful, channel.Channel)
    doubtful._synced_at -= 3600.0
    doubtful._settle()
    await ana.hears(SAVED)
    await ana.socket.close()


async def test_when_in_doubt_a_provider_without_a_floor_is_made_to_count_anew(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "SETTLE_S", 0.01)
    ana = await opened(node)
    await ana.send(auth(), STEP1)
    await ana.hears(READ_WRITE, encode_step1(b"\x00"), EMPTY)
    await ana.send(encode_update(HELLO), encode_update(deleted(1, 0, 1)), EMPTY)
    assert await closed(ana.socket) == 1012


async def test_a_provider_2_without_a_token_begins_with_step_1(node: Node) -> None:
    ana = await opened(node)
    await ana.send(STEP1, encode_awareness(b"\x01\x01\x01\x02{}"))
    await ana.hears(READ_WRITE, encode_step1(b"\x00"), EMPTY)
    await ana.socket.close()


async def test_edits_may_come_before_the_token(node: Node) -> None:
    """The application's token function is still waiting for its backend."""
    ana = await opened(node)
    await ana.send(encode_update(HELLO), auth("late"), STEP1)
    await ana.hears(READ_WRITE, encode_step1(b"\x00"))
    await until(lambda: node.hub.slots["doc"].room.ledger.durable == 1)
    await ana.socket.close()


@pytest.mark.one_node
async def test_documents_of_one_socket_come_and_go_on_their_own(node: Node) -> None:
    one = await (await opened(node, b"one")).synced()
    two = await Provider(one.socket, b"two").synced()
    again = await Provider(one.socket, b"one\x00session").synced()
    assert node.hub.counters.sockets == 3 and len(node.hub.slots["one"].room.sessions) == 2
    await two.send(encode_update(HELLO))
    await two.hears(SAVED)
    await one.send(encode_update(typed(9, 0, "one")))
    assert {await one.socket.recv(), await one.socket.recv()} == {
        b"\x03one" + SAVED,
        write_varbytes(b"one\x00session") + encode_update(typed(9, 0, "one")),
    }
    await one.send(CLOSE)
    await until(lambda: len(node.hub.slots["one"].room.sessions) == 1)
    await two.send(encode_update(typed(1, 5, "!")))
    await two.hears(SAVED)
    await again.send(CLOSE)
    await until(lambda: not node.hub.slots["one"].room.sessions)
    await one.socket.close()
    await until(lambda: node.hub.counters.sockets == 0 and len(node.sockets.seats) == 0)


async def test_a_frame_is_wrapped_once_for_all_who_share_an_address(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await (await opened(node)).synced() for _ in range(3)]
    outboxes = [session.outbox for session in node.hub.slots["doc"].room.sessions]
    assert len({id(each._wrapping) for each in outboxes if isinstance(each, channel.Channel)}) == 1
    shared = next(iter(node.sockets.wrappings.values()))
    await people[0].send(encode_update(HELLO))
    for each in people[1:]:
        await each.hears(encode_update(HELLO))
    assert shared.wrap(shared._plain) is shared._wrapped
    del shared, outboxes
    for each in people:
        await each.socket.close()
    await until(lambda: not node.sockets.wrappings)


@pytest.mark.parametrize("error", [Unauthorized(), Forbidden(), Gone()])
async def test_a_refusal_is_told_in_band_and_the_socket_stays(node: Node, error: Unauthorized) -> None:
    ana = await opened(node)
    node.doorman.refuse = error
    await ana.send(auth("wrong"), STEP1, encode_update(HELLO))
    await ana.hears(denied(error.detail))
    await ana.send(encode_update(HELLO), STEP1)  # they were under way
    node.doorman.refuse = None
    await Provider(ana.socket, b"another").synced()
    await ana.synced()  # with another token
    await ana.socket.close()
    assert node.refusals.counts == {("socket", error.code): 1}


async def test_a_refusal_that_may_pass_closes_the_socket_so_that_it_comes_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "SETBACK_S", (0.0, 0.0))
    ana = await opened(node)
    node.doorman.refuse = StorageUnavailable()
    await ana.send(auth(), STEP1)
    assert await closed(ana.socket) == 4513
    assert node.hub.counters.sockets == 0


async def test_a_reader_is_told_what_was_refused(node: Node) -> None:
    node.doorman.access = Access.READ
    ana = await opened(node)
    await ana.send(auth(), STEP1)
    await ana.hears(READ_ONLY, encode_step1(b"\x00"), EMPTY)
    await ana.send(EMPTY)
    await ana.hears(SAVED)
    await ana.send(encode_update(HELLO))
    await ana.hears(REFUSED)
    await ana.send(encode_step2(HELLO))
    await ana.hears(REFUSED)
    assert node.hub.slots["doc"].room.history.clocks.next == {}
    await ana.socket.close()


async def test_a_permission_that_ends_ends_its_document_alone(node: Node) -> None:
    node.doorman.principal = ADA
    one = await opened(node, b"one")
    await one.send(auth("any", "4.8.0"), STEP1)
    await one.hears(READ_WRITE, encode_step1(b"\x00"), EMPTY)
    node.doorman.principal = replace(ADA, expires_at=NOW + 6000)
    two = await Provider(one.socket, b"two").synced()
    node.upkeep._clock = lambda: NOW + 601
    await node.upkeep.once(0.0)
    await one.hears(denied("this permission has expired"), CLOSE + write_varbytes(b"this permission has expired"))
    await two.send(encode_update(HELLO))
    await two.hears(SAVED)
    await one.send(encode_update(HELLO))
    await one.socket.close()
    await until(lambda: node.hub.counters.sockets == 0)


async def test_a_fresh_token_renews_and_is_asked_for_in_time(node: Node) -> None:
    node.doorman.principal = ADA
    node.doorman.tokens["reader"] = (replace(ADA, expires_at=NOW + 1200), Access.READ)
    ana = await (await opened(node)).synced()
    (session,) = node.hub.slots["doc"].room.sessions
    assert isinstance(session.outbox, channel.Channel)
    session.principal = replace(ADA, expires_at=time.time() + 0.1)
    session.outbox._renew_later()
    await ana.hears(b"\x02\x00")
    await ana.send(auth("wrong"), encode_update(HELLO))
    await ana.hears(SAVED)  # a token that is not taken changes nothing
    await ana.send(auth("reader"))
    await ana.hears(READ_ONLY)
    await ana.socket.close()


@pytest.mark.parametrize(
    "bad", [b"\x00\x02\x02\xff\xff", b"\x00\x07", b"\x01\x05\x01", b"\x06\x02hi", b"\x04\x00\x01\x00"]
)
async def test_a_bad_message_ends_its_document_and_no_other(node: Node, bad: bytes) -> None:
    one = await (await opened(node, b"one")).synced()
    two = await Provider(one.socket, b"two").synced()
    await one.send(bad)
    assert (await one.socket.recv())[:6] == b"\x03one\x02\x01"
    await two.send(encode_update(HELLO))
    await two.hears(SAVED)
    await one.socket.close()


@pytest.mark.parametrize(
    "bad",
    [b"", b"\x03one", b"\x05one", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xff\x1f" + bytes(4095) + b"\x00",
     b"\x03one\x02\x07", "text"],
)  # fmt: skip
async def test_what_is_no_frame_of_the_dialect_ends_the_socket(node: Node, bad: bytes | str) -> None:
    ana = await opened(node)
    await ana.socket.send(bad)
    assert await closed(ana.socket) == 4400


async def test_messages_that_mean_nothing_here_are_passed_over(node: Node) -> None:
    """The application's own; pings; and message 102 of another dialect, which must not touch the count."""
    ana = await (await opened(node)).synced()
    await ana.send(b"\x05\x02hi", b"\x08\x01", b"\x66\x02\xff\x7f", b"\x0b")
    await ana.socket.send(b"\x0a")
    await ana.socket.send(b"\x09")
    await ana.send(encode_update(HELLO))
    await ana.hears(SAVED)
    await ana.socket.close()


@with_limits(socket_documents_max=2)
async def test_a_socket_has_so_many_documents(node: Node) -> None:
    one = await (await opened(node, b"one")).synced()
    await Provider(one.socket, b"two").send(encode_update(HELLO))
    await Provider(one.socket, b"three").send(auth())
    assert await closed(one.socket) == 1013


@with_limits(unopened_bytes_max=100)
async def test_what_comes_before_a_token_is_bounded(node: Node) -> None:
    ana = await opened(node)
    await ana.send(encode_update(typed(1, 0, "x" * 90)), encode_update(typed(1, 90, "x" * 90)))
    assert await closed(ana.socket) == 1013
    assert node.sockets.arrivals.held_bytes == 0


async def test_a_socket_without_a_document_does_not_stay(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "IDLE_S", 0.05)
    assert await closed((await opened(node)).socket) == 1013
    await until(lambda: len(node.sockets.seats) == 0)


@pytest.mark.one_node
@with_limits(sessions_max=2)
async def test_sockets_without_a_document_are_counted_too(node: Node) -> None:
    """Anybody may open one, and nothing says yet who it is."""
    idle = [await opened(node), await opened(node)]
    for path in ("hocuspocus", "sync/doc"):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(node.url.removesuffix("sync/") + path)
        assert refusal.value.response.status_code == 503
    await idle[0].socket.close()
    await until(lambda: node.sockets.lobbies == 1)
    await idle[1].synced()
    await idle[1].socket.close()
    await until(lambda: node.sockets.lobbies == 0)


@pytest.mark.one_node
@with_limits(outbox_bytes_max=64 * 1024)
async def test_a_slow_reader_is_slow_in_all_of_its_documents(node: Node) -> None:
    """One outbox: when it is full nothing more is queued for any of them, and each gets a diff in the end."""
    slow = await (await opened(node, b"one")).synced()
    two = await Provider(slow.socket, b"two").synced()
    slow.socket.transport.pause_reading()
    writer, other = [await greeted(node.url + name) for name in ("one", "two")]
    clock, readers = 0, node.hub.slots["one"].room.sessions
    while not any(session.behind for session in readers):
        await writer.send(encode_update(typed(7, clock, "x" * 60_000)))
        await writer.send(encode_status(b"\x01"))
        assert (await writer.recv())[:1] == b"\x66"
        clock += 60_000
        assert clock < 40_000_000, "the kernel's buffers are not that large"
    assert any(session.behind for session in node.hub.slots["two"].room.sessions)
    await other.send(encode_update(HELLO))
    await other.send(encode_status(b"\x01"))
    assert await other.recv() == encode_status(b"\x01")
    slow.socket.transport.resume_reading()
    while await asyncio.wait_for(slow.socket.recv(), PATIENCE_S) != b"\x03two" + encode_update(HELLO):
        pass
    for socket in (two.socket, writer, other):
        await socket.close()


async def test_each_document_listens_for_signs_of_life_on_its_own(node: Node) -> None:
    one = await (await opened(node, b"one")).synced()
    await Provider(one.socket, b"two").synced()
    outboxes = [session.outbox for name in ("one", "two") for session in node.hub.slots[name].room.sessions]
    for each in outboxes:
        assert each.heard
        each.heard = False
    assert not any(each.heard for each in outboxes) and all(each.answered for each in outboxes)
    outboxes[0].answered = False
    await one.socket.send(b"\x0a")
    await until(lambda: all(each.heard and each.answered for each in outboxes))
    await one.socket.close()
