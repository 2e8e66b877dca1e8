"""Who gets in: origins, names of the machine, credentials; the same for every call, unchanged polls included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest

from collab.api.access import Door
from collab.api.app import create_app
from collab.auth.guard import Guard
from collab.auth.open_mode import Openness
from collab.auth.origins import Origins
from collab.auth.policy import GrantPolicy
from collab.types import Access, Grant, Principal
from tests.api.service import Anyone, Service, running
from tests.backends import Ground

pytestmark = pytest.mark.one_node

CALLS = [
    ("GET", "/api/documents"),
    ("POST", "/api/documents"),
    ("GET", "/api/documents/d"),
    ("HEAD", "/api/documents/d"),
    ("PATCH", "/api/documents/d"),
    ("DELETE", "/api/documents/d"),
    ("POST", "/api/documents/d/undelete"),
    ("GET", "/api/documents/d/state"),
    ("POST", "/api/documents/d/updates"),
    ("GET", "/api/documents/d/updates"),
    ("POST", "/api/documents/d/snapshots"),
    ("GET", "/api/documents/d/snapshots"),
    ("GET", "/api/documents/d/events"),
    ("GET", "/api/documents/d/presence"),
]


@pytest.fixture
async def guarded(ground: Ground) -> AsyncIterator[Service]:
    """An open service on loopback, with a document."""
    async with running(ground) as service:
        await service.create()
        origins = Origins(["https://app.example"])
        door = Door(Guard(Anyone(service.people), GrantPolicy(), origins, Openness(True)))
        service.app.state.parts = service.parts = replace(service.parts, door=door)
        yield service


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"host": "evil.example"}])
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_strange_pages_and_names_are_refused(
    guarded: Service, method: str, path: str, headers: dict[str, str]
) -> None:
    """A page in a visitor's browser must not reach a service on their own machine: not even by a body-less POST."""
    headers = {"host": "127.0.0.1:8000"} | headers
    if "updates" in path:
        headers |= {"content-type": "application/octet-stream"}
    answer = await guarded.client.request(method, path, headers=headers, json={} if method == "PATCH" else None)
    assert answer.status_code == 403
    details = await guarded.client.get("/api/documents/d", headers={"host": "127.0.0.1"})
    assert (details.json()["seq"], details.json()["deleted_at"]) == (0, None)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000", "https://app.example"])
async def test_own_and_named_pages_may_call(guarded: Service, origin: str) -> None:
    """Same origin, and the set that CORS has too."""
    headers = {"host": "127.0.0.1:8000", "origin": origin}
    assert (await guarded.client.get("/api/documents/d", headers=headers)).status_code == 200


async def test_an_unchanged_poll_is_no_back_door(api: Service) -> None:
    """What is answered before routing is asked the same questions."""
    version = (await api.create())["version"]
    api.people["eve"] = Principal("eve", grants=(Grant("other", Access.WRITE),))
    poll = {"if-none-match": f'"{version}"'}
    assert (await api.client.get("/api/documents/d/state", headers=poll)).status_code == 304
    eve = poll | {"authorization": "Bearer eve"}
    assert (await api.client.get("/api/documents/d/state", headers=eve)).status_code == 404
    evil = poll | {"origin": "https://evil.example"}
    assert (await api.client.get("/api/documents/d/state", headers=evil)).status_code == 403


async def test_cors_names_the_same_set(api: Service) -> None:
    """A preflight of a named page passes and exposes the ETag; others get no permission."""
    door = Door(Guard(Anyone(api.people), GrantPolicy(), Origins(["https://app.example"]), Openness(True)))
    app = create_app(replace(api.parts, door=door))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        asked = {"access-control-request-method": "PUT", "origin": "https://app.example"}
        answer = await client.options("/api/documents/d", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        answer = await client.options("/api/documents/d", headers=asked | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers
