"""Permissions by REST: tickets, keys, taking back, the audit; and what callers learn of their rates."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import pytest

from collab.accesslog import AccessLog
from collab.auth.base import Credentials
from collab.auth.credentials import scrub
from collab.auth.rates import Rate, Rates
from collab.errors import Overloaded, StorageUnavailable, Unauthorized
from collab.protocol.messages import encode_access
from collab.store.census import Census
from collab.types import Access, Grant, Principal, Scope
from tests.api.service import Service, running
from tests.backends import Ground

TICKETS = "/api/documents/d/tickets"
ROOT = Principal("root", "key", key_id="root", scopes=frozenset({Scope.ADMIN}))
BACKEND = Principal(
    "backend", "key", key_id="k1", grants=(Grant("d", Access.WRITE),), scopes=frozenset({Scope.TICKETS_CREATE})
)
ADA = Principal("ada", "jwt", name="Ada", key_id="jti-1", grants=(Grant("d", Access.READ),), issued_at=1.0)


@pytest.fixture
async def closed(ground: Ground) -> AsyncIterator[Service]:
    """A service in which keys exist: `as_` says who calls."""
    async with running(ground) as service:
        await service.create()
        service.parts.door.guard.openness.open = False
        service.people |= {"root": ROOT, "backend": BACKEND, "ada": ADA, "eve": Principal("eve", "jwt")}
        yield service


def as_(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


async def audited(service: Service, **wanted: str) -> list[dict[str, object]]:
    """What the audit holds, newest first, after everything told is written."""
    audit = service.parts.permissions.audit
    audit.close()
    await audit.run()
    answer = await service.client.get("/api/audit", headers=as_("root"), params=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]  # type: ignore[no-any-return]


# ---------------------------------------------------------------------- tickets


async def test_a_backend_mints_a_ticket_for_its_user(closed: Service) -> None:
    user = {"id": "u1", "name": "Uma", "color": "#dd3333"}
    wanted = {"access": "comment", "user": user, "expires_in_s": 120}
    answer = await closed.client.post(TICKETS, headers=as_("backend"), json=wanted)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    minted = answer.json()
    assert (minted["document"], minted["access"], minted["user"]) == ("d", "comment", user)
    bearer = await closed.parts.permissions.tickets.who(minted["ticket"])
    assert (bearer.id, bearer.name, bearer.color, bearer.key_id) == ("u1", "Uma", "#dd3333", "k1")
    assert bearer.grants == (Grant("d", Access.COMMENT, exact=True),)
    assert bearer.expires_at is not None and 0 < bearer.expires_at - time.time() <= 120
    with pytest.raises(Unauthorized):
        await closed.parts.permissions.tickets.who(minted["ticket"])
    (event,) = await audited(closed, action="ticket.mint")
    assert (event["actor"], event["document"]) == ("backend", "d")
    assert event["detail"] == {"address": "127.0.0.1", "request": answer.headers["x-request-id"], "key": "k1"} | {
        "user": "u1", "access": "comment",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("backend", {"access": "write"}, 422),  # for whom?
        ("backend", {"access": "own", "user": {"id": "u"}}, 422),
        ("backend", {"user": {"id": ""}}, 422),
        ("backend", {"user": {"id": "u", "color": "red"}}, 422),
        ("backend", {"user": {"id": "u", "name": "\u202eevil"}}, 422),
        ("backend", {"user": {"id": "u", "admin": True}}, 422),
        ("backend", {"user": {"id": "u"}, "expires_in_s": 0}, 422),
        ("backend", {"user": {"id": "u"}, "expires_in_s": 86_401}, 422),
        ("ada", {"access": "write"}, 403),
        ("ada", {"access": "read", "user": {"id": "bo"}}, 403),
        ("ada", {"access": "read", "user": {"id": "ada", "name": "Bo"}}, 403),
        ("eve", {"access": "read"}, 404),
    ],
)
async def test_no_ticket_gives_more_than_its_maker_has(
    closed: Service, who: str, body: dict[str, object], status: int
) -> None:
    answer = await closed.client.post(TICKETS, headers=as_(who), json=body)
    assert (answer.status_code, "ct_" in answer.text) == (status, False)


async def test_a_person_with_a_token_mints_for_themselves(closed: Service) -> None:
    answer = await closed.client.post(TICKETS, headers=as_("ada"), json={"access": "read"})
    assert (answer.status_code, answer.json()["user"]) == (201, {"id": "ada", "name": "Ada", "color": None})


async def test_a_key_without_the_scope_speaks_for_nobody(closed: Service) -> None:
    closed.people["reader"] = Principal("reader", "key", grants=(Grant("*", Access.READ),))
    body = {"access": "read", "user": {"id": "u"}}
    assert (await closed.client.post(TICKETS, headers=as_("reader"), json=body)).status_code == 403


# ---------------------------------------------------------------------- keys


@pytest.mark.one_node
async def test_keys_are_made_listed_and_revoked_while_the_service_runs(closed: Service) -> None:
    wanted = {"name": "bot", "scopes": ["documents:read"], "documents": ["team-a/*"], "expires_in_s": 60}
    answer = await closed.client.post("/api/keys", headers=as_("root"), json=wanted)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    secret = made.pop("key")
    keys = closed.parts.permissions.keys
    assert (await keys.who(secret)).grants == (Grant("team-a/*", Access.READ),)
    listed = (await closed.client.get("/api/keys", headers=as_("root"))).json()
    assert listed == {"items": [made | {"last_used_at": listed["items"][0]["last_used_at"]}], "cursor": None}
    assert (await closed.client.delete(f"/api/keys/{made['id']}", headers=as_("root"))).status_code == 204
    with pytest.raises(Unauthorized):
        await keys.who(secret)
    revoked, created = [e for e in await audited(closed) if str(e["action"]).startswith("key.")]
    assert (revoked["action"], revoked["detail"]["revoked"]) == ("key.revoke", made["id"])  # type: ignore[index]
    assert (created["action"], created["detail"]["made"]) == ("key.create", made["id"])  # type: ignore[index]
    assert (await closed.client.delete("/api/keys/nobody", headers=as_("root"))).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/keys", {"name": "x", "scopes": ["admin"]}),
        ("GET", "/api/keys", None),
        ("DELETE", "/api/keys/k1", None),
        ("POST", "/api/sessions/revoke", {"user": "root"}),
        ("GET", "/api/audit", None),
    ],
)
async def test_administration_is_for_admins(closed: Service, method: str, path: str, body: object) -> None:
    for who in ("backend", "ada", "eve"):
        assert (await closed.client.request(method, path, headers=as_(who), json=body)).status_code == 403
    refused = await audited(closed, action="access.refuse")
    assert [(e["actor"], e["outcome"]) for e in refused] == [(who, "forbidden") for who in ("eve", "ada", "backend")]


async def test_an_open_service_makes_no_keys(api: Service) -> None:
    """Else whoever passes by once would own it for ever."""
    answer = await api.client.post("/api/keys", json={"name": "x", "scopes": ["admin"]})
    assert answer.status_code == 403
    assert (await api.parts.permissions.key_store.list(1)).items == []


# ---------------------------------------------------------------------- taking back


@pytest.mark.one_node
async def test_revoking_ends_or_lowers_what_is_open(closed: Service) -> None:
    async with closed.socket() as writer, closed.socket() as other:
        writer.session.principal = Principal("uma", "ticket", issued_at=1.0, grants=(Grant("d", Access.WRITE),))
        other.session.principal = Principal("bo", "ticket", issued_at=1.0, grants=(Grant("d", Access.WRITE),))
        writer.outbox.take()
        body = {"user": "uma", "document": "d", "access": "read"}
        answer = await closed.client.post("/api/sessions/revoke", headers=as_("root"), json=body)
        assert answer.json() == {"ended": 0, "lowered": 1}
        assert (writer.outbox.take(), writer.session.access) == ([encode_access("read")], Access.READ)
        answer = await closed.client.post("/api/sessions/revoke", headers=as_("root"), json={"user": "uma"})
        assert answer.json() == {"ended": 1, "lowered": 0}
        assert writer.outbox.closed is not None and writer.outbox.closed.close_code == 4401
        assert (other.outbox.closed, other.session.access) == (None, Access.WRITE)
    assert len(await audited(closed, action="session.revoke")) == 2


@pytest.mark.one_node
async def test_a_token_that_was_revoked_opens_nothing_more(closed: Service) -> None:
    assert (await closed.client.get("/api/documents/d", headers=as_("ada"))).status_code == 200
    answer = await closed.client.post("/api/sessions/revoke", headers=as_("root"), json={"key": "jti-1"})
    assert answer.status_code == 200
    assert (await closed.client.get("/api/documents/d", headers=as_("ada"))).status_code == 401


async def test_revoking_nobody_is_refused(closed: Service) -> None:
    answer = await closed.client.post("/api/sessions/revoke", headers=as_("root"), json={"access": "read"})
    assert answer.status_code == 422


# ---------------------------------------------------------------------- what others may know


async def test_pages_show_nothing_of_others(closed: Service) -> None:
    for name in ("a/1", "a/2", "b/1", "b/2", "b/secret", "c/1", "d/1"):
        await closed.parts.catalog.create(name, None, {})
    closed.people["ann"] = Principal(
        "ann", "jwt", grants=(Grant("a/*", Access.READ), Grant("c/1", Access.READ, exact=True))
    )
    names, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await closed.client.get("/api/documents", headers=as_("ann"), params=params)).json()
        assert len(page["items"]) == 1, "no page tells that something was left out"
        names += [item["id"] for item in page["items"]]
        cursor, pages = page["cursor"], pages + 1
    assert (names, pages) == (["a/1", "a/2", "c/1"], 3)
    page = (await closed.client.get("/api/documents?prefix=b", headers=as_("ann"))).json()
    assert page == {"items": [], "cursor": None}


@pytest.mark.one_node
async def test_a_service_takes_so_many_documents(ground: Ground) -> None:
    async with running(ground, documents_max=2) as service:
        await service.create("one")
        await service.create("two")
        answer = await service.client.post("/api/documents", json={"id": "three"})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


@pytest.mark.one_node
async def test_a_count_that_failed_is_not_believed(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was counted: who comes next counts, though somebody did so a moment ago."""
    async with running(ground, documents_max=1) as service:
        await service.create("one")
        census, database = Census(service.store.database, 1), service.store.database
        with monkeypatch.context() as patch:
            patch.setattr(database, "read", AsyncMock(side_effect=StorageUnavailable()))
            with pytest.raises(StorageUnavailable):
                await census.check()
        with pytest.raises(Overloaded):
            await census.check()


@pytest.mark.parametrize(
    "origin",
    ["https://a\0b.example", "https://user@evil.example", "https://a.example/", "https://", "https://*", "ws://a",
     "null", "https://a.example:x", "https://a.example\n"],
)  # fmt: skip
async def test_a_y_sweet_token_is_for_an_origin_and_nothing_else(closed: Service, origin: str) -> None:
    wanted = {"user": {"id": "u"}, "origin": origin}
    answer = await closed.client.post("/api/documents/d/y-sweet-token", json=wanted, headers=as_("backend"))
    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
    for good in ("https://collab.example", "http://[::1]:8000", "https://Collab.example:8443"):
        made = await closed.client.post(
            "/api/documents/d/y-sweet-token", json=wanted | {"origin": good}, headers=as_("backend")
        )
        assert made.json()["baseUrl"] == f"{good}/api/documents", made.text


# ---------------------------------------------------------------------- rates and lines


async def test_callers_are_told_what_is_left_and_when_to_come_back(ground: Ground) -> None:
    rates = Rates({"address": Rate(100, 60), "key": Rate(2, 60), "user": Rate(3, 60)})
    async with running(ground, rates=rates) as service:
        service.people |= {"backend": BACKEND, "ada": ADA}
        await service.create()
        answers = [await service.client.get("/api/documents/d", headers=as_("backend")) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["ratelimit"].startswith('"address";r=98;t=')
        assert '"key";r=1;t=' in answers[0].headers["ratelimit"]
        assert answers[0].headers["ratelimit-policy"] == '"address";q=100;w=60, "key";q=2;w=60'
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60
        assert '"key";r=0;t=' in answers[2].headers["ratelimit"]
        answer = await service.client.get("/api/documents/d", headers=as_("ada"))
        assert (answer.status_code, '"user";r=2' in answer.headers["ratelimit"]) == (200, True)


async def test_who_guesses_is_counted_apart(ground: Ground) -> None:
    class Nobody:
        async def who(self, credentials: Credentials) -> Principal:
            raise Unauthorized

    rates = Rates({"failures": Rate(2, 60)})
    async with running(ground, rates=rates, authenticator=lambda people: Nobody()) as service:
        answers = [await service.client.get("/api/documents/d", headers=as_("guess")) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]


async def test_every_request_is_a_line_without_its_secrets(ground: Ground) -> None:
    lines: list[str] = []
    log = AccessLog(lines.append, scrub)
    async with running(ground, log=log) as service:
        await service.create()
        service.people |= {"ada": ADA}
        headers = as_("ada") | {"x-request-id": "mine-1"}
        path = "/api/documents/d?ticket=ct_" + "x" * 43
        answer = await service.client.get(path, headers=headers)
        assert answer.headers["x-request-id"] == "mine-1"
        odd = await service.client.get("/api/documents/d", headers={"x-request-id": "two\twords"})
        assert odd.headers["x-request-id"] != "two\twords"
        log.flush()
    told = [json.loads(line) for line in "".join(lines).splitlines()][1]
    assert told.pop("ms") >= 0 and told.pop("timestamp").endswith("Z")
    assert told == {
        "event": "request", "level": "info", "request": "mine-1", "method": "GET", "status": 200,
        "target": "/api/documents/d?ticket=***", "address": "127.0.0.1", "actor": "ada", "actor_kind": "jwt",
    }  # fmt: skip
    assert "ct_" not in "".join(lines) and "Bearer" not in "".join(lines)
