"""A real Chromium, and what the tests of the pages do in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.patience import PATIENCE_S

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the same engine without windows: half the processor time."""
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
PATIENCE_MS = 1000 * PATIENCE_S

expect.set_options(timeout=PATIENCE_MS)


def executable() -> str | None:
    """Debian's Chromium, or what stands for it; None if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """One browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """Somebody at a browser of their own: own storage, own name, own socket.

    `faults` are errors of the page's scripts, what the Content-Security-Policy stopped, and requests to strangers.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        context.set_default_timeout(PATIENCE_MS)
        self.context = context
        self.url = url
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self._hear(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self._check(request.url))

    def _hear(self, text: str) -> None:
        if "Content Security Policy" in text or "Uncaught" in text:
            self.faults.append(text)

    def _check(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:", self.url.replace("http", "ws", 1))):
            self.faults.append(f"asked a stranger: {url}")

    def go(self, path: str) -> Person:
        """Opens an address of the server."""
        self.page.goto(f"{self.url}{path}")
        return self

    def open(self, document: str, query: str = "") -> Person:
        """Opens a document in the editor and waits until it is live."""
        self.go(f"/d/{quote(document, safe='')}{query}")
        expect(self.status("live")).to_be_visible()
        expect(self.sheet).to_be_visible()
        return self

    @property
    def sheet(self) -> Locator:
        """The document itself."""
        return self.page.locator(".sheet").first

    def status(self, kind: str) -> Locator:
        """The connection's state, if it is this one."""
        return self.page.locator(f"[data-status={kind}]")

    def saved(self, kind: str = "yes") -> Locator:
        """What is said of the last edits, if it is this."""
        return self.page.locator(f"[data-saved={kind}]")

    def take_snapshot(self, name: str) -> None:
        """Opens the list and takes one; what anybody types from now on is not in it."""
        self.page.get_by_role("button", name="Snapshots").click()
        self.page.get_by_label("Name of the snapshot").fill(name)
        self.page.get_by_role("button", name="Take").click()
        expect(self.page.get_by_role("button", name=f"More for {name}")).to_be_visible()

    def come_online(self) -> None:
        """What a browser tells a page when its network is back: it tries at once, not when its next try is due."""
        self.page.evaluate("() => dispatchEvent(new Event('online'))")

    def type(self, text: str) -> None:
        """Keys into the document."""
        self.sheet.focus()
        self.page.keyboard.type(text)


People = Callable[..., Person]
