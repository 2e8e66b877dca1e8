"""The contrast page: three ways to follow one document, counted and timed in a real browser."""

from __future__ import annotations

import re

import httpx2
from playwright.sync_api import Locator, expect

from tests.server import Server, wait_until
from tests.web.browser import People


def number(place: Locator) -> float:
    """The digits of a counter."""
    return float(re.sub(r"[^0-9.]", "", place.inner_text()) or 0)


def test_the_robot_moves_all_three_counters_and_leaves_no_text_behind(person: People, server: Server) -> None:
    ada = person().go("/contrast/compared")
    page = ada.page
    panes = {name: page.locator(f"[data-way='{name}']") for name in ("WebSocket", "Long poll", "Short poll")}
    page.get_by_role("button", name="Type for me").click()
    for pane in panes.values():
        expect(pane.locator("[data-lag]")).to_have_text(re.compile(r"[0-9]"))
        expect(pane).to_contain_text("every key goes to all")
    before = {name: number(pane.locator("[data-messages]")) for name, pane in panes.items()}
    wait_until(lambda: all(number(p.locator("[data-messages]")) > before[n] for n, p in panes.items()), what="counters")
    expect(page.locator("[data-sentence]")).to_contain_text("For each edit")
    page.get_by_role("button", name="Stop the robot").click()
    content = f"{server.url}/api/documents/compared/content?root=default&type=xml&format=text"
    wait_until(lambda: "every key" not in httpx2.get(content).text, what="a tidied document")


def test_a_shorter_interval_asks_more_often(person: People) -> None:
    page = person().go("/contrast/interval").page
    short = page.locator("[data-way='Short poll'] [data-messages]")
    page.get_by_label("Short poll: every").fill("250")
    expect(page.locator(".controls")).to_contain_text("every 250 ms")
    wait_until(lambda: number(short) >= 4, what="more questions")
    expect(page.locator("[data-way='WebSocket'] [data-messages]")).to_have_text(re.compile(r"^[0-9]$"))
