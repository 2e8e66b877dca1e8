"""Updates: sent by REST next to sockets, and read back from the log."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.index import build
from collab.limits import Limits
from collab.protocol.messages import decode, encode_update
from collab.protocol.varint import read_varbytes
from collab.store.base import Checkpoint, LogRow
from collab.types import Access, Entry, Grant, Principal
from tests.api.service import BINARY, Service, running, until
from tests.backends import Ground
from tests.updates import deleted, typed, typed_after

LOG = "/api/documents/d/updates"


@pytest.mark.everywhere
async def test_an_update_reaches_sockets_log_and_state(api: Service) -> None:
    """The bytes that were sent are what everybody gets; the answer names the version that holds them."""
    lineage = (await api.create())["lineage"]
    async with api.socket() as peer:
        peer.ask()
        peer.outbox.take()
        answer = await api.post(typed(1, 0, "hello"))
        assert answer.json() == {"seq": 1, "version": f"{lineage}.1"}
        await until(lambda: peer.outbox.wire)
        assert peer.outbox.take() == [encode_update(typed(1, 0, "hello"))]
    logged = (await api.client.get(LOG)).json()["items"]
    assert base64.b64decode(logged[0]["update"]) == typed(1, 0, "hello")
    assert (logged[0]["seq"], logged[0]["author"]) == (1, "anonymous")


async def test_one_that_adds_nothing_is_answered_but_not_stored(api: Service) -> None:
    """Sending again after a lost answer is safe."""
    await api.create()
    answers = [(await api.post(typed(1, 0, "hello"))).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len((await api.client.get(LOG)).json()["items"]) == 1


@pytest.mark.one_node
async def test_an_answer_means_that_it_is_on_disk(api: Service) -> None:
    """Also for one that adds nothing because a socket brought the same bytes a moment before."""
    await api.create()
    async with api.socket() as peer:
        peer.edit(typed(1, 0, "hello"))
        assert (await api.post(typed(1, 0, "hello"))).json()["seq"] == 1
        assert (await api.store.log.heads(["d"]))["d"].seq == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "bad_update"),
        (b"\xff" * 40, 422, "bad_update"),
        (typed(1, 0, "hello")[:-1], 422, "bad_update"),
        (typed(1, 0, "hello") + b"\x00", 422, "bad_update"),
        (typed(1, 5, "gap"), 422, "unprocessable"),
        (typed_after(2, 0, "x", (1, 0)), 422, "unprocessable"),
        (deleted(1, 0, 1), 422, "unprocessable"),
    ],
)
async def test_bad_bytes_are_refused(api: Service, body: bytes, status: int, code: str) -> None:
    """With what is wrong and, if it is a byte, where; nothing is stored."""
    await api.create()
    answer = await api.post(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await api.client.get("/api/documents/d")).json()["seq"] == 0


async def test_the_offset_of_a_bad_byte_is_told(api: Service) -> None:
    """So that whoever writes an encoder finds it."""
    await api.create()
    assert (await api.post(typed(1, 0, "hello") + b"\x07")).json()["offset"] == len(typed(1, 0, "hello"))


@pytest.mark.parametrize("media_type", [None, "application/json", "text/plain", "application/octet-streams"])
async def test_another_media_type_is_refused(api: Service, media_type: str | None) -> None:
    """An update is bytes, and says so."""
    await api.create()
    headers = {"content-type": media_type} if media_type else {}
    answer = await api.client.post(LOG, content=typed(1, 0, "x"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_sizes_have_limits(ground: Ground) -> None:
    """Of one body, announced or streamed, and of a whole document."""
    limits = Limits(body_bytes_max=1000, document_bytes_max=1500)
    async with running(ground, limits) as api:
        await api.create()

        async def streamed() -> object:
            for _ in range(20):
                yield b"x" * 100

        for body in (b"x" * 1001, streamed()):
            answer = await api.client.post(LOG, content=body, headers=BINARY)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert (await api.post(typed(1, 0, "x" * 900))).status_code == 200
        assert (await api.post(typed(1, 900, "x" * 900))).json()["code"] == "too_large"
        assert (await api.client.get("/api/documents/d")).json()["seq"] == 1


async def test_a_reader_may_not_write(api: Service) -> None:
    """403, and the log names whoever may."""
    await api.create()
    api.people["eve"] = Principal("eve", grants=(Grant("*", Access.COMMENT),))
    api.people["bob"] = Principal("bob", grants=(Grant("d", Access.WRITE),))
    for name, status in (("eve", 403), ("bob", 200)):
        headers = {**BINARY, "authorization": f"Bearer {name}"}
        answer = await api.client.post(LOG, content=typed(1, 0, name), headers=headers)
        assert answer.status_code == status
    assert [item["author"] for item in (await api.client.get(LOG)).json()["items"]] == ["bob"]


async def test_the_log_in_pages(api: Service) -> None:
    """Dense from `after` + 1 on, in JSON and as length-prefixed bytes."""
    await api.create()
    updates = [typed(1, 2 * number, "ab") for number in range(7)]
    async with api.socket() as peer:
        for update in updates[:5]:
            peer.edit(update)
        await peer.saved()
    for update in updates[5:]:
        await api.post(update)
    read, after = [], 0
    while after is not None:
        page = (await api.client.get(LOG, params={"after": after, "limit": 3})).json()
        read += page["items"]
        after = page["next_after"]
    assert [item["seq"] for item in read] == [1, 2, 3, 4, 5, 6, 7]
    assert [base64.b64decode(item["update"]) for item in read] == updates
    raw = await api.client.get(LOG, params={"after": 2, "limit": 4}, headers={"accept": "application/octet-stream"})
    assert raw.headers["next-after"] == "6"
    found, offset = [], 0
    while offset < len(raw.content):
        update, offset = read_varbytes(raw.content, offset)
        found.append(update)
    assert found == updates[2:6]


@pytest.mark.one_node
async def test_no_more_is_read_than_fills_a_page(api: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows may hold a MiB each; five hundred of them for one page of 8 MiB would be memory that a reader orders."""
    monkeypatch.setattr("collab.api.updates.PAGE_BYTES_MAX", 12_000)
    await api.create()
    updates = [typed(1, 1000 * number, "x" * 1000) for number in range(40)]
    for update in updates:
        await api.post(update)
    log, read = type(api.parts.log), list[int]()

    async def counted(self: object, *asked: Any) -> Sequence[LogRow]:
        rows: Sequence[LogRow] = await whole(self, *asked)
        read.append(len(rows))
        return rows

    whole = log.read
    monkeypatch.setattr(log, "read", counted)
    found, after = [], 0
    while after is not None:
        read.clear()
        page = (await api.client.get(LOG, params={"after": after, "limit": 500})).json()
        assert sum(read) <= 13
        found += [base64.b64decode(item["update"]) for item in page["items"]]
        after = page["next_after"]
    assert found == updates


@pytest.mark.parametrize("after", [7, 8, 2**53 - 1])
async def test_the_end_of_the_log(api: Service, after: int) -> None:
    """Nothing, and no next page."""
    await api.create()
    await api.post(typed(1, 0, "x"))
    assert (await api.client.get(LOG, params={"after": after})).json() == {"items": [], "next_after": None}


@pytest.mark.parametrize("params", [{"after": "-1"}, {"after": str(2**53)}, {"limit": "0"}, {"limit": "501"}])
async def test_a_query_that_does_not_fit_is_refused(api: Service, params: dict[str, str]) -> None:
    """By the parameter's name."""
    await api.create()
    assert (await api.client.get(LOG, params=params)).status_code == 422


async def test_rest_writers_and_typing_sockets_lose_nothing(api: Service) -> None:
    """Four socket authors and four REST authors write at once: everyone ends with everything, seqs are dense."""
    await api.create()
    order = random.Random(7)

    async def by_rest(client: int) -> None:
        for clock in range(25):
            answer = await api.post(typed(client, clock, "r"))
            assert answer.status_code == 200

    async with api.socket() as watcher, api.socket() as writer:
        watcher.ask()
        rest = [asyncio.create_task(by_rest(client)) for client in (1, 2, 3, 4)]
        left = dict.fromkeys((5, 6, 7, 8), 0)
        while left:
            client = order.choice(list(left))
            writer.edit(typed(client, left[client], "s"))
            left[client] += 1
            if left[client] == 25:
                del left[client]
            await asyncio.sleep(0)
        await asyncio.gather(*rest)
        await watcher.saved()
        seen: dict[int, int] = {}
        for frame in watcher.outbox.take():
            kind, body = decode(frame)
            if kind == 2:
                seen |= {client: end for client, _, end in check(body).runs}
    assert seen == dict.fromkeys(range(1, 9), 25)
    state = (await api.client.get("/api/documents/d/state")).content
    assert {client: end for client, _, end in check(state).runs} == seen
    items = (await api.client.get(LOG, params={"limit": 500})).json()["items"]
    assert [item["seq"] for item in items] == list(range(1, 201))


async def test_what_was_squashed_is_said_to_be_or_given_as_it_is(api: Service) -> None:
    """410 tells where exact history begins; `squashed=true` takes what there is, in both forms."""
    lineage = str((await api.create())["lineage"])
    updates = [typed(1, at, "x") for at in range(4)]
    for update in updates:
        await api.post(update)
    state, began = fold(None, updates[:3]), datetime(2026, 1, 1, tzinfo=UTC)
    await api.store.log.put_checkpoint("d", lineage, Checkpoint(3, state, build(state)))
    row = LogRow(1, 3, began, [Entry("ada, bob", "", state)], began, ("ada", "bob"))
    await api.store.segments.put("d", lineage, row)
    refused = await api.client.get(LOG, params={"after": 2})
    assert (refused.status_code, refused.json()["code"]) == (410, "history_squashed")
    assert refused.json()["exact_after"] == 3
    assert [one["seq"] for one in (await api.client.get(LOG, params={"after": 3})).json()["items"]] == [4]
    page = (await api.client.get(LOG, params={"squashed": "true", "limit": 1})).json()
    assert page["next_after"] == 3
    (item,) = page["items"]
    assert base64.b64decode(item["update"]) == state
    assert item["squashed"] == {"first_seq": 1, "first_at": "2026-01-01T00:00:00Z", "authors": ["ada", "bob"]}
    raw = (await api.client.get(LOG, params={"squashed": "true"}, headers={"accept": BINARY["content-type"]})).content
    first, offset = read_varbytes(raw, 0)
    assert (first, read_varbytes(raw, offset)[0]) == (state, updates[3])
