"""Fixtures for tests of the pages: built pages, a browser, people in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from collab.web import pages
from tests.node_tools import install
from tests.server import Server, running_server
from tests.web.browser import Person, chromium, executable

CLIENTS = Path(__file__).parent.parent.parent / "clients"
MOTION = "reduce"  # nothing is drawn while nothing happens
MISSING = "NO CHROMIUM: the pages are NOT TESTED in a browser; apt-get install chromium-headless-shell"


@pytest.fixture(scope="session")
def built() -> None:
    """The pages, as the package's build made them."""
    reason = pages.STATIC / "why-not.txt"
    assert pages.load(), f"the pages are not built: {reason.read_text() if reason.exists() else 'run uv sync'}"


@pytest.fixture(scope="session")
def modules() -> Path:
    """`clients/node_modules` with what only developers need; the build installs the rest alone."""
    found = CLIENTS / "node_modules"
    with open(CLIENTS / "node_modules.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((found / name).exists() for name in ("vitest", "axe-core")):
            install(CLIENTS)
    return found


@pytest.fixture(scope="module")
def browser(built: None) -> Iterator[Browser]:
    """One browser for a module; without one CI fails, others are told loudly.

    Not for the session: while Playwright's sync face is open, the process counts as inside an event loop, and every
    async test that comes after in it would fail.
    """
    path = executable()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with chromium(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One open server for a module; its tests use documents of their own."""
    with running_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def person(browser: Browser, server: Server, tmp_path: Path) -> Iterator[Callable[..., Person]]:
    """Makes people; at the end none of them may have seen an error."""
    people: list[Person] = []

    def make(url: str = "", **options: Any) -> Person:
        usual = {"viewport": {"width": 1100, "height": 760}, "service_workers": "block", "reduced_motion": MOTION}
        options = {**usual, **options}
        people.append(Person(browser.new_context(**options), url or server.url))
        return people[-1]

    yield make
    for one in people:
        one.context.close()
    assert [fault for one in people for fault in one.faults] == []
