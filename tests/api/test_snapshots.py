"""Snapshots: taken, kept as they were, found, relabelled, removed."""

from __future__ import annotations

import asyncio

import pytest

from collab.crdt.fold import fold
from collab.crdt.merge import merge
from collab.types import Access, Grant, Principal
from tests.api.service import BINARY, Service
from tests.updates import typed

SNAPSHOTS = "/api/documents/d/snapshots"


async def take(api: Service, **fields: object) -> dict[str, object]:
    """Takes a snapshot; returns its details."""
    answer = await api.client.post(SNAPSHOTS, json=fields)
    assert answer.status_code == 201, answer.text
    assert (await api.client.get(answer.headers["location"])).json() == answer.json()
    return answer.json()  # type: ignore[no-any-return]


async def test_a_snapshot_stays_as_it_was(api: Service) -> None:
    """Whatever happens to the document, its state is the same bytes for ever."""
    await api.create()
    await api.post(typed(1, 0, "ab"))
    snapshot = await take(api, label="first", metadata={"a": 1})
    assert (snapshot["seq"], snapshot["label"], snapshot["metadata"]) == (1, "first", {"a": 1})
    await api.post(typed(1, 2, "cd"))
    state = await api.client.get(f"{SNAPSHOTS}/{snapshot['id']}/state")
    assert state.content == merge([typed(1, 0, "ab")])
    again = await api.client.get(
        f"{SNAPSHOTS}/{snapshot['id']}/state", headers={"if-none-match": state.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.one_node
async def test_a_snapshot_holds_what_everybody_sees(api: Service) -> None:
    """An edit that is on all screens but not on disk yet is waited for."""
    await api.create()
    async with api.socket() as peer:
        peer.edit(typed(1, 0, "ab"))
        snapshot = await take(api)
    assert snapshot["seq"] == 1
    assert (await api.client.get(f"{SNAPSHOTS}/{snapshot['id']}/state")).content == merge([typed(1, 0, "ab")])


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}])
async def test_a_body_is_optional(api: Service, headers: dict[str, str]) -> None:
    """curl -X POST is enough."""
    await api.create()
    answer = await api.client.post(SNAPSHOTS, headers=headers)
    assert (answer.status_code, answer.json()["label"], answer.json()["metadata"]) == (201, None, {})


async def test_an_uploaded_state_is_kept(api: Service) -> None:
    """Byte for byte, and the document does not change."""
    await api.create()
    answer = await api.client.post(SNAPSHOTS, params={"label": "backup"}, content=typed(9, 0, "x"), headers=BINARY)
    assert (answer.status_code, answer.json()["label"]) == (201, "backup")
    assert (await api.client.get(f"{answer.headers['location']}/state")).content == typed(9, 0, "x")
    assert (await api.client.get("/api/documents/d/state")).content == b"\x00\x00"


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"\xff\xff", "application/octet-stream", 422, "bad_update"),
        (b"", "application/octet-stream", 422, "bad_update"),
        (typed(1, 3, "x"), "application/octet-stream", 422, "unprocessable"),
        (b"{", "application/json", 400, "bad_request"),
        (b"[]", "application/json", 422, "unprocessable"),
        (b'{"label": 1}', "application/json", 422, "unprocessable"),
        (b'{"label": "\\ud800"}', "application/json", 400, "bad_request"),
        (b'{"lable": "x"}', "application/json", 422, "unprocessable"),
        (b"label=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused(
    api: Service, body: bytes, media_type: str, status: int, code: str
) -> None:
    """And nothing is kept."""
    await api.create()
    answer = await api.client.post(SNAPSHOTS, content=body, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await api.client.get(SNAPSHOTS)).json()["items"] == []


async def test_newest_first_in_pages(api: Service) -> None:
    """Each once."""
    await api.create()
    labels = [str(number) for number in range(5)]
    for label in labels:
        await take(api, label=label)
    first = (await api.client.get(SNAPSHOTS, params={"limit": 3})).json()
    await take(api, label="later")
    rest = (await api.client.get(SNAPSHOTS, params={"cursor": first["cursor"]})).json()
    assert [item["label"] for item in first["items"] + rest["items"]] == labels[::-1]
    assert rest["cursor"] is None


async def test_a_merge_patch_of_its_particulars(api: Service) -> None:
    """The state stays."""
    await api.create()
    snapshot = await take(api, label="a", metadata={"x": 1, "y": 2})
    path = f"{SNAPSHOTS}/{snapshot['id']}"
    answer = await api.client.patch(path, json={"metadata": {"x": None}})
    assert answer.json() == snapshot | {"metadata": {"y": 2}}
    assert (await api.client.patch(path, json={"label": None})).json()["label"] is None
    assert (await api.client.patch(path, json={"state": "x"})).status_code == 422
    assert (await api.client.patch(path, json={"metadata": {"z": "x" * 17_000}})).status_code == 422


async def test_deleting(api: Service) -> None:
    """It is gone, and so is its state."""
    await api.create()
    path = f"{SNAPSHOTS}/{(await take(api))['id']}"
    assert (await api.client.delete(path)).status_code == 204
    for answer in [await api.client.delete(path), await api.client.get(path), await api.client.get(f"{path}/state")]:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_snapshots_of_another_document_are_not_found(api: Service) -> None:
    """An id is no key to somebody else's document."""
    await api.create()
    await api.create("other")
    snapshot = (await take(api))["id"]
    for method, path in (("GET", ""), ("GET", "/state"), ("DELETE", ""), ("PATCH", "")):
        answer = await api.client.request(method, f"/api/documents/other/snapshots/{snapshot}{path}", json={})
        assert answer.status_code == 404


async def test_a_reader_may_look_but_not_touch(api: Service) -> None:
    """403 for what changes something."""
    await api.create()
    path = f"{SNAPSHOTS}/{(await take(api))['id']}"
    api.people["eve"] = Principal("eve", grants=(Grant("d", Access.READ),))
    eve = {"authorization": "Bearer eve"}
    for method, target, status in (
        ("GET", SNAPSHOTS, 200),
        ("GET", path, 200),
        ("GET", f"{path}/state", 200),
        ("POST", SNAPSHOTS, 403),
        ("PATCH", path, 403),
        ("DELETE", path, 403),
    ):
        body = {} if method == "PATCH" else None
        assert (await api.client.request(method, target, headers=eve, json=body)).status_code == status


async def test_snapshots_while_people_type(api: Service) -> None:
    """Each is a state that the document really had: a prefix of what was typed, at its seq."""
    await api.create()
    async with api.socket() as peer:

        async def types() -> None:
            for clock in range(200):
                peer.edit(typed(1, clock, "x"))
                await asyncio.sleep(0)

        typing = asyncio.create_task(types())
        taken = [await take(api) for _ in range(10)]
        await typing
    for snapshot in taken:
        state = (await api.client.get(f"{SNAPSHOTS}/{snapshot['id']}/state")).content
        length = int(snapshot["seq"])  # type: ignore[call-overload]
        # A checkpoint that was made meanwhile puts letters together: the same content, in other bytes.
        assert fold(None, [state]) == fold(None, [typed(1, clock, "x") for clock in range(length)])
    assert [s["seq"] for s in taken] == sorted(s["seq"] for s in taken)  # type: ignore[type-var]
