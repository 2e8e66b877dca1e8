"""Every page for everybody: by keyboard alone, by ear, in the dark, on a phone; axe-core finds nothing grave."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from collab.web import pages
from tests.server import Server, running_server
from tests.web.browser import People, Person
from tests.web.conftest import CLIENTS
from tests.web.eyes import faults, tab_through, tree

LONG = "a-very-long-id/" + "that-goes-on/" * 9
Check = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def axe(modules: Path) -> str:
    """axe-core, as npm has it for developers; it is in no build."""
    return (CLIENTS / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def check(axe: str) -> Check:
    """Fails with everything that is wrong with the page now."""

    def look(page: Page, what: str) -> None:
        found = faults(page, axe, what)
        assert not found, "\n".join(found)

    return look


def calm(person: People, url: str = "") -> Person:
    """Somebody for whom nothing moves."""
    return person(url, reduced_motion="reduce")


def test_the_list_of_documents(person: People, check: Check, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        page = calm(person, server.url).go("/").page
        expect(page.get_by_text("No documents yet")).to_be_visible()
        check(page, "documents, empty")
        for name in ("minutes", LONG, "gone"):
            httpx2.post(
                f"{server.url}/api/documents", json={"id": name, "title": None if name == LONG else name.title()}
            )
        httpx2.delete(f"{server.url}/api/documents/gone")
        guest = calm(person, server.url).open("minutes")
        page.get_by_label("Show deleted").check()
        expect(page.get_by_role("button", name="Bring back Gone")).to_be_visible()
        expect(page.get_by_text("1 online")).to_be_visible()
        check(page, "documents, filled")
        page.get_by_role("button", name="More for Minutes").click()
        check(page, "documents, menu")
        page.get_by_role("button", name="Rename").click()
        check(page, "documents, rename")
        page.keyboard.press("Escape")
        page.get_by_label("Find by the beginning").fill("nothing")
        expect(page.get_by_text("id begins with “nothing”")).to_be_visible()
        check(page, "documents, nothing found")
        offline_together(page, guest, server, check)


def offline_together(page: Page, guest: Person, server: Server, check: Check) -> None:
    """The server dies under a list, an editor and a console."""
    console = guest.context.new_page()
    console.goto(f"{server.url}/console")
    expect(console.get_by_text("Healthy")).to_be_visible()
    server.kill()
    expect(page.get_by_text("could not be refreshed")).to_be_visible()
    check(page, "documents, error")
    expect(console.get_by_text("These figures are out of date")).to_be_visible()
    check(console, "console, error")
    expect(guest.page.get_by_text("You are offline")).to_be_visible()
    check(guest.page, "editor, offline")
    for one in (page, console, guest.page):
        one.close()


def test_the_editor(person: People, check: Check) -> None:
    ada, ben = calm(person).open("everything"), calm(person).open("everything")
    page = ada.page
    check(page, "editor, empty")
    ada.type("# Title\n- a point\n\n[] a task\n\n> a quote")
    expect(ada.saved()).to_be_visible()
    ben.type("\nand more")
    check(page, "editor, filled")
    page.get_by_role("button", name="Export").click()
    check(page, "editor, export")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Link", exact=True).click()
    check(page, "editor, link")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make link").click()
    expect(page.get_by_role("textbox", name="Link", exact=True)).to_be_visible()
    check(page, "editor, share")
    page.keyboard.press("Escape")
    ada.take_snapshot("draft")
    ben.type("better ")
    expect(ada.sheet).to_contain_text("better")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".changes")).to_contain_text("better")
    check(page, "editor, compared")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("Snapshot", exact=True)).to_be_visible()
    check(page, "editor, preview")


def test_an_editor_that_may_only_read_and_one_that_has_ended(person: People, check: Check, server: Server) -> None:
    ada = calm(person).open("ended")
    ada.type("x")
    expect(ada.saved()).to_be_visible()
    ben = calm(person).go("/d/ended?access=read")
    expect(ben.saved("read-only")).to_be_visible()
    check(ben.page, "editor, read-only")
    httpx2.delete(f"{server.url}/api/documents/ended")
    expect(ada.page.locator("[data-ended='4410']")).to_be_visible()
    check(ada.page, "editor, ended")
    ben.page.close()


def test_contrast_and_console(person: People, check: Check) -> None:
    page = calm(person).go("/contrast/seen").page
    check(page, "contrast, idle")
    page.get_by_role("button", name="Type for me").click()
    expect(page.locator("[data-sentence]")).to_contain_text("For each edit")
    check(page, "contrast, running")
    console = calm(person).go("/console").page
    console.get_by_role("button", name="seen").click()
    console.get_by_role("button", name="Trace this room").click()
    expect(console.get_by_role("log")).to_contain_text("update")
    check(console, "console, a room")
    console.get_by_role("button", name="Drain this node").click()
    check(console, "console, drain")


def test_sign_in_and_pages_that_were_not_built(person: People, check: Check, tmp_path: Path) -> None:
    one = calm(person)
    one.page.route("**/api/**", lambda route: route.fulfill(status=401, json={"status": 401, "code": "unauthorized"}))
    for path in ("/", "/console", "/d/x"):
        expect(one.go(path).page.get_by_label("API key or token")).to_be_focused()
        check(one.page, f"sign-in at {path}")
    (tmp_path / "why-not.txt").write_text("npm said\n" + "a long line " * 30)
    unbuilt = pages.unbuilt(tmp_path).decode()
    page = one.context.new_page()
    page.set_content(unbuilt)
    check(page, "not built")
    page.close()


BUDGETS_KB = {"/": 30, "/d/light": 210, "/contrast/light": 65, "/console": 35}
WEIGHT = """() => performance.getEntries().filter(({ name }) => name.includes('/assets/') || name === location.href)
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1000"""


def test_no_page_is_heavier_than_its_budget(person: People) -> None:
    for path, budget_kb in BUDGETS_KB.items():
        one = person().go(path)
        expect(one.page.locator("h1, .sheet").first).to_be_visible()
        weight_kb = one.page.evaluate(WEIGHT)
        assert budget_kb / 2 < weight_kb <= budget_kb, f"{path} is {weight_kb:.1f} kB packed"


# ------------------------------------------------------------------ by keyboard


def test_documents_by_keyboard_alone(person: People, server: Server) -> None:
    httpx2.post(f"{server.url}/api/documents", json={"id": "keys", "title": "Keys"})
    page = person().go("/").page
    expect(page.get_by_role("link", name="Keys")).to_be_visible()
    stops = tab_through(page, 7)
    page.keyboard.type("keys")
    expect(page.locator(".list > li")).to_have_count(1)
    stops += tab_through(page, 2)
    assert stops[:4] == ["collab, documents", "Documents", "Console", "API"]
    assert [re.sub("^You are .*", "You", stop) for stop in stops[4:]] == [
        "You", "New document", "Find by the beginning of the id", "Show deleted", "Keys",
    ]  # fmt: skip
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Rename")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    assert set(tab_through(page, 6)) <= {"Title", "Cancel", "Save"}
    page.get_by_label("Title").fill("Keys renamed")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="More for Keys renamed")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".sheet")).to_be_focused()


def test_dialogs_take_the_focus_keep_it_and_give_it_back(person: People) -> None:
    page = person().open("dialogs").page
    for opener, inside in (
        ("Share", "can read and follow live"),
        ("Link", "Address"),
        ("change your name", "Others see"),
    ):
        button = page.get_by_role("button", name=opener).first
        for leave in ("Escape", "Cancel"):
            button.focus()
            page.keyboard.press("Enter")
            expect(page.get_by_label(inside)).to_be_focused()
            tab_through(page, 5)
            tab_through(page, 5, "Shift+Tab")
            if leave == "Escape":
                page.keyboard.press("Escape")
            else:
                page.locator("dialog footer button").first.press("Enter")
            expect(page.locator("dialog")).to_have_count(0)
            expect(button).to_be_focused()


def test_the_editor_by_keyboard_and_by_ear(person: People) -> None:
    ada = person().open("heard")
    page = ada.page
    ada.type("some words")
    expect(page.locator("[data-told]")).to_have_text("Saved")
    page.keyboard.press("Shift+Tab")
    toolbar = page.get_by_role("toolbar", name="Formatting")
    expect(toolbar.get_by_role("button").first).to_be_focused()
    page.keyboard.press("End")
    expect(toolbar.get_by_role("button").last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    expect(ada.sheet).to_be_focused()
    heard = tree(page)
    for told in (
        ("banner", ""), ("main", ""), ("textbox", "Document"), ("textbox", "Title"), ("toolbar", "Formatting"),
        ("status", "Connection: Live"), ("button", "Snapshots"), ("button", "Share"), ("button", "Undo my last change"),
    ):  # fmt: skip
        assert told in heard, f"{told} is not in the accessibility tree"
