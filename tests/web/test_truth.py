"""What the editor says while things break: it never says "saved" of what is not, and never drops what was typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from tests import realservers
from tests.server import Server, command, running_server, wait_until
from tests.web.browser import People
from tests.web.test_console import make_key

KEPT = """() => new Promise((resolve, reject) => {
  const asked = indexedDB.open('collab:device')
  asked.onerror = () => reject(asked.error)
  asked.onsuccess = () => {
    const counted = asked.result.transaction('updates').objectStore('updates').count()
    counted.onsuccess = () => (asked.result.close(), resolve(counted.result))
  }
})"""
"""How many updates the browser has kept of the document `device`."""


def content(server: Server, document: str) -> str:
    """What REST says is in it."""
    return httpx2.get(f"{server.url}/api/documents/{document}/content?root=default&type=xml&format=text").text


def test_edits_made_while_the_server_is_away_are_counted_kept_and_merged(person: People, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        ada, ben = person(server.url).open("away"), person(server.url).open("away")
        ada.type("before. ")
        expect(ada.saved()).to_be_visible()
        expect(ben.sheet).to_contain_text("before.")
        server.kill()
        expect(ada.status("live")).to_have_count(0)
        expect(ben.status("live")).to_have_count(0)
        ada.type("from Ada. ")
        ben.type("from Ben. ")
        expect(ada.page.locator("[data-saved=no]")).to_have_attribute("data-unsaved", "10")
        expect(ada.page.get_by_text("You are offline")).to_be_visible()
        expect(ada.saved()).to_have_count(0)
        server.start()
        for one in (ada, ben):
            expect(one.status("live")).to_be_visible()
            expect(one.sheet).to_contain_text("from Ada.")
            expect(one.sheet).to_contain_text("from Ben.")
            expect(one.saved()).to_be_visible()
        assert "from Ada." in content(server, "away") and "from Ben." in content(server, "away")
        for one in (ada, ben):
            one.page.close()


def test_a_page_that_was_closed_offline_sends_its_edits_when_it_is_opened_again(person: People, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        ada = person(server.url).open("device")
        ada.type("kept. ")
        expect(ada.saved()).to_be_visible()
        server.kill()
        expect(ada.status("live")).to_have_count(0)
        before = ada.page.evaluate(KEPT)
        ada.type("typed offline. ")
        expect(ada.page.locator("[data-saved=no]")).to_have_attribute("data-unsaved", "15")
        wait_until(lambda: ada.page.evaluate(KEPT) >= before + 15, what="the copy on the device")
        ada.page.close()
        server.start()
        ada.page = ada.context.new_page()
        ada.open("device")
        expect(ada.sheet).to_contain_text("typed offline.")
        expect(ada.saved()).to_be_visible()
        assert "typed offline." in content(server, "device")
        ada.page.close()


@pytest.fixture
def database() -> Iterator[realservers.Server]:
    """A PostgreSQL of its own, with our tables, to be killed."""
    with realservers.postgres() as server:
        command("db", "upgrade", "--database-url", server.url)
        yield server


def test_nothing_is_called_saved_while_the_database_is_down(
    person: People, database: realservers.Server, tmp_path: Path
) -> None:
    with running_server(tmp_path, env={"COLLAB_DATABASE_URL": database.url}) as server:
        ada, ben = person(server.url).open("disk"), person(server.url).open("disk")
        ada.type("a")
        expect(ada.saved()).to_be_visible()
        database.kill()
        ada.type("bcd")
        expect(ben.sheet).to_contain_text("abcd")  # shown at once all the same
        expect(ada.page.locator("[data-saved=no]")).to_have_attribute("data-unsaved", "3")
        expect(ada.status("live")).to_be_visible()
        database.restart()
        expect(ada.saved()).to_be_visible()
        for one in (ada, ben):
            one.page.close()


def test_a_share_link_gives_what_it_says_and_nothing_else(person: People, tmp_path: Path) -> None:
    admin = make_key(tmp_path, "admin")
    with running_server(tmp_path) as server:
        ada = person(server.url)
        ada.go("/d/private").page.get_by_label("API key or token").fill(admin)
        ada.page.get_by_role("button", name="Continue").click()
        expect(ada.status("live")).to_be_visible()
        ada.type("for you only")
        ada.page.get_by_role("button", name="Share").click()
        expect(ada.page.get_by_label("Valid for")).to_be_visible()
        ada.page.get_by_role("button", name="Make link").click()
        link = ada.page.get_by_role("textbox", name="Link", exact=True)
        expect(link).to_have_value(re.compile("#key=ck_"))
        ben = person(server.url)
        ben.page.goto(link.input_value())
        expect(ben.sheet).to_have_text("for you only")
        expect(ben.saved("read-only")).to_be_visible()
        assert "key=" not in ben.page.url
        ben.page.goto(f"{server.url}/d/another")
        expect(ben.page.get_by_text("This server needs a key")).to_be_visible()
        for one in (ada, ben):
            one.page.close()
