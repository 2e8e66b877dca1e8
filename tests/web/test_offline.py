"""Reloading without the server: the worker gives the page, IndexedDB the document, what is typed is merged."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import uvicorn
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from collab.web import pages
from tests.server import running_server, wait_until
from tests.web.browser import People, Person
from tests.web.test_truth import KEPT as KEPT_UPDATES
from tests.web.test_truth import content

COPY = KEPT_UPDATES.replace("collab:device", "collab:train")
CACHES = "() => caches.keys()"
WAITING = "() => navigator.serviceWorker.getRegistration().then((found) => !!found.waiting)"
READY = "() => navigator.serviceWorker.ready.then((found) => found.active.state)"
KEPT = """async () => {
  const urls = []
  for (const name of await caches.keys())
    for (const { url } of await (await caches.open(name)).keys()) urls.push(new URL(url).pathname)
  return urls
}"""


def with_worker(person: People, url: str) -> Person:
    """Somebody whose browser keeps the pages."""
    return person(url, service_workers="allow")


def settled(page: Page) -> None:
    """Waits until everything that was built is kept."""
    wait_until(lambda: page.evaluate(READY) == "activated", what="an active worker")


def test_a_reload_while_the_server_is_away_loses_nothing(person: People, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        ada, ben = with_worker(person, server.url).open("train"), person(server.url).open("train")
        ada.type("before. ")
        expect(ada.saved()).to_be_visible()
        settled(ada.page)
        server.kill()
        expect(ada.status("live")).to_have_count(0)
        before = ada.page.evaluate(COPY)
        ada.type("typed offline. ")
        expect(ada.page.locator("[data-saved=no]")).to_have_attribute("data-unsaved", "15")
        wait_until(lambda: ada.page.evaluate(COPY) >= before + 15, what="the copy on the device")
        ada.page.reload()
        expect(ada.sheet).to_contain_text("before. typed offline.")
        expect(ada.status("offline").or_(ada.status("connecting"))).to_be_visible()
        expect(ada.saved()).to_have_count(0)  # nobody has confirmed this copy
        before = ada.page.evaluate(COPY)
        ada.type("after the reload. ")
        wait_until(lambda: ada.page.evaluate(COPY) >= before + 18, what="the copy on the device")
        ada.page.goto(f"{server.url}/")
        expect(ada.page.get_by_text("could not be refreshed")).to_be_visible()
        ada.page.get_by_role("link", name="train").click()  # among what is kept on this device
        expect(ada.sheet).to_contain_text("after the reload.")
        ben.type("from Ben. ")
        server.start()
        for one in (ada, ben):
            one.come_online()
            expect(one.status("live")).to_be_visible()
            for text in ("typed offline.", "after the reload.", "from Ben."):
                expect(one.sheet).to_contain_text(text)
            expect(one.saved()).to_be_visible()
        assert "after the reload." in content(server, "train")
        for one in (ada, ben):
            one.page.close()


def test_only_the_page_and_what_was_built_is_kept(person: People) -> None:
    ada = with_worker(person, "")
    ada.open("kept")
    settled(ada.page)
    built = {f"/{name}" for name in pages.load() if name not in ("index.html", "worker.js")}
    assert set(ada.page.evaluate(KEPT)) == {"/"} | built
    assert httpx2.get(f"{ada.url}/worker.js").headers["cache-control"] == "no-cache"


@contextmanager
def serving() -> Iterator[tuple[str, list[ASGIApp]]]:
    """Only the pages: where, and the applications, of which the last one answers."""
    apps: list[ASGIApp] = [Starlette(routes=pages.routes())]

    async def newest(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[-1](scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(newest, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", apps
    finally:
        server.should_exit = True
        thread.join(10)


def another_build(folder: Path) -> Path:
    """As if something had changed: another page, and a worker that says so."""
    shutil.copytree(pages.STATIC, folder)
    for path in (folder / "worker.js", folder / "index.html"):
        path.with_name(f"{path.name}.gz").unlink(missing_ok=True)
        path.write_text(re.sub("collab-pages-[0-9a-f]+", "collab-pages-newer", path.read_text()))
    page = folder / "index.html"
    page.write_text(page.read_text().replace('<html lang="en">', '<html lang="en" data-build="newer">'))
    return folder


def test_a_newer_build_is_seen_with_the_next_page_and_takes_over_after_the_last_old_one(
    person: People, tmp_path: Path
) -> None:
    with serving() as (url, apps):
        ada = with_worker(person, url).go("/")
        settled(ada.page)
        old = ada.page.evaluate(CACHES)
        apps.append(Starlette(routes=pages.routes(another_build(tmp_path / "newer"))))
        ada.page.reload()
        expect(ada.page.locator("html")).to_have_attribute("data-build", "newer")
        wait_until(lambda: ada.page.evaluate(WAITING), what="a newer worker")
        assert set(ada.page.evaluate(CACHES)) == {*old, "collab-pages-newer"}  # the old one still serves
        ada.page.close()
        ada.page = ada.context.new_page()
        ada.go("/")
        wait_until(lambda: ada.page.evaluate(CACHES) == ["collab-pages-newer"], what="the old files to go")


def test_a_proxys_error_is_not_shown_but_one_of_the_server_is(person: People, tmp_path: Path) -> None:
    with serving() as (url, apps):
        ada = with_worker(person, url).go("/")
        settled(ada.page)
        apps.append(PlainTextResponse("bad gateway", 502))
        ada.page.reload()
        expect(ada.page.get_by_role("heading", name="Documents")).to_be_visible()
        apps.append(Starlette(routes=pages.routes(tmp_path)))
        ada.page.reload()
        expect(ada.page.get_by_text("pages were not built")).to_be_visible()
