"""Live documents of the Python client, against a real server that is killed, restarted, and says no."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from pycrdt import Doc, Text
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve

from collab_client import (
    BrokenDocument,
    Documents,
    NotAllowed,
    ReadOnly,
    Refused,
    Ticket,
    Unavailable,
    Unsaved,
    connect,
    text,
)
from collab_client.connection import Connection
from collab_client.live import LiveDocument
from collab_client.permits import Permit
from collab_client.wire import EMPTY_UPDATE, Kind, encode
from tests.conftest import Service
from tests.patience import PATIENCE_S
from tests.server import running_server


def hurry(live: LiveDocument) -> None:
    """Reconnects at once, so that tests need not wait."""
    live._backoff.first_s, live._backoff.longest_s = 0.01, 0.05


async def test_two_type_together(service: Service, document: str) -> None:
    """Each sees the other's edits; positions are characters, whatever their size."""
    async with (
        connect(service.url, document, service.admin) as ada,
        connect(service.url, document, service.admin) as bob,
    ):
        text.insert(ada.text(), 0, "a😀b")
        await bob.until(lambda: text.read(bob.text()) == "a😀b", PATIENCE_S)
        text.insert(bob.text(), 2, "é")
        await ada.until(lambda: text.read(ada.text()) == "a😀éb", PATIENCE_S)


async def test_saved_means_that_a_killed_server_has_it(tmp_path: Path, document: str) -> None:
    """Right after saved() the server dies without a goodbye. While it is down `doc` stays editable; saved() waits
    until it is back, and all is there."""
    with running_server(tmp_path) as server:
        async with connect(server.url, document) as live:
            hurry(live)
            live.presence.show(user={"name": "Ada"})
            for number in range(20):
                text.insert(live.text(), 0, f"{number} ")
            assert live.unsaved == 20
            await live.saved(10)
            assert live.unsaved == 0
            await asyncio.to_thread(server.kill)
            await live.until(lambda: live.status == "offline", PATIENCE_S)
            text.insert(live.text(), 0, "written offline ")
            with pytest.raises(Unsaved):
                await live.saved(0.05)
            await asyncio.to_thread(server.start)
            async with connect(server.url, document) as other:
                assert text.read(other.text()).endswith("".join(f"{n} " for n in reversed(range(20))))
                await live.saved(20)
                await other.until(lambda: text.read(other.text()).startswith("written offline 19 "), PATIENCE_S)
                await other.until(lambda: other.presence.others, PATIENCE_S)
                assert [*other.presence.others.values()] == [{"user": {"name": "Ada"}}]


async def test_presence_comes_moves_and_goes(service: Service, document: str) -> None:
    """Nobody is shown who showed nothing; a closed connection is gone at once."""
    async with connect(service.url, document, service.admin) as ada:
        changes: list[dict[int, dict[str, Any]]] = []
        ada.presence.on_change(lambda: changes.append(ada.presence.others))
        async with connect(service.url, document, service.admin) as bob:
            bob.presence.show(user={"name": "Bob"}, cursor=1)
            await ada.until(lambda: ada.presence.others == {bob.doc.client_id: bob.presence.mine}, PATIENCE_S)
            bob.presence.show(user={"name": "Bob"}, cursor=2)
            await ada.until(lambda: [p["cursor"] for p in ada.presence.others.values()] == [2], PATIENCE_S)
            bob.presence.hide()
            await ada.until(lambda: not ada.presence.others, PATIENCE_S)
            bob.presence.show(user={"name": "Bob"})
            await ada.until(lambda: ada.presence.others, PATIENCE_S)
        await ada.until(lambda: not ada.presence.others, PATIENCE_S)
        assert len(changes) >= 4


async def test_a_fault_of_a_listener_ends_nothing(service: Service, document: str) -> None:
    """It is logged, and the connection goes on."""
    async with (
        connect(service.url, document, service.admin) as ada,
        connect(service.url, document, service.admin) as bob,
    ):
        ada.presence.on_change(lambda: 1 / 0)
        bob.presence.show(user={"name": "Bob"})
        await ada.until(lambda: ada.presence.others, PATIENCE_S)
        text.insert(bob.text(), 0, "hi")
        await ada.until(lambda: text.read(ada.text()) == "hi", PATIENCE_S)


async def test_a_document_of_ones_own_goes_on(service: Service, document: str) -> None:
    """What it held before is sent; what the server has comes in."""
    async with connect(service.url, document, service.admin) as live:
        text.insert(live.text(), 0, "there")
    doc: Doc[Any] = Doc()
    doc.get("mine", type=Text).insert(0, "here")
    async with connect(service.url, document, service.admin, doc=doc) as live:
        await live.saved(10)
        assert str(doc.get("text", type=Text)) == "there"
    async with connect(service.url, document, service.admin) as live:
        assert text.read(live.text("mine")) == "here"


async def test_what_a_document_of_ones_own_brings_is_waited_for(service: Service, document: str) -> None:
    """It may be what was typed offline: leaving at once must not lose it."""
    doc: Doc[Any] = Doc()
    doc.get("text", type=Text).insert(0, "x" * 500_000)
    async with connect(service.url, document, service.admin, doc=doc) as live:
        assert live.unsaved == 1
    assert live.unsaved == 0
    async with Documents(service.url, service.admin) as docs:
        assert len(await docs.read(document)) == 500_000


async def test_the_end_of_a_block_waits_for_what_was_typed(service: Service, document: str) -> None:
    """A script that types and leaves has not typed in vain."""
    async with connect(service.url, document, service.admin) as live:
        text.insert(live.text(), 0, "x" * 2_000_000)  # larger than what a server takes of one keystroke
    async with Documents(service.url, service.admin) as docs:
        assert len(await docs.read(document)) == 2_000_000


async def test_a_reader_is_told_that_it_may_not_write(service: Service, document: str) -> None:
    """Its edit reaches nobody and is never called saved; others' edits still arrive."""
    async with connect(service.url, document, service.admin) as writer:
        text.insert(writer.text(), 0, "official")
        await writer.saved(10)
        with pytest.raises(ReadOnly):
            async with connect(service.url, document, service.reader) as reader:
                await reader.saved(10)  # nothing was typed: nothing is amiss
                text.insert(reader.text(), 0, "graffiti ")
                with pytest.raises(ReadOnly):
                    await reader.saved(10)
                assert (reader.access, reader.unsaved, reader.status) == ("read", 1, "live")
                text.insert(writer.text(), 8, "!")
                await reader.until(lambda: text.read(reader.text()) == "graffiti official!", PATIENCE_S)
        assert text.read(writer.text()) == "official!"


async def test_a_refusal_ends_it_at_once(service: Service, document: str) -> None:
    """No second try: the answer would be the same."""
    tries = []

    async def source() -> str:
        tries.append(1)
        return "ck_" + "0" * 43

    with pytest.raises(NotAllowed) as refused:
        async with connect(service.url, document, source):
            pass
    assert (refused.value.status, len(tries)) == (401, 1)


async def test_deletion_ends_it_for_good(service: Service, document: str) -> None:
    """Close code 4410 is final; whoever waits is told."""
    async with Documents(service.url, service.admin) as docs, connect(service.url, document, service.admin) as live:
        await docs.create(document) if not (await exists(docs, document)) else None
        waiting = asyncio.create_task(live.until(lambda: False, 20))
        await docs.delete(document)
        with pytest.raises(Refused) as refused:
            await waiting
        assert (refused.value.status, live.status) == (4410, "ended")
        with pytest.raises(Refused):
            await live.saved(5)


async def exists(docs: Documents, document: str) -> bool:
    """Whether the document is in the catalog."""
    return any([found.id == document async for found in docs.list(document)])


async def test_a_server_that_is_not_there(document: str) -> None:
    """Opening gives up in time; a url that is none is refused at once."""
    with pytest.raises(Unavailable, match=r"not live in time .*[Cc]onnect"):
        async with connect("http://127.0.0.1:9", document, open_s=0.3):
            pass
    with pytest.raises(ValueError, match="not the address"):
        async with connect("127.0.0.1:8000", document):
            pass


async def test_a_source_that_fails_is_a_fault_and_no_loop(service: Service, document: str) -> None:
    """A bug in the function that fetches tickets is told, not tried again for ever."""

    def source() -> str:
        raise KeyError("ticket")

    with pytest.raises(Exception, match="KeyError"):
        async with connect(service.url, document, source):
            pass


async def test_updates_that_the_engine_cannot_take_end_it(document: str, service: Service) -> None:
    """pycrdt's panics are no Exceptions; here they are."""
    async with connect(service.url, document, service.admin) as live:
        live.apply(bytes.fromhex("0101010004010174016100"))
        with pytest.raises(BrokenDocument):
            live.apply(bytes.fromhex("0100010000"))


async def test_who_is_slowed_down_may_go_on(tmp_path: Path, document: str) -> None:
    """The server reads more slowly and says so; nothing of it was refused."""
    with running_server(tmp_path, env={"COLLAB_FRAMES_PER_S": "25"}) as server:
        async with connect(server.url, document) as live:
            for number in range(600):
                text.insert(live.text(), number, "x")
                await asyncio.sleep(0)
            await live.saved(PATIENCE_S)
            assert live.access == "write"
        async with Documents(server.url) as docs:
            assert len(await docs.read(document, "text", type="text")) == 600


@pytest.mark.parametrize("as_text", [False, True])
async def test_a_session_that_ran_out_begins_again(service: Service, document: str, as_text: bool) -> None:
    """No fresh ticket could be had in time, or nobody knew that one was due: it is no refusal."""
    minted: list[str] = []
    async with Documents(service.url, service.admin) as docs:

        async def source() -> Ticket | str:
            minted.append("")
            if len(minted) == 2 and not as_text:
                raise RuntimeError("whatever a library of yours may raise while the network is away")
            ticket = await docs.ticket(document, "user-1", session_s=0.5 if len(minted) == 1 else 3600)
            return ticket.ticket if as_text else ticket

        async with connect(service.url, document, source) as live:
            hurry(live)
            await live.until(lambda: len(minted) > 1 and live.status == "live", PATIENCE_S)
            text.insert(live.text(), 0, "still here")
            await live.saved(PATIENCE_S)


async def test_who_may_write_again_is_told_saved(document: str) -> None:
    """The server asks for what it had refused: from then on nothing is refused any more."""
    live = LiveDocument("http://127.0.0.1:9", document)
    connection = Connection(cast("ClientConnection", None), live, Permit(None))
    connection._receive(encode(Kind.DENIED, b"the document takes no more"))
    with pytest.raises(ReadOnly):
        await connection.acknowledged()
    connection._receive(encode(Kind.STEP1, b"\x00"))
    saved = asyncio.create_task(connection.acknowledged())
    await asyncio.sleep(0)
    connection._receive(encode(Kind.STATUS, (1).to_bytes(8, "big")))
    await saved
    assert connection.access == "write"


async def test_a_server_that_takes_one_in_and_throws_one_out_is_asked_less_and_less_often(document: str) -> None:
    async def welcome(socket: ServerConnection) -> None:
        await socket.send(encode(Kind.STEP1, b"\x00"))
        await socket.send(encode(Kind.STEP2, EMPTY_UPDATE))
        await socket.close(1011)

    async with serve(welcome, "127.0.0.1", 0) as server:
        live = LiveDocument(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", document)
        hurry(live)
        running = asyncio.create_task(live.run())
        await live.until(lambda: live._backoff._tries > 3, PATIENCE_S)
        running.cancel()
        await asyncio.wait({running})
