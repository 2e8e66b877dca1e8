"""What streams go on for: as long as the permission that opened them, and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.access.realm import Realm, token
from tests.patience import PATIENCE_S


def key_of(land: Realm, *scopes: str) -> tuple[str, str]:
    """A fresh API key: (id, secret)."""
    made = land.ask("admin", "POST", "/api/keys", json={"name": "stream", "scopes": list(scopes)}).json()
    return made["id"], made["key"]


@contextmanager
def stream(land: Realm, path: str, secret: str) -> Iterator[Iterator[str]]:
    """Lines of an event stream."""
    headers = {"authorization": f"Bearer {secret}"}
    with httpx2.stream("GET", f"{land.server.url}{path}", headers=headers, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


def test_an_event_stream_ends_with_the_key_that_opened_it(land: Realm) -> None:
    id, secret = key_of(land, "documents:read")
    with stream(land, "/api/documents/notes/events", secret) as lines:
        assert next(lines).startswith("event: ")
        land.ask("admin", "DELETE", f"/api/keys/{id}")
        assert any(line == "event: end" for line in lines)


def test_a_trace_ends_with_the_key_that_opened_it(land: Realm) -> None:
    id, secret = key_of(land, "admin")
    with stream(land, "/api/console/rooms/notes/trace", secret) as lines:
        land.ask("admin", "DELETE", f"/api/keys/{id}")
        assert any(line == "event: end" for line in lines)


def test_a_repeated_call_tells_nothing_to_who_may_no_longer_read(land: Realm) -> None:
    land.tokens["mover"] = token("mover", ("team/*", "write"))

    def call() -> dict[str, Any]:
        return {"json": {"id": "team/plan", "title": "secret"}, "headers": {"idempotency-key": "once"}}

    assert land.ask("mover", "POST", "/api/documents", **call()).status_code == 201
    land.tokens["mover"] = token("mover", ("elsewhere/*", "write"))
    assert land.ask("mover", "POST", "/api/documents", **call()).status_code == 404
