"""Documents as things with a name: each call, what it refuses, and what others notice."""

from __future__ import annotations

import asyncio

import pytest

from collab.errors import Gone
from collab.types import Access, Grant, Principal
from tests.api.service import Service
from tests.updates import typed

AWKWARD_IDS = ["a/b", "ä ö", "50%", "a%2Fb", "?x=1#y", "...", "日本/😀", "a+b&c;d", "x" * 200]


@pytest.mark.parametrize("document", AWKWARD_IDS)
async def test_any_printable_id_is_one_segment(api: Service, document: str) -> None:
    """Percent-encoded, a slash is part of the id; Location leads back to it."""
    created = await api.client.post("/api/documents", json={"id": document})
    assert created.status_code == 201
    found = await api.client.get(created.headers["location"])
    assert found.json()["id"] == document


@pytest.mark.parametrize("segment", ["%00", "%0a", "%E2%80%AE", "%ff", "x" * 201, "%F0%9F%98%80" * 201])
async def test_an_id_that_cannot_be_is_refused(api: Service, segment: str) -> None:
    """Control characters, text direction overrides, bad UTF-8, too long."""
    answer = await api.client.get(f"/api/documents/{segment}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_creating_with_particulars(api: Service) -> None:
    """What is given comes back; what is not has its default."""
    details = await api.create("notes", title="Minutes", metadata={"team": "a", "tags": [1, None]})
    assert details["title"] == "Minutes"
    assert details["metadata"] == {"team": "a", "tags": [1, None]}
    assert (details["seq"], details["online"], details["deleted_at"]) == (0, 0, None)
    assert details["version"] == f"{details['lineage']}.0"


async def test_an_id_is_chosen_if_none_is_given(api: Service) -> None:
    """Time-ordered, so that listings show the order of creation."""
    first, second = [(await api.client.post("/api/documents", json={})).json()["id"] for _ in range(2)]
    assert first < second


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_request"),
        (b"[" * 100_000, 400, "bad_request"),
        (b"[]", 422, "unprocessable"),
        (b'{"id": ""}', 400, "bad_request"),
        (b'{"id": "a\\u0000b"}', 400, "bad_request"),
        (b'{"id": ".."}', 400, "bad_request"),
        (b'{"id": 7}', 422, "unprocessable"),
        (b'{"titel": "typo"}', 422, "unprocessable"),
        (b'{"title": "\\ud800"}', 422, "unprocessable"),
        (b'{"id": "\\ud800"}', 400, "bad_request"),
        (b'{"title": "a\\u0000b"}', 422, "unprocessable"),
        (b'{"title": "' + b"x" * 501 + b'"}', 422, "unprocessable"),
        (b'{"metadata": {"a": "\\ud800"}}', 422, "unprocessable"),
        (b'{"metadata": {"a": "\\u0000"}}', 422, "unprocessable"),
        (b'{"metadata": {"a": 1e999}}', 422, "unprocessable"),
        (b'{"metadata": {"a": 99999999999999999999}}', 422, "unprocessable"),
        (b'{"metadata": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}", 422, "unprocessable"),
        (b'{"metadata": {"a": ' + b"[" * 400 + b"]" * 400 + b"}}", 422, "unprocessable"),
        (b'{"metadata": {"a": "' + b"x" * 17_000 + b'"}}', 422, "unprocessable"),
        (b" " * (8 * 1024 * 1024) + b"{}", 413, "too_large"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused(api: Service, body: bytes, status: int, code: str) -> None:
    """With what is wrong, and nothing is created."""
    answer = await api.client.post("/api/documents", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.client.get("/api/documents")).json() == {"items": [], "cursor": None}
    assert api.parts.refusals.counts == {("rest", code): 1}


async def test_creating_twice_conflicts(api: Service) -> None:
    """Of any number of callers one gets it, and what it has made stays."""
    bodies = [{"id": "d", "title": str(number)} for number in range(5)]
    answers = await asyncio.gather(*(api.client.post("/api/documents", json=body) for body in bodies))
    made = [answer for answer in answers if answer.status_code == 201]
    assert [answer.json()["code"] for answer in answers if answer not in made] == ["conflict"] * 4
    assert (await api.client.get("/api/documents/d")).json() == made[0].json()


async def test_pages_by_id(api: Service) -> None:
    """Each document once, though others come and go between the pages."""
    for name in ("b/1", "a/1", "a/2", "a/3"):
        await api.create(name)
    first = (await api.client.get("/api/documents", params={"limit": 2})).json()
    assert [item["id"] for item in first["items"]] == ["a/1", "a/2"]
    await api.create("a/0")
    await api.client.delete("/api/documents/a%2F2", params={"purge": True})
    rest = (await api.client.get("/api/documents", params={"cursor": first["cursor"]})).json()
    assert ([item["id"] for item in rest["items"]], rest["cursor"]) == (["a/3", "b/1"], None)


async def test_listing_by_prefix_and_metadata(api: Service) -> None:
    """Prefixes are literal and case matters; metadata matches top-level strings."""
    for name, team in (("a%/1", "x"), ("A%/1", "x"), ("ab/1", "x"), ("a%/2", "y"), ("a%/3", 1)):
        await api.create(name, metadata={"team": team, "a.b": team})
    found = await api.client.get("/api/documents", params={"prefix": "a%", "metadata.team": "x"})
    assert [item["id"] for item in found.json()["items"]] == ["a%/1"]
    found = await api.client.get("/api/documents", params={"metadata.a.b": "y", "metadata.team": "y"})
    assert [item["id"] for item in found.json()["items"]] == ["a%/2"]
    assert (await api.client.get("/api/documents", params={"metadata.team": "1"})).json()["items"] == []


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"deleted": "perhaps"}])
async def test_a_query_that_does_not_fit_is_refused(api: Service, params: dict[str, str]) -> None:
    """With the parameter's name."""
    answer = await api.client.get("/api/documents", params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == ["query", *params]


@pytest.mark.parametrize("cursor", ["%%%", "AAA", "_-", "\x00"])
async def test_a_cursor_of_somebody_else_is_refused(api: Service, cursor: str) -> None:
    """It is opaque, but not trusted."""
    answer = await api.client.get("/api/documents", params={"cursor": cursor})
    assert answer.status_code == 400


async def test_a_listing_shows_what_may_be_read(api: Service) -> None:
    """A tenant learns nothing of the others, not even from the cursor of an empty page."""
    for name in ("a/1", "b/1", "b/2", "c/1"):
        await api.create(name)
    api.people["bob"] = Principal("bob", grants=(Grant("b/*", Access.READ),))
    headers = {"authorization": "Bearer bob"}
    page = (await api.client.get("/api/documents", params={"limit": 1}, headers=headers)).json()
    assert [item["id"] for item in page["items"]] == ["b/1"]
    assert (await api.client.get("/api/documents/a%2F1", headers=headers)).status_code == 404
    assert (await api.client.get("/api/documents/a%2Fx", headers=headers)).status_code == 404
    assert (await api.client.delete("/api/documents/b%2F1", headers=headers)).status_code == 403
    assert (await api.client.post("/api/documents", json={"id": "c/2"}, headers=headers)).status_code == 404


async def test_head_says_whether_it_exists(api: Service) -> None:
    """Without opening a room."""
    await api.create()
    for slot in list(api.parts.hub.slots.values()):
        api.parts.hub.unload(slot)
    assert (await api.client.head("/api/documents/d")).status_code == 200
    assert (await api.client.head("/api/documents/x")).status_code == 404
    assert api.parts.hub.slots == {}


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json"])
async def test_a_merge_patch(api: Service, media_type: str) -> None:
    """What is left out stays, null removes, objects are merged (RFC 7396)."""
    await api.create(title="old", metadata={"a": {"x": 1, "y": 2}, "b": 1})
    patch = b'{"metadata": {"a": {"x": null, "z": [null]}, "b": {"c": null}}}'
    answer = await api.client.patch("/api/documents/d", content=patch, headers={"content-type": media_type})
    assert (answer.json()["title"], answer.json()["metadata"]) == ("old", {"a": {"y": 2, "z": [None]}, "b": {}})
    answer = await api.client.patch("/api/documents/d", json={"title": None, "metadata": None})
    assert (answer.json()["title"], answer.json()["metadata"]) == (None, {})


async def test_a_merge_patch_that_does_not_fit(api: Service) -> None:
    """Merged metadata has the same bounds, and nothing changes."""
    before = await api.create(metadata={"a": "x" * 10_000})
    answer = await api.client.patch("/api/documents/d", json={"title": "t", "metadata": {"b": "x" * 10_000}})
    assert answer.status_code == 422
    assert (await api.client.get("/api/documents/d")).json() == before


@pytest.mark.everywhere
async def test_soft_deletion_ends_sockets_and_can_be_undone(api: Service) -> None:
    """Everything is 410 until it is brought back; then everything is there again."""
    await api.create(title="t")
    async with api.socket() as peer:
        assert (await api.client.get("/api/documents/d")).json()["online"] == 1
        peer.edit(typed(1, 0, "hello"))
        await peer.saved()
        assert (await api.client.delete("/api/documents/d")).status_code == 204
        assert isinstance(peer.outbox.closed, Gone)
    for path in ("", "/state", "/updates"):
        answer = await api.client.get(f"/api/documents/d{path}")
        assert (answer.status_code, answer.json()["code"]) == (410, "gone"), path
    assert (await api.post(typed(1, 5, "!"))).status_code == 410
    assert (await api.client.post("/api/documents", json={"id": "d"})).status_code == 410
    assert (await api.client.get("/api/documents")).json()["items"] == []
    listed = (await api.client.get("/api/documents", params={"deleted": True})).json()["items"]
    assert listed[0]["deleted_at"] is not None
    back = await api.client.post("/api/documents/d/undelete")
    assert (back.status_code, back.json()["title"], back.json()["seq"]) == (200, "t", 1)
    assert b"hello" in (await api.client.get("/api/documents/d/state")).content


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("HEAD", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("DELETE", "?purge=true"),
        ("POST", "/undelete"),
        ("GET", "/state"),
        ("GET", "/updates"),
        ("POST", "/updates"),
    ],
)
async def test_an_unknown_document_is_404(api: Service, method: str, path: str) -> None:
    """For every call, and none of them makes it."""
    json = {} if method == "PATCH" else None
    headers = {"content-type": "application/octet-stream"} if method == "POST" else None
    answer = await api.client.request(method, f"/api/documents/x{path}", json=json, headers=headers)
    assert answer.status_code == 404
    assert (await api.client.get("/api/documents")).json()["items"] == []


async def test_unknown_paths_and_methods_are_problems(api: Service) -> None:
    """With every method of the path in Allow."""
    assert (await api.client.get("/api/nothing")).json()["code"] == "not_found"
    answer = await api.client.put("/api/documents/a%2Fb")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.everywhere
async def test_a_document_made_while_its_room_was_open_has_its_version_there_too(api: Service) -> None:
    """Somebody looks at an id that is free yet, then it is created: one version, wherever it is asked for."""
    async with api.socket("d"), api.socket("d"):
        version = (await api.create())["version"]
        for _ in range(2):
            read = await api.client.get("/api/documents/d/state")
            assert read.headers["etag"] == f'"{version}"'
        assert (await api.post(typed(1, 0, "a"))).json()["version"] == f"{str(version).partition('.')[0]}.1"
