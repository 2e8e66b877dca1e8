"""What people and networks do that the pages do not expect: late answers, bare percent signs, blocked storage."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Route, expect

from collab_client.sync import connect
from tests.server import Server, running_server, wait_until
from tests.web.browser import People
from tests.web.test_console import make_key


def test_a_snapshot_that_comes_late_does_not_stand_under_anothers_name(person: People) -> None:
    ada = person().open("late")
    ada.type("first")
    expect(ada.saved()).to_be_visible()
    ada.take_snapshot("one")
    ada.type(", second")
    expect(ada.saved()).to_be_visible()
    ada.page.get_by_label("Name of the snapshot").fill("two")
    ada.page.get_by_role("button", name="Take").click()
    expect(ada.page.get_by_role("button", name="More for two")).to_be_visible()
    held: list[Route] = []
    ada.page.route("**/snapshots/*/state", lambda route: route.continue_() if held else held.append(route))
    previews = ada.page.get_by_role("button", name="Preview")
    previews.last.click()  # the older one
    wait_until(lambda: ada.page.evaluate("1") and held, what="the first question")
    previews.first.click()
    still = ada.page.get_by_label("Snapshot", exact=True)
    expect(still).to_contain_text("second")
    with ada.page.expect_response("**/snapshots/*/state"):
        held[0].continue_()
    ada.page.evaluate(
        "() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn))))"
    )
    expect(still).to_contain_text("second")


@pytest.mark.parametrize(
    ("document", "xml", "theirs"),
    [
        (
            "nested",
            "<paragraph>mine</paragraph><blockquote><spreadsheet>theirs</spreadsheet></blockquote>",
            "<spreadsheet>theirs",
        ),
        ("marked", "<paragraph>mine <comment_of_theirs>commented</comment_of_theirs></paragraph>", "commented"),
    ],
)
def test_what_another_editor_put_there_is_not_taken_out(
    person: People, server: Server, document: str, xml: str, theirs: str
) -> None:
    address = f"{server.url}/api/documents/{document}/content?root=default&type=xml"
    ada = person().open(document)
    ada.type("mine")
    expect(ada.saved()).to_be_visible()
    assert httpx2.put(address, content=xml, headers={"content-type": "application/xml"}).status_code == 200
    expect(ada.page.get_by_text("does not know everything")).to_be_visible()
    assert theirs in httpx2.get(f"{address}&format=xml").text


def test_an_address_with_a_bare_percent_sign_opens(person: People) -> None:
    ada = person().go("/d/100%")
    expect(ada.status("live")).to_be_visible()
    expect(ada.page.get_by_label("Title")).to_have_attribute("placeholder", "100%")


def test_a_page_whose_files_are_gone_says_so(person: People) -> None:
    """As after an update of the server, with a page from before."""
    ada = person()
    ada.page.route(re.compile("/assets/page-.*js"), lambda route: route.fulfill(status=404))
    ada.go("/d/gone")
    expect(ada.page.get_by_role("alert")).to_contain_text("could not be loaded")
    ada.page.unroute_all()
    ada.page.get_by_role("button", name="Reload").click()
    expect(ada.status("live")).to_be_visible()


def test_an_export_whose_files_are_gone_says_so(person: People) -> None:
    ada = person().open("export")
    ada.page.route(re.compile("/assets/.*js"), lambda route: route.fulfill(status=404))
    ada.page.get_by_role("button", name="Export").click()
    ada.page.get_by_role("button", name="Markdown").click()
    expect(ada.page.get_by_role("alert")).to_contain_text("Not exported")


def test_where_nothing_can_be_kept_nothing_is_said_to_be_kept(person: People, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        ada = person(server.url)
        ada.page.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
        ada.page.add_init_script(
            "for (const name of ['localStorage', 'sessionStorage'])"
            "Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError') } })"
        )
        ada.open("private")
        ada.type("a")
        expect(ada.saved()).to_be_visible()
        server.kill()
        expect(ada.status("live")).to_have_count(0)
        ada.type("b")
        expect(ada.page.get_by_text("Leave this tab open")).to_be_visible()
        with ada.page.expect_event("dialog") as asked:
            ada.page.close(run_before_unload=True)
        assert asked.value.type == "beforeunload"
        asked.value.accept()


def test_a_wrong_key_is_called_one(person: People, tmp_path: Path) -> None:
    make_key(tmp_path, "admin")
    with running_server(tmp_path) as server:
        ada = person(server.url).go("/")
        expect(ada.page.get_by_text("needs a key")).to_be_visible()
        expect(ada.page.get_by_role("alert")).to_have_count(0)
        ada.page.get_by_label("API key or token").fill("ck_wrong")
        ada.page.get_by_role("button", name="Continue").click()
        expect(ada.page.get_by_role("alert")).to_contain_text("not accepted")
        ada.page.close()


def test_a_link_without_https_leads_to_the_web_and_one_to_a_script_nowhere(person: People) -> None:
    ada = person().open("link")
    for address, refused in (("javascript:alert(1)", True), ("example.com/a", False)):
        ada.page.get_by_role("button", name="Link", exact=True).click()
        ada.page.get_by_label("Address").fill(address)
        ada.page.get_by_role("button", name="Set link").click()
        if refused:
            expect(ada.page.get_by_role("alert")).to_contain_text("may lead to")
            ada.page.keyboard.press("Escape")
    expect(ada.sheet.locator("a")).to_have_attribute("href", "https://example.com/a")
    expect(ada.sheet).to_have_text("example.com/a")


def test_a_title_that_comes_late_does_not_take_the_place_of_what_is_typed(person: People, server: Server) -> None:
    httpx2.post(f"{server.url}/api/documents", json={"id": "titled", "title": "Old"})
    ada = person()
    held: list[Route] = []
    ada.page.route("**/api/documents/titled", lambda route: held.append(route))
    ada.open("titled")
    title = ada.page.get_by_label("Title")
    title.press_sequentially("New")
    with ada.page.expect_response("**/api/documents/titled"):
        held[0].continue_()
    ada.page.evaluate(
        "() => new Promise((drawn) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn))))"
    )
    expect(title).to_have_value("New")
    ada.page.unroute_all()


def test_selecting_out_of_a_field_does_not_close_the_dialog(person: People) -> None:
    ada = person().go("/")
    ada.page.get_by_role("button", name="New document").first.click()
    field = ada.page.get_by_label("Title")
    field.fill("kept")
    box = field.bounding_box()
    assert box is not None
    ada.page.mouse.move(box["x"] + 30, box["y"] + 10)
    ada.page.mouse.down()
    ada.page.mouse.move(5, 5)
    ada.page.mouse.up()
    expect(field).to_have_value("kept")
    ada.page.mouse.click(5, 5)
    expect(ada.page.get_by_role("dialog")).to_have_count(0)


def test_the_link_is_copied_on_plain_http_too(person: People) -> None:
    ada = person()
    ada.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    ada.open("copied")
    ada.page.get_by_role("button", name="Share").click()
    ada.page.get_by_role("button", name="Make link").click()
    ada.page.get_by_role("button", name="Copy").click()
    expect(ada.page.get_by_role("button", name="Copied")).to_be_visible()


ODD: tuple[dict[str, object], ...] = (
    {"user": {"name": "Mallory"}, "cursor": {"anchor": "<b>", "head": {}}},
    {"user": "Mallory", "cursor": {"anchor": {"type": {"client": "x"}}, "head": {"item": {"client": 1, "clock": -1}}}},
)


@pytest.mark.parametrize("shown", ODD)
def test_what_a_stranger_shows_as_a_cursor_does_not_stop_the_editor(
    person: People, server: Server, shown: dict[str, object]
) -> None:
    """The plugin for cursors throws at it: what others type would not be seen any more, nor what one types oneself."""
    document = f"odd-{len(str(shown))}"
    ada, ben = person().open(document), person().open(document)
    with connect(server.url, document) as live:
        live.do(lambda live: live.presence.show(**shown))
        expect(ada.page.locator(".editor-top .avatars > *")).to_have_count(2 if isinstance(shown["user"], dict) else 1)
        ben.type("from Ben")
        expect(ada.sheet).to_contain_text("from Ben")
        ada.type("from Ada")
        expect(ben.sheet).to_contain_text("from Ada")
