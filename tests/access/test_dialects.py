"""The matrix over every dialect and both socket shells: with no message of any does a reader change a byte, or speak as
somebody else; and a refusal says of no document whether there is one.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from collab.api.samples import HELLO
from collab.core.awareness import decode_entries, encode_entries
from collab.limits import DEFAULT
from collab.protocol.hocuspocus import Type
from collab.protocol.messages import (
    Kind,
    decode,
    encode_awareness,
    encode_denied,
    encode_status,
    encode_step1,
    encode_step2,
    encode_token,
    encode_update,
)
from collab.protocol.varint import write_varbytes
from tests.access.dialects import DIALECTS, EMPTY, Speaker, auth, client_token, speaker, url
from tests.access.realm import Realm, prepare, token
from tests.crdt import corpus
from tests.patience import PATIENCE_S
from tests.updates import deleted, typed, typed_after

HIDDEN, ABSENT = "yours-there", "yours-gone."
SAVED, REFUSED = b"\x08\x01", b"\x08\x00"
EDITS = (
    typed(5, 0, "mine"), typed(1, 5, "more"), typed_after(6, 0, "x", (1, 4)), deleted(1, 0, 5), deleted(1, 1, 2),
    typed(7, 9, "ahead"), typed_after(8, 0, "lost", (99, 99)), typed(1, 5, "y"),
)  # fmt: skip
"""Inserts, deletions, ids of others, what waits for more, what another edit said otherwise."""


def others(land: Realm, dialect: str) -> list[bytes]:
    """Every message of the dialect that is no edit: tokens of others, and for Hocuspocus what servers and applications
    say, what only servers say, and what nobody does. None may end it but a message between servers.
    """
    stolen = ["ct_" + "x" * 43, land.tokens["stranger"], land.tokens["expired"], ""]
    if dialect != "hocuspocus":
        return [*map(encode_token, stolen), b"\x03", b"\x63", encode_status(b""), encode_status(b"\xff" * 1024)]
    said = write_varbytes(encode_update(typed(5, 0, "mine")))
    return [
        *map(auth, stolen), b"\x03", bytes((Type.STATELESS,)) + said, SAVED, REFUSED, b"\x09", b"\x0a", b"\x0b",
        b"\x63", encode_status(b"\x07"), b"\x08" + said, b"\x2a" + said,
    ]  # fmt: skip


def saved(dialect: str, message: bytes, mark: bytes) -> bool:
    """Whether it tells that all is on disk."""
    return message == (SAVED if dialect == "hocuspocus" else encode_status(mark))


@pytest.mark.parametrize("role", ["reader", "commenter"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_reader_with_every_message_changes_nothing_and_stays(shore: Realm, dialect: str, role: str) -> None:
    """Told "saved" of what was no offence, refused in the dialect's words, and never told "saved" from then on."""
    before = shore.content("notes")
    async with speaker(shore, dialect, role, "notes") as here:
        await here.send(encode_step2(b64decode(HELLO)), encode_status(b"\x01"))  # what every client answers
        seen: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while not any(saved(dialect, message, b"\x01") for message in seen):
                seen += await here.told()
        seen = []
        for edit in EDITS:
            for wrap in (encode_update, encode_step2):
                await here.send(wrap(edit), encode_status(b"\x02"))
                seen += await here.told()
        for message in others(shore, dialect):
            await here.send(message, encode_status(b"\x02"))
            seen += await here.told()
        await here.send(encode_step1(b"\x00"), EMPTY, encode_status(b"\x02"))
        assert shore.content("notes") == before
        seen += await here.told()
        assert (REFUSED if dialect == "hocuspocus" else encode_denied("read-only")) in seen
        assert not [message for message in seen if saved(dialect, message, b"\x02")]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_writer_with_the_same_message_changes_it_and_is_told_saved(shore: Realm, dialect: str) -> None:
    prepare(shore, document := f"written-{dialect}")
    before = shore.content(document)
    async with speaker(shore, dialect, "writer", document) as here:
        await here.send(EMPTY, encode_update(typed(5, 0, "mine")), encode_status(b"\x02"))
        seen: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while sum(saved(dialect, message, b"\x02") for message in seen) < (2 if dialect == "hocuspocus" else 1):
                seen += await here.told()
    assert shore.content(document) != before
    updates = shore.ask("admin", "GET", f"/api/documents/{document}/updates").json()
    assert updates["items"][-1]["author"] == "writer"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_bytes_of_a_reader_change_anything(shore: Realm, dialect: str) -> None:
    """Some of what is known to hurt a CRDT library, up to the hash of what is stored."""
    before, hostile = shore.content("notes"), [item.data for item in corpus.items("update")[::20]]
    while hostile:
        async with speaker(shore, dialect, "reader", "notes") as here:
            with suppress(ConnectionClosed):
                while hostile:
                    data = hostile.pop()
                    await here.send(*(wrap(data) for wrap in (encode_update, encode_step2, encode_awareness)))
                    if here.ended((await here.told())[-1]):
                        break
    assert shore.content("notes") == before


@pytest.mark.parametrize("message", [b"\x04", b"\x06"])
@pytest.mark.parametrize("role", ["reader", "writer"])
async def test_what_servers_say_to_one_another_ends_who_says_it(shore: Realm, role: str, message: bytes) -> None:
    """It is not passed on, nor taken in; also not at an address that another token opened on the same socket."""
    before = shore.content("notes")
    async with speaker(shore, "sync", "writer", "notes") as hears, speaker(shore, "hocuspocus", role, "notes") as here:
        await here.send(message + encode_update(typed(5, 0, "mine")))
        assert here.ended((await here.told())[-1])
        assert (await here.hear())[:1] == bytes((Type.CLOSE,))  # provider 4 knows it, and waits for it
        await here.send(encode_update(typed(5, 0, "mine")))
        again = Speaker(here.socket, write_varbytes(b"notes\x00again"))
        await again.send(auth(shore.tokens["reader"]), message + encode_update(typed(5, 0, "mine")))
        while not again.ended(await again.hear()):
            pass
        assert not [message for message in await hears.told() if message[:1] != b"\x01"]
    assert shore.content("notes") == before


async def test_each_document_of_a_socket_has_the_rights_of_its_own_token(shore: Realm) -> None:
    """Two addresses of one document among them: a session-aware provider has them."""
    prepare(shore, "shared")
    before = shore.content("notes")
    async with speaker(shore, "hocuspocus", "reader", "notes") as reads:
        writes = Speaker(reads.socket, write_varbytes(b"shared"))
        also = Speaker(reads.socket, write_varbytes(b"shared\x00other"))
        for each, role, edit in ((writes, "writer", typed(31, 0, "by")), (also, "reader", typed(32, 0, "no"))):
            await each.send(auth(shore.tokens[role]), encode_update(edit), encode_status(b"\x01"))
        await reads.send(encode_update(typed(33, 0, "no")))
        heard: set[bytes] = set()
        wanted = {also.address + REFUSED, reads.address + REFUSED}
        async with asyncio.timeout(PATIENCE_S):
            while not wanted <= heard:
                frame = await reads.socket.recv()
                assert isinstance(frame, bytes)
                heard.add(frame)
        authors: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            while "writer" not in authors:
                updates = shore.ask("admin", "GET", "/api/documents/shared/updates?limit=500").json()["items"]
                authors = [each["author"] for each in updates]
                await asyncio.sleep(0)
    assert authors.count("writer") == 1 and set(authors) == {"root", "writer"}
    assert shore.content("notes") == before


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_reader_speaks_as_nobody_else(shore: Realm, dialect: str) -> None:
    """Whatever it says of others, and under which ids; its people leave with it."""
    prepare(shore, document := f"spoken-{dialect}")
    lies = [
        (71, 9, b'{"user":{"name":"Wri"},"at":666}'), (71, 9, b"null"),
        (72, 1, b'{"user":{"id":"writer","name":"Wri"}}'),
        (73, 1, b'{"\\u0075ser":{"id":"writer"}}'), (74, 1, b'{"user":"writer"}'),
    ]  # fmt: skip
    async with speaker(shore, dialect, "writer", document) as writer:
        await writer.send(encode_awareness(encode_entries([(71, 3, b'{"user":{"name":"Wri"},"at":1}')])))
        async with speaker(shore, dialect, "reader", document) as reader:
            await present(reader, {71})  # on another node: until that has heard of her, the id is anybody's there
            for lie in lies:
                await reader.send(encode_awareness(encode_entries([lie])))
            await present(writer, {71, 72, 73, 74})
            path = f"/api/documents/{document}/presence"
            people = {p["client_id"]: p["state"] for p in shore.ask("admin", "GET", path).json()["people"]}
            assert people.pop(71) == {"user": {"name": "Wri", "id": "writer"}, "at": 1}
            assert people == {id: {"user": {"id": "reader", "name": "Rea"}} for id in (72, 73, 74)}
        await present(writer, {71})


async def present(here: Speaker, wanted: set[int]) -> None:
    """Asks who is here until it is these."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            kind, body = decode((await here.told())[-1])
            assert kind is Kind.AWARENESS
            if {client for client, _, state in decode_entries(body, DEFAULT) if state != b"null"} == wanted:
                return
            await asyncio.sleep(0)


# ---------------------------------------------------------------------- absent and forbidden


@pytest.fixture
def us(shore: Realm) -> Realm:
    """With a stranger to `HIDDEN`, which is there, and to `ABSENT`, which is not."""
    if "visitor" not in shore.tokens:
        shore.tokens["visitor"] = token("visitor", ("ours*", "write"))
        prepare(shore, HIDDEN)
    return shore


async def refusal(here: Realm, document: str, messages: tuple[bytes, ...]) -> tuple[list[bytes], int, str]:
    """All that a socket of the Hocuspocus dialect is told of a document: what stands behind its address, until a
    document of its own is opened; and the code and reason that it is closed with, if it is.
    """
    seen: list[bytes] = []
    async with connect(url(here, "hocuspocus", document)) as socket:
        theirs, ours = (Speaker(socket, write_varbytes(name.encode())) for name in (document, "ours"))
        try:
            for number, message in enumerate(messages):
                await theirs.send(message)
                if number == 0 or message[:1] == b"\x02":
                    seen.append(await theirs.hear())
            await ours.send(auth(here.tokens["visitor"]))
            async with asyncio.timeout(PATIENCE_S):
                while not (frame := await socket.recv()).startswith(ours.address):  # type: ignore[arg-type]
                    assert isinstance(frame, bytes)
                    seen.append(frame.removeprefix(theirs.address))
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return seen, closed.rcvd.code, closed.rcvd.reason
    return seen, 0, ""


async def test_no_answer_on_a_socket_tells_whether_there_is_a_document(us: Realm) -> None:
    """Byte for byte, and close code for close code; who asks, with what, and what comes after the refusal."""
    later = (
        encode_step1(b"\x00"), EMPTY, encode_update(typed(5, 0, "x")), b"\x03", b"\x04\x00\x00\x01\x00", b"\x05\x02hi",
        b"\x06\x02hi", b"\x08\x01", auth(us.tokens["visitor"]), b"\x07", encode_step1(b"\x00"), encode_update(b"\xff"),
    )  # fmt: skip
    ends = (b"\x02\x07", b"\x02\x00\xff", b"\x02\x00\x01")
    firsts = [
        auth(us.tokens["visitor"]),
        auth(us.tokens["expired"]),
        auth("ct_" + "x" * 43),
        auth(""),
        encode_step1(b"\x00"),
    ]
    for messages in [(first, *later) for first in firsts] + [(first,) for first in ends]:
        hidden, absent = [await refusal(us, document, messages) for document in (HIDDEN, ABSENT)]
        assert hidden == absent, messages
        seen, code, _ = hidden
        assert (code == 4400 and not seen) if messages[0] in ends else (code == 0 and seen[0][:2] == b"\x02\x01"), (
            hidden
        )


@pytest.mark.parametrize("dialect", ["sync", "y-sweet"])
async def test_no_answer_at_the_upgrade_tells_whether_there_is_a_document(us: Realm, dialect: str) -> None:
    """Status, body and names of headers; by a token, by none, by a ticket for something else."""
    for role in ("visitor", "nobody", "expired", "ticket"):
        told = []
        for document in (HIDDEN, ABSENT):
            ticket = f"?token={client_token(us, 'visitor', 'ours')['token']}" if role == "ticket" else ""
            with pytest.raises(InvalidStatus) as caught:
                await connect(url(us, dialect, document, ticket), additional_headers=us.as_(role))
            answer = caught.value.response
            told.append((answer.status_code, answer.body, sorted(name.lower() for name in answer.headers)))
        assert told[0] == told[1], role
        assert told[0][0] == (404 if role in ("visitor", "ticket") else 401), (role, told)
