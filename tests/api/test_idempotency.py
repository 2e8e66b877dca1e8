"""`Idempotency-Key`: once, whatever the network does."""

from __future__ import annotations

import asyncio

import pytest

from collab.types import Access, Grant, Principal
from tests.api.service import BINARY, Service
from tests.patience import PATIENCE_S
from tests.updates import typed

KEY = {"idempotency-key": "k-1"}


@pytest.mark.everywhere
async def test_a_repeated_creation_is_answered_alike(api: Service) -> None:
    """Without a key the second would be another document."""
    answers = [await api.client.post("/api/documents", json={"title": "t"}, headers=KEY) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == len({answer.headers["location"] for answer in answers}) == 1
    assert len((await api.client.get("/api/documents")).json()["items"]) == 1


async def test_a_repeated_update_has_the_seq_of_the_first(api: Service) -> None:
    """Even if the document went on in between."""
    await api.create()
    headers = {**BINARY, **KEY}
    first = await api.client.post("/api/documents/d/updates", content=typed(1, 0, "ab"), headers=headers)
    await api.post(typed(1, 2, "cd"))
    again = await api.client.post("/api/documents/d/updates", content=typed(1, 0, "ab"), headers=headers)
    assert first.json() == again.json()


async def test_a_repeated_snapshot_is_the_first_one(api: Service) -> None:
    """One is kept."""
    await api.create()
    ids = [(await api.client.post("/api/documents/d/snapshots", headers=KEY)).json()["id"] for _ in range(3)]
    assert len(set(ids)) == 1
    assert len((await api.client.get("/api/documents/d/snapshots")).json()["items"]) == 1


async def test_another_request_with_the_key_is_refused(api: Service) -> None:
    """Another body, another path; nothing is done."""
    await api.create()
    await api.client.post("/api/documents", json={"title": "t"}, headers=KEY)
    for path, body in (("", {"title": "u"}), ("/d/snapshots", {"label": "t"})):
        answer = await api.client.post(f"/api/documents{path}", json=body, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
    assert len((await api.client.get("/api/documents")).json()["items"]) == 2
    assert (await api.client.get("/api/documents/d/snapshots")).json()["items"] == []


@pytest.mark.everywhere
async def test_of_concurrent_duplicates_one_is_done(api: Service) -> None:
    """The others are told that it is under way, or get its answer."""
    calls = [api.client.post("/api/documents", json={}, headers=KEY) for _ in range(20)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len((await api.client.get("/api/documents")).json()["items"]) == 1


async def test_a_refused_call_may_be_tried_again(api: Service) -> None:
    """It did nothing, so its key is free."""
    await api.create()
    assert (await api.client.post("/api/documents", json={"id": "d"}, headers=KEY)).status_code == 409
    await api.client.delete("/api/documents/d", params={"purge": True})
    assert (await api.client.post("/api/documents", json={"id": "d"}, headers=KEY)).status_code == 201


async def test_a_call_that_was_cut_off_is_not_done_again(api: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that goes down cancels the calls that wait for their commit, which may come all the same."""
    await api.create()
    begun = asyncio.Event()

    async def never(*_: object) -> int:
        begun.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    headers = {**BINARY, **KEY}
    with monkeypatch.context() as patch:
        patch.setattr(api.parts.hub, "submit", never)
        call = api.client.post("/api/documents/d/updates", content=typed(1, 0, "ab"), headers=headers)
        cut_off = asyncio.create_task(call)
        await asyncio.wait_for(begun.wait(), PATIENCE_S)
        cut_off.cancel()
        await asyncio.wait({cut_off})
    again = await api.client.post("/api/documents/d/updates", content=typed(1, 0, "ab"), headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_keys_belong_to_their_caller(api: Service) -> None:
    """Two tenants may choose the same."""
    ids = set()
    for name in ("ann", "bob"):
        api.people[name] = Principal(name, grants=(Grant("*", Access.WRITE),))
        headers = {**KEY, "authorization": f"Bearer {name}"}
        ids.add((await api.client.post("/api/documents", json={}, headers=headers)).json()["id"])
    assert len(ids) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_key_that_does_not_fit_is_refused(api: Service, key: str) -> None:
    """Printable ASCII without spaces."""
    answer = await api.client.post("/api/documents", json={}, headers={"idempotency-key": key})
    assert answer.status_code == 422
