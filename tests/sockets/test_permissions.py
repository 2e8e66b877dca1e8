"""Permissions on open sockets: they expire, are renewed in-band, and every seat is given back."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.protocol.messages import (
    encode_access,
    encode_denied,
    encode_status,
    encode_step1,
    encode_step2,
    encode_token,
    encode_update,
)
from collab.types import Access, Grant, Principal
from tests.api.service import until
from tests.sockets.conftest import Node
from tests.sockets.test_shells import HELLO, closed, greeted, with_limits
from tests.updates import typed

NOW = time.time()
ADA = Principal("ada", "ticket", grants=(Grant("*", Access.WRITE),), expires_at=NOW + 600, issued_at=NOW)


async def test_a_socket_ends_when_its_permission_expires(node: Node) -> None:
    node.doorman.principal = ADA
    socket = await greeted(node.url + "doc")
    await node.upkeep.once(0.0)
    node.upkeep._clock = lambda: NOW + 601
    await node.upkeep.once(0.0)
    assert await closed(socket) == 4401
    assert node.hub.counters.sockets == 0


async def test_a_fresh_token_on_the_open_socket_renews_it(node: Node) -> None:
    node.doorman.principal = ADA
    node.doorman.tokens["fresh"] = (replace(ADA, expires_at=NOW + 1200), Access.WRITE)
    socket = await greeted(node.url + "doc")
    await socket.send(encode_token("fresh"))
    assert await socket.recv() == encode_access("write")
    node.upkeep._clock = lambda: NOW + 601
    await node.upkeep.once(0.0)
    await socket.send(encode_update(HELLO))
    await socket.send(encode_status(b"\x01"))
    assert await socket.recv() == encode_status(b"\x01")
    await socket.close()


async def test_a_token_that_gives_less_takes_effect_at_once(node: Node) -> None:
    node.doorman.tokens["reader"] = (ADA, Access.READ)
    socket = await greeted(node.url + "doc")
    await socket.send(encode_update(HELLO))
    await socket.send(encode_token("reader"))
    assert await socket.recv() == encode_access("read")
    await socket.send(encode_update(typed(1, 5, "more")))
    assert await socket.recv() == encode_denied("read-only")
    assert node.hub.slots["doc"].room.history.clocks.next == {1: 5}
    await socket.close()


async def test_a_token_that_gives_more_asks_for_what_was_refused(node: Node) -> None:
    """And "saved" waits for it."""
    node.doorman.access = Access.READ
    node.doorman.tokens["writer"] = (ADA, Access.WRITE)
    node.doorman.principal = ADA
    socket = await greeted(node.url + "doc")
    await socket.send(encode_update(HELLO))
    assert await socket.recv() == encode_denied("read-only")
    await socket.send(encode_token("writer"))
    assert await socket.recv() == encode_access("write")
    assert await socket.recv() == encode_step1(b"\x00")
    await socket.send(encode_status(b"\x01"))
    await socket.send(encode_step1(b"\x00"))
    assert await socket.recv() == encode_step2(b"\x00\x00"), "not saved yet"
    await socket.send(encode_step2(HELLO))
    assert await socket.recv() == encode_status(b"\x01")
    await socket.close()


async def test_a_wrong_token_changes_nothing(node: Node) -> None:
    socket = await greeted(node.url + "doc")
    await socket.send(encode_token("wrong"))
    assert (await socket.recv())[:2] == b"\x02\x00"
    await socket.send(encode_update(HELLO))
    await socket.send(encode_status(b"\x01"))
    assert await socket.recv() == encode_status(b"\x01")
    await socket.close()


@pytest.mark.one_node
@with_limits(sessions_per_user_max=2)
async def test_a_user_has_so_many_sockets_and_gets_them_back(node: Node) -> None:
    node.doorman.principal = ADA
    one, two = await greeted(node.url + "a"), await greeted(node.url + "b")
    with pytest.raises(InvalidStatus) as refusal:
        await connect(node.url + "c")
    assert refusal.value.response.status_code == 503
    node.doorman.principal = replace(ADA, id="bo")
    bo = await greeted(node.url + "a")
    node.doorman.principal = ADA
    await one.close()
    await until(lambda: node.hub.counters.sockets == 2)
    three = await greeted(node.url + "a")
    for socket in (two, three, bo):
        await socket.close()


@pytest.mark.one_node
@with_limits(sessions_per_address_max=2)
async def test_an_address_has_so_many_sockets(node: Node) -> None:
    one, two = await greeted(node.url + "a"), await greeted(node.url + "b")
    with pytest.raises(InvalidStatus) as refusal:
        await connect(node.url + "c")
    assert refusal.value.response.status_code == 503
    for socket in (one, two):
        await socket.close()
