"""The documents page and the editor, with two and three people in real browsers."""

from __future__ import annotations

import re

import httpx2
from playwright.sync_api import expect

from tests.server import Server, wait_until
from tests.web.browser import People

# The text of the document without the names at others' carets, which stand in it.
WRITTEN = """sheet => {
    const copy = sheet.cloneNode(true)
    copy.querySelectorAll(".caret").forEach(caret => caret.remove())
    return copy.textContent
}"""


def text_of(server: Server, document: str) -> str:
    """What the server holds, as REST tells it."""
    answer = httpx2.get(f"{server.url}/api/documents/{document}/content?root=default&type=xml&format=text")
    return answer.text if answer.status_code == 200 else ""


def test_a_document_is_made_found_renamed_deleted_and_brought_back(person: People) -> None:
    ada = person().go("/")
    page = ada.page
    expect(page.get_by_text("No documents yet")).to_be_visible()
    page.get_by_role("button", name="New document").first.click()
    page.get_by_label("Title").fill("Minutes of May")
    expect(page.get_by_label("Id", exact=False).last).to_have_value("minutes-of-may")
    page.get_by_role("button", name="Create").click()
    page.wait_for_url("**/d/minutes-of-may")
    expect(ada.status("live")).to_be_visible()
    ada.go("/")
    page.get_by_role("searchbox").fill("minutes-x")
    expect(page.get_by_text("id begins with")).to_be_visible()
    page.get_by_role("searchbox").fill("minutes")
    page.get_by_role("button", name="More for Minutes of May").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("Title").fill("Minutes of June")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="More for Minutes of June").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="Minutes of June")).to_have_count(0)
    page.get_by_label("Show deleted").check()
    page.get_by_role("button", name="Bring back Minutes of June").click()
    expect(page.get_by_role("link", name="Minutes of June")).to_be_visible()


def test_three_people_type_together_and_see_each_other(person: People, server: Server) -> None:
    ada, ben, cem = person().open("together"), person().open("together"), person().open("together")
    ada.type("one ")
    expect(cem.sheet).to_contain_text("one")
    ben.type("two ")
    expect(cem.sheet).to_contain_text("two")
    cem.type("three ")
    for one in (ada, ben, cem):
        expect(one.sheet).to_contain_text(re.compile("one.*two|two.*one"))
        expect(one.sheet).to_contain_text("three")
        expect(one.page.locator(".caret")).to_have_count(2)
        expect(one.page.locator(".editor-top .avatars > *")).to_have_count(2)
        expect(one.saved()).to_be_visible()
    name = cem.page.locator(".actions .avatar").locator("..").get_attribute("title")
    expect(ada.page.locator(".caret-name", has_text=name or "?")).to_have_count(1)
    wait_until(lambda: "three" in text_of(server, "together"), what="the typed text by REST")
    person().go("/").page.get_by_text("3 online").wait_for()


def test_undo_takes_back_only_ones_own(person: People) -> None:
    ada, ben = person().open("undo"), person().open("undo")
    ada.type("mine ")
    expect(ben.sheet).to_contain_text("mine")
    ben.type("yours ")
    expect(ada.sheet).to_contain_text("yours")
    ada.page.get_by_role("button", name="Undo my last change").click()
    expect(ben.sheet).not_to_contain_text("mine")
    expect(ben.sheet).to_contain_text("yours")


def test_markdown_shortcuts_make_headings_lists_and_tasks(person: People) -> None:
    ada = person().open("markdown")
    ada.type("# Title\n- a point\n\n[] a task")
    expect(ada.sheet.locator("h1")).to_have_text("Title")
    expect(ada.sheet.locator("ul li").first).to_have_text("a point")
    expect(ada.sheet.locator("ul[data-type=taskList] li > div")).to_have_text("a task")
    ada.page.get_by_role("button", name="Export").click()
    with ada.page.expect_download() as download:
        ada.page.get_by_role("button", name="Markdown").click()
    assert download.value.suggested_filename == "markdown.md"
    exported = download.value.path().read_text()
    assert "# Title" in exported and "- a point" in exported and "- [ ] a task" in exported


def test_a_snapshot_is_previewed_compared_and_restored_for_everybody(person: People) -> None:
    ada, ben = person().open("history"), person().open("history")
    ada.type("the first words")
    expect(ada.saved()).to_be_visible()
    page = ada.page
    ada.take_snapshot("draft")
    ben.type("better ")
    expect(ada.sheet).to_contain_text("better")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".changes ins")).to_have_text(re.compile("better"))
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("Snapshot", exact=True)).to_have_text("the first words")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_label("Snapshot", exact=True)).to_have_count(0)  # the document is in its place again
    for one in (ada, ben):
        wait_until(lambda: one.sheet.evaluate(WRITTEN).strip() == "the first words", what="the text")  # noqa: B023
    expect(page.locator(".snapshots li")).to_have_count(2)  # what was there before was kept


def test_a_link_for_reading_opens_a_page_that_cannot_write(person: People) -> None:
    ada = person().open("shared")
    ada.type("to be read")
    ada.page.get_by_role("button", name="Share").click()
    ada.page.get_by_label("can read and follow live").check()
    ada.page.get_by_role("button", name="Make link").click()
    link = ada.page.get_by_role("textbox", name="Link", exact=True).input_value()
    ben = person()
    ben.page.goto(link)
    expect(ben.sheet).to_have_text("to be read")
    expect(ben.saved("read-only")).to_be_visible()
    expect(ben.sheet).to_have_attribute("contenteditable", "false")
    ada.page.keyboard.press("Escape")
    ada.type(", live")
    expect(ben.sheet).to_contain_text(", live")


def test_content_of_other_editors_is_not_taken_out(person: People, server: Server) -> None:
    xml = "<paragraph>kept</paragraph><spreadsheet>what this editor cannot know</spreadsheet>"
    httpx2.post(f"{server.url}/api/documents", json={"id": "strange"})
    address = f"{server.url}/api/documents/strange/content?root=default&type=xml"
    assert httpx2.put(address, content=xml, headers={"content-type": "application/xml"}).status_code == 200
    ada = person().go("/d/strange")
    expect(ada.page.get_by_text("does not know everything")).to_be_visible()
    assert "spreadsheet" in httpx2.get(f"{address}&format=xml").text
