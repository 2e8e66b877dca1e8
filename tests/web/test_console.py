"""The console: who may use it, and what its buttons do to a room and a node that people are in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx2
from playwright.sync_api import expect

from tests.server import Server, running_server, wait_until
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
    command = [sys.executable, "-m", "collab", "keys", "create", "test", "--data", str(data), "--json"]
    command += [part for scope in scopes for part in ("--scope", scope)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["key"])


def test_only_admins_may_look_and_act(tmp_path: Path) -> None:
    reader, admin = make_key(tmp_path, "documents:write"), make_key(tmp_path, "admin")
    with running_server(tmp_path) as server:
        for method, path in CALLS:
            assert httpx2.request(method, f"{server.url}{path}").status_code == 401
            refused = httpx2.request(method, f"{server.url}{path}", headers={"authorization": f"Bearer {reader}"})
            assert refused.status_code == 403
        headers = {"authorization": f"Bearer {admin}"}
        seen = httpx2.get(f"{server.url}/api/console", headers=headers).json()
        assert seen["open"] is False and seen["quarantined"] == [] and seen["figures"]["journal_healthy"] == 1.0
        assert {"where": "rest", "code": "forbidden", "count": len(CALLS)} in seen["refusals"]


def test_the_page_asks_for_a_key_and_takes_an_admins(person: People, tmp_path: Path) -> None:
    reader, admin = make_key(tmp_path, "documents:read"), make_key(tmp_path, "admin")
    with running_server(tmp_path) as server:
        page = person(server.url).go("/console").page
        for key in (reader, admin):
            page.get_by_label("API key or token").fill(key)
            page.get_by_role("button", name="Continue").click()
            if key == reader:
                expect(page.get_by_text("not an admin")).to_be_visible()
        expect(page.get_by_text("Healthy")).to_be_visible()
        page.close()


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
