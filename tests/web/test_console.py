"""The console: who may use it, and what its buttons do to a room and a node that people are in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from tests.server import Server, command, running_server, wait_until
from tests.web.browser import People

CALLS = (
    ("GET", "/api/console"),
    ("GET", "/api/console/hour"),
    ("GET", "/api/console/rooms/d"),
    ("POST", "/api/console/rooms/d/checkpoint"),
    ("GET", "/api/console/rooms/d/trace"),
    ("POST", "/api/console/drain"),
)


def make_key(data: Path, *scopes: str) -> str:
    """A key of a data folder, by the command line."""
    flags = [part for scope in scopes for part in ("--scope", scope)]
    printed = command("keys", "create", "test", "--data", str(data), "--json", *flags)
    return str(json.loads(printed[printed.index("{") :])["key"])


@dataclass
class Guarded:
    """A server that wants keys, and two of them."""

    server: Server
    reader: str
    admin: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    data = tmp_path_factory.mktemp("guarded")
    reader, admin = make_key(data, "documents:write"), make_key(data, "admin")
    with running_server(data) as server:
        yield Guarded(server, reader, admin)


def test_only_admins_may_look_and_act(guarded: Guarded) -> None:
    def ask(method: str, path: str, key: str | None) -> int:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx2.request(method, f"{guarded.server.url}{path}", headers=headers).status_code

    assert [ask(*call, None) for call in CALLS] == [401] * len(CALLS)
    assert [ask(*call, guarded.reader) for call in CALLS] == [403] * len(CALLS)
    headers = {"authorization": f"Bearer {guarded.admin}"}
    seen = httpx2.get(f"{guarded.server.url}/api/console", headers=headers).json()
    assert seen["open"] is False and seen["quarantined"] == [] and seen["figures"]["journal_healthy"] == 1.0
    assert {"where": "rest", "code": "forbidden", "count": len(CALLS)} in seen["refusals"]


def test_the_page_asks_for_a_key_and_takes_an_admins(person: People, guarded: Guarded) -> None:
    page = person(guarded.server.url).go("/console").page
    for key in (guarded.reader, guarded.admin):
        page.get_by_label("API key or token").fill(key)
        page.get_by_role("button", name="Continue").click()
        if key == guarded.reader:
            expect(page.get_by_text("not an admin")).to_be_visible()
    expect(page.get_by_text("Healthy")).to_be_visible()


def test_a_room_is_traced_folded_and_a_session_revoked(person: People, server: Server) -> None:
    ada, ben = person().open("operated"), person().open("operated")
    ada.type("watched ")
    expect(ben.sheet).to_contain_text("watched")
    operator = person().go("/console")
    page = operator.page
    expect(page.get_by_text("Healthy")).to_be_visible()
    page.get_by_role("button", name="operated").click()
    page.get_by_role("button", name="Trace this room").click()
    expect(page.get_by_role("log")).to_contain_text("Waiting")
    ben.type("traced ")
    expect(page.get_by_role("log")).to_contain_text("update")
    expect(page.get_by_role("log")).not_to_contain_text("traced")
    page.get_by_role("button", name="Checkpoint now").click()
    expect(page.get_by_text(re.compile("Folded up to [0-9]+"))).to_be_visible()
    name = ben.page.locator(".actions .avatar").locator("..").get_attribute("title")
    page.get_by_role("row", name=re.compile(re.escape(name or "?"))).get_by_role("button", name="Revoke").first.click()
    expect(ben.page.locator("[data-ended='4401']")).to_be_visible()
    expect(ada.status("live")).to_be_visible()
    ben.page.get_by_role("button", name="Try again").click()  # a fresh permission is a new one
    expect(ben.status("live")).to_be_visible()


def test_draining_closes_the_sockets_and_says_so(person: People, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        ada = person(server.url).open("drained")
        page = person(server.url).go("/console").page
        page.get_by_role("button", name="Drain this node").click()
        page.get_by_role("button", name="Drain", exact=True).click()
        expect(page.get_by_text("Draining")).to_be_visible()
        expect(ada.status("offline").or_(ada.status("connecting"))).to_be_visible()
        wait_until(lambda: httpx2.get(f"{server.url}/readyz").status_code == 503, what="a red /readyz")
        for one in (ada.page, page):
            one.close()
