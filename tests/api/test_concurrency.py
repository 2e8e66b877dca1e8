"""Every call while others write: nobody's edit is lost, and whoever is told something is told the truth.

The calls whose concurrent case has a test elsewhere: content (test_content), restore (test_content), updates
(test_updates), long polls (test_state), snapshots while people type (test_snapshots), purge (test_purge).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest

from collab.crdt.gate import check
from collab.errors import Gone
from tests.api.service import Service, until
from tests.updates import typed

DOCUMENT = "/api/documents/d"
WRITERS = 4
PATCH = {"content-type": "application/merge-patch+json"}


async def together(call: Callable[[int], Awaitable[httpx2.Response]], times: int = 8) -> list[httpx2.Response]:
    """The same call several times at once."""
    return list(await asyncio.gather(*(call(number) for number in range(times))))


def codes(answers: list[httpx2.Response]) -> list[int]:
    """Their status codes, sorted."""
    return sorted(answer.status_code for answer in answers)


@asynccontextmanager
async def typing(api: Service) -> AsyncIterator[list[int]]:
    """A socket that types as client 1 for as long as the block runs; the list grows by the clocks it has typed."""
    done: list[int] = []
    over = False

    async def types(peer: Any) -> None:
        while not over and len(done) < 2_000:
            peer.edit(typed(1, len(done), "x"))
            done.append(len(done))
            await asyncio.sleep(0)

    async with api.socket() as peer:
        task = asyncio.create_task(types(peer))
        try:
            yield done
        finally:
            over = True
            await task
            await peer.saved()


@pytest.mark.everywhere
async def test_of_concurrent_creations_one_makes_it(api: Service) -> None:
    """The others are told that it exists."""
    answers = await together(lambda n: api.client.post("/api/documents", json={"id": "d", "title": f"writer {n}"}))
    assert codes(answers) == [201] + [409] * 7
    made = next(answer for answer in answers if answer.status_code == 201).json()
    assert (await api.client.get(DOCUMENT)).json()["title"] == made["title"]


async def test_a_document_created_while_somebody_types_in_it_keeps_what_was_typed(api: Service) -> None:
    """A socket makes a document by its first edit, a POST by its call; both find one document."""
    async with api.socket() as peer:
        peer.edit(typed(1, 0, "first"))
        answer = await api.client.post("/api/documents", json={"id": "d"})
        peer.edit(typed(1, 5, "!"))
        await peer.saved()
    assert answer.status_code in (201, 409)
    assert check((await api.client.get(f"{DOCUMENT}/state")).content).runs == ((1, 0, 6),)


async def test_pages_are_stable_while_documents_come_and_go(api: Service) -> None:
    """What was there all the time is listed once."""
    for number in range(20):
        await api.create(f"stay-{number:02}")
    seen: list[str] = []
    cursor: str | None = None
    for turn in range(20):
        params = {"limit": 3, "prefix": "stay-"} | ({"cursor": cursor} if cursor else {})
        page = (await api.client.get("/api/documents", params=params)).json()
        seen += [item["id"] for item in page["items"] if "x" not in item["id"]]
        await api.create(f"stay-{turn:02}x")
        if turn:
            await api.client.delete(f"/api/documents/stay-{turn - 1:02}x")
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == [f"stay-{number:02}" for number in range(20)]


async def test_details_keep_up_with_people_who_type(api: Service) -> None:
    """`seq` and size only grow, and end where the log does."""
    await api.create()
    async with typing(api):
        found = [(await api.client.get(DOCUMENT)).json() for _ in range(10)]
        assert (await api.client.head(DOCUMENT)).status_code == 200
    for name in ("seq", "bytes"):
        values = [details[name] for details in found]
        assert values == sorted(values)
    assert {details["online"] for details in found} == {1}


@pytest.mark.everywhere
async def test_concurrent_patches_of_a_documents_metadata_are_all_kept(api: Service) -> None:
    """Each merges into what is there when it is written."""
    await api.create(metadata={"deep": {"before": True}})
    answers = await together(
        lambda n: api.client.patch(DOCUMENT, json={"metadata": {f"k{n}": n, "deep": {f"d{n}": n}}}, headers=PATCH)
    )
    assert codes(answers) == [200] * 8
    metadata = (await api.client.get(DOCUMENT)).json()["metadata"]
    assert metadata == {f"k{n}": n for n in range(8)} | {"deep": {"before": True} | {f"d{n}": n for n in range(8)}}


async def test_concurrent_patches_of_a_snapshots_metadata_are_all_kept(api: Service) -> None:
    """The same of snapshots."""
    await api.create()
    made = (await api.client.post(f"{DOCUMENT}/snapshots", json={"label": "l"})).json()
    url = f"{DOCUMENT}/snapshots/{made['id']}"
    answers = await together(lambda n: api.client.patch(url, json={"metadata": {f"k{n}": n}}, headers=PATCH))
    assert codes(answers) == [200] * 8
    found = (await api.client.get(url)).json()
    assert (found["label"], found["metadata"]) == ("l", {f"k{n}": n for n in range(8)})


async def test_deletion_under_writers_loses_nothing_that_was_answered(api: Service) -> None:
    """Undeleted, it holds every edit that got a seq, and goes on from there."""
    await api.create()
    acked: set[int] = set()

    async def writes(client: int) -> None:
        for clock in range(200):
            answer = await api.post(typed(client, clock, "x"))
            if answer.status_code != 200:
                assert answer.status_code in (404, 410, 503), answer.text
                return
            acked.add(client * 1000 + clock)

    writing = [asyncio.create_task(writes(client)) for client in range(1, WRITERS + 1)]
    async with api.socket() as peer:
        while len(acked) < 2 * WRITERS:  # noqa: ASYNC110  # writers tell nobody
            await asyncio.sleep(0)
        assert (await api.client.delete(DOCUMENT)).status_code == 204
        await until(lambda: isinstance(peer.outbox.closed, Gone))
    await asyncio.gather(*writing)
    answers = await together(lambda n: api.client.post(f"{DOCUMENT}/undelete"))
    assert codes(answers) == [200] * 8
    held = {client: end for client, _, end in check((await api.client.get(f"{DOCUMENT}/state")).content).runs}
    for mark in acked:
        assert mark % 1000 < held[mark // 1000]
    assert (await api.post(typed(9, 0, "on"))).status_code == 200


async def test_the_log_has_no_gap_while_it_grows(api: Service) -> None:
    """Pages read under a writer join up, and give what was accepted."""
    await api.create()
    updates: list[bytes] = []
    after = 0
    async with typing(api) as done:
        while len(done) < 50 or after < 50:
            page = (await api.client.get(f"{DOCUMENT}/updates", params={"after": after, "limit": 7})).json()
            for item in page["items"]:
                assert item["seq"] == after + 1
                after = item["seq"]
                updates.append(base64.b64decode(item["update"]))
    assert updates == [typed(1, clock, "x") for clock in range(len(updates))]


@pytest.mark.everywhere
async def test_a_state_is_never_torn(api: Service) -> None:
    """Under a writer each answer holds exactly as many edits as its ETag says."""
    await api.create()
    async with typing(api):
        for _ in range(20):
            answer = await api.client.get(f"{DOCUMENT}/state")
            seq = int(answer.headers["etag"].strip('"').rpartition(".")[2])
            runs = check(answer.content).runs
            assert runs == (((1, 0, seq),) if seq else ())


async def test_concurrent_snapshots_are_each_a_whole_state(api: Service) -> None:
    """And one that is deleted by many is deleted once."""
    await api.create()
    async with typing(api):
        answers = await together(lambda n: api.client.post(f"{DOCUMENT}/snapshots", json={"label": str(n)}))
    assert codes(answers) == [201] * 8
    for made in (answer.json() for answer in answers):
        state = (await api.client.get(f"{DOCUMENT}/snapshots/{made['id']}/state")).content
        assert check(state).runs == (((1, 0, made["seq"]),) if made["seq"] else ())
    url = f"{DOCUMENT}/snapshots/{answers[0].json()['id']}"
    assert codes(await together(lambda n: api.client.delete(url))) == [204] + [404] * 7


async def test_presence_and_probes_answer_under_writers(api: Service) -> None:
    """`presence`, `healthz`, `readyz`, `metrics` while somebody types."""
    await api.create()
    async with typing(api):
        for path in (f"{DOCUMENT}/presence", "/healthz", "/readyz", "/metrics"):
            assert codes(await together(lambda n, path=path: api.client.get(path))) == [200] * 8, path  # type: ignore[misc]


@pytest.mark.parametrize("path", ["/events", "/presence", "/snapshots/latest/diff", "/snapshots/latest/content"])
async def test_what_is_not_there_is_refused_alike_for_all(api: Service, path: str) -> None:
    """The refused case of calls that take nothing but a name: a problem that says so."""
    answers = await together(lambda n: api.client.get(f"/api/documents/nowhere{path}"))
    assert codes(answers) == [404] * 8
    assert {orjson.loads(answer.content)["code"] for answer in answers} == {"not_found"}
