"""The y-sweet dialect over both socket shells: the plain one below a mount of its own, where "saved?" asks for more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from collab.errors import Unauthorized
from collab.protocol.messages import encode_denied, encode_status, encode_step1, encode_step2, encode_update
from collab.types import Access
from tests.patience import PATIENCE_S
from tests.sockets.conftest import Node
from tests.sockets.test_hocuspocus import opened
from tests.sockets.test_shells import closed, greeted
from tests.updates import typed

HELLO = typed(1, 0, "hello")
EMPTY = encode_step2(b"\x00\x00")
FIRST, SECOND = encode_status(b"\x01"), encode_status(b"\x02")


def mounted(node: Node, document: str = "doc") -> str:
    return node.url.removesuffix("sync/") + f"y-sweet/{document}"


async def arrived(node: Node, **options: Any) -> ClientConnection:
    return await greeted(mounted(node), **options)


async def hears(socket: ClientConnection, *messages: bytes) -> None:
    for message in messages:
        assert await asyncio.wait_for(socket.recv(), PATIENCE_S) == message


@pytest.mark.everywhere
async def test_an_edit_crosses_to_the_other_dialects_and_back(node: Node) -> None:
    ana, plain, provider = await arrived(node), await greeted(node.url + "doc"), await (await opened(node)).synced()
    await ana.send(EMPTY)
    await ana.send(encode_update(HELLO))
    await hears(plain, encode_update(HELLO))
    await provider.hears(encode_update(HELLO))
    await plain.send(encode_update(typed(2, 0, "there")))
    await hears(ana, encode_update(typed(2, 0, "there")))
    await ana.send(SECOND)
    await hears(ana, SECOND)
    await asyncio.gather(ana.close(), plain.close(), provider.socket.close())


async def test_saved_waits_for_its_first_step_2_since_it_is_about_what_that_brings(node: Node) -> None:
    ana, plain = await arrived(node), await greeted(node.url + "doc")
    for socket in (ana, plain):
        await socket.send(FIRST)
        await socket.send(encode_step1(b"\x00"))
    await hears(plain, FIRST, EMPTY)
    await hears(ana, EMPTY)
    await ana.send(encode_step2(HELLO))
    await hears(ana, FIRST)
    await hears(plain, encode_update(HELLO))
    await ana.send(SECOND)
    await hears(ana, SECOND)
    await asyncio.gather(ana.close(), plain.close())


@pytest.mark.one_node
async def test_who_waits_hears_the_last_true_answer_again_and_nothing_new(node: Node) -> None:
    """Its client drops a connection on which 3 s after a question nothing has come."""
    ana = await arrived(node)
    for message in (EMPTY, encode_update(HELLO), FIRST):
        await ana.send(message)
    await hears(ana, FIRST)
    (session,) = node.hub.slots["doc"].room.sessions
    session.refused = True  # as after an edit that was not taken
    await ana.send(SECOND)
    await ana.send(encode_step1(b"\x00"))
    await hears(ana, encode_update(HELLO), EMPTY)
    await node.upkeep.once(0.0)
    await hears(ana, FIRST)
    await ana.close()


async def test_a_reader_is_refused_in_words_and_never_told_saved(node: Node) -> None:
    node.doorman.access = Access.READ
    ana = await arrived(node)
    await ana.send(EMPTY)
    await ana.send(FIRST)
    await hears(ana, FIRST)
    await ana.send(encode_update(HELLO))
    await ana.send(SECOND)
    await ana.send(encode_step1(b"\x00"))
    await hears(ana, encode_denied("read-only"), EMPTY)
    await ana.close()


async def test_its_token_comes_in_the_address_and_a_wrong_one_is_an_http_answer(node: Node) -> None:
    ana = await greeted(mounted(node, "a%2Fb?token=ct_one"))
    plain = await greeted(node.url + "a/b")
    assert node.doorman.seen[0].query == "token=ct_one"
    await ana.send(encode_update(HELLO))
    await hears(plain, encode_update(HELLO))
    node.doorman.refuse = Unauthorized()
    with pytest.raises(InvalidStatus) as refusal:
        await connect(mounted(node, "a%2Fb?token=ct_one"))
    assert refusal.value.response.status_code == 401
    await asyncio.gather(ana.close(), plain.close())


@pytest.mark.parametrize("bad", [b"", b"\x00\x07", encode_update(b"\x01" + HELLO), "text"])
async def test_a_bad_frame_ends_its_own_socket(node: Node, bad: bytes | str) -> None:
    ana, other = await arrived(node), await arrived(node)
    await ana.send(bad)
    assert await closed(ana) in (4400, 4422)
    await other.send(EMPTY)
    await other.send(FIRST)
    await hears(other, FIRST)
    await other.close()
