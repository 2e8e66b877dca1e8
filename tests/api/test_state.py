"""State: whole, by difference, unchanged, and the moment it changes."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import replace

import httpx2
import pytest

from collab.api.app import create_app
from collab.crdt.gate import check
from collab.crdt.merge import merge
from collab.errors import Gone, LineageRetired
from tests.api.service import Service, until
from tests.updates import typed, vector

STATE = "/api/documents/d/state"


def encoded(clocks: dict[int, int]) -> str:
    """A state vector as `since` takes it."""
    return base64.urlsafe_b64encode(vector(clocks)).decode().rstrip("=")


async def test_an_empty_document_has_an_empty_state(api: Service) -> None:
    """Two bytes that any Yjs client can apply."""
    details = await api.create()
    answer = await api.client.get(STATE)
    assert (answer.status_code, answer.content) == (200, b"\x00\x00")
    assert answer.headers["etag"] == f'"{details["version"]}"'
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.everywhere
async def test_the_state_is_what_was_committed(api: Service) -> None:
    """By REST and by sockets alike, under the version that the writer was told."""
    await api.create()
    first = await api.post(typed(1, 0, "ab"))
    async with api.socket() as peer:
        peer.edit(typed(2, 0, "cd"))
        await peer.saved()
    second = await api.post(typed(1, 2, "ef"))
    assert [first.json()["seq"], second.json()["seq"]] == [1, 3]
    answer = await api.client.get(STATE)
    assert answer.headers["etag"] == f'"{second.json()["version"]}"'
    assert answer.content == merge([typed(1, 0, "ab"), typed(2, 0, "cd"), typed(1, 2, "ef")])


async def test_since_sends_what_is_lacking(api: Service) -> None:
    """With or without base64 padding; a caller who has everything gets an empty update."""
    await api.create()
    await api.post(typed(1, 0, "ab"))
    await api.post(typed(1, 2, "cd"))
    for since in (encoded({1: 2}), encoded({1: 2}) + "==", encoded({1: 2, 99: 5})):
        assert (await api.client.get(STATE, params={"since": since})).content == typed(1, 2, "cd")
    assert (await api.client.get(STATE, params={"since": encoded({1: 4})})).content == b"\x00\x00"
    assert check((await api.client.get(STATE, params={"since": encoded({})})).content).runs == ((1, 0, 4),)


@pytest.mark.parametrize("since", ["%", "AQ", "AAAA", "_____w8BAQ", "AgEBAQE", "A" * 30, "é"])
async def test_a_state_vector_that_is_none_is_refused(api: Service, since: str) -> None:
    """Not base64url, cut off, bytes left over, too large, a client twice."""
    await api.create()
    answer = await api.client.get(STATE, params={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_update")


@pytest.mark.sqlite_only
async def test_a_poll_reads_one_head_and_loads_no_room(api: Service) -> None:
    """304 costs one `heads` of one document: no room, no journal, no other table. The statements are counted."""
    await api.create()
    await api.post(typed(1, 0, "ab"))
    etag = (await api.client.get(STATE)).headers["etag"]
    slot = api.parts.hub.slots["d"]
    api.parts.hub.unload(slot)
    assert api.parts.hub.slots == {}
    with api.statements() as statements:
        for match in (etag, f"W/{etag}", f'"x", {etag}', "*", etag.strip('"')):
            answer = await api.client.get(STATE, headers={"if-none-match": match})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert api.parts.hub.slots == {}
    reads = [statement for statement in statements if statement != "BEGIN"]
    assert len(reads) == 5
    assert len(set(reads)) == 1
    assert set(re.findall(r"\b(?:FROM|JOIN) (\w+)", reads[0])) <= {"a", "document"}
    plan = await api.explain(reads[0], ("d",))
    assert re.search(r"SEARCH \w+ USING (COVERING )?INDEX", plan)
    assert "SCAN document" not in plan and "SCAN d" not in plan


@pytest.mark.parametrize("match", ['"x"', '"9.9", W/"1.1"', '""', "x", "", ",", 'W/"'])
async def test_another_version_gets_the_state(api: Service, match: str) -> None:
    """Any tag but the current one."""
    await api.create()
    assert (await api.client.get(STATE, headers={"if-none-match": match})).status_code == 200


async def polling(api: Service, etag: str, wait: float = 30.0) -> asyncio.Task[httpx2.Response]:
    """A long poll that has begun to wait."""
    before = waiting(api)
    poll = asyncio.create_task(api.client.get(STATE, params={"wait": wait}, headers={"if-none-match": etag}))
    await until(lambda: waiting(api) > before)
    return poll


def waiting(api: Service) -> int:
    """Long polls that wait."""
    return sum(slot.waiting for parts in api.nodes if (slot := parts.hub.slots.get("d")) is not None)


@pytest.mark.everywhere
async def test_a_long_poll_is_answered_by_the_commit(api: Service) -> None:
    """Whoever writes, and as soon as it is on disk."""
    version = (await api.create())["version"]
    poll = await polling(api, f'"{version}"')
    posted = await api.post(typed(1, 0, "ab"))
    answer = await poll
    assert (answer.status_code, answer.content) == (200, merge([typed(1, 0, "ab")]))
    assert answer.headers["etag"] == f'"{posted.json()["version"]}"'


async def test_a_long_poll_of_an_old_version_is_answered_at_once(api: Service) -> None:
    """Nothing is missed between two polls."""
    version = (await api.create())["version"]
    await api.post(typed(1, 0, "ab"))
    answer = await api.client.get(STATE, params={"wait": 30}, headers={"if-none-match": f'"{version}"'})
    assert answer.status_code == 200


async def test_a_long_poll_ends_when_its_time_is_over(api: Service) -> None:
    """304, as a short one."""
    version = (await api.create())["version"]
    answer = await api.client.get(STATE, params={"wait": 0.01}, headers={"if-none-match": f'"{version}"'})
    assert answer.status_code == 304


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "x"])
async def test_a_wait_that_does_not_fit_is_refused(api: Service, wait: str) -> None:
    """Seconds, up to a minute."""
    await api.create()
    assert (await api.client.get(STATE, params={"wait": wait})).status_code == 422


@pytest.mark.everywhere
async def test_a_long_poll_is_told_of_deletion(api: Service) -> None:
    """At once, softly or for good."""
    version = (await api.create())["version"]
    poll = await polling(api, f'"{version}"')
    await api.client.delete("/api/documents/d")
    assert (await poll).json()["code"] == Gone.code
    version = (await api.client.post("/api/documents/d/undelete")).json()["version"]
    poll = await polling(api, f'"{version}"')
    await api.client.delete("/api/documents/d", params={"purge": True})
    assert (await poll).json()["code"] == LineageRetired.code


async def test_a_hundred_long_polls_share_one_room(api: Service) -> None:
    """All are answered by the same commit with the same bytes."""
    version = (await api.create())["version"]
    polls = [await polling(api, f'"{version}"') for _ in range(100)]
    await api.post(typed(1, 0, "ab"))
    answers = await asyncio.gather(*polls)
    assert {answer.content for answer in answers} == {merge([typed(1, 0, "ab")])}
    assert {parts.counters.rooms_opened for parts in api.nodes} == {1}
    assert {parts.hub.slots["d"].pins for parts in api.nodes} == {0}


@pytest.mark.sqlite_only
async def test_alone_a_poll_of_an_open_document_reads_nothing(api: Service) -> None:
    """Its room knows the head, as nobody else writes the database; deletion and purge are still told."""
    api.app.state.parts = replace(api.parts, alone=True)
    app = create_app(api.app.state.parts)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        async with api.socket("nothing"):
            assert (await client.get("/api/documents/nothing/state")).status_code == 404
        await api.create()
        await api.post(typed(1, 0, "ab"))
        headers = {"if-none-match": (await client.get(STATE)).headers["etag"]}
        with api.statements() as statements:
            assert (await client.get(STATE, headers=headers)).status_code == 304
        assert statements == []
        await api.post(typed(1, 2, "cd"))
        assert (await client.get(STATE, headers=headers)).status_code == 200
        await client.delete("/api/documents/d")
        assert (await client.get(STATE, headers=headers)).status_code == 410
        await client.delete("/api/documents/d", params={"purge": True})
        assert (await client.get(STATE, headers=headers)).status_code == 404
