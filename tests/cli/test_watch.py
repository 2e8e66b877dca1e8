"""`collab watch`: edits, people and snapshots as they happen, and over a connection that breaks."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collab.engine.client import Engine
from collab.remote.service import Service as Remote
from collab.remote.watch import Tail
from collab_client import sync
from tests.cli.conftest import Cli
from tests.conftest import Service
from tests.patience import PATIENCE_S
from tests.server import running_server


class Watching:
    """A running `collab watch`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def line(self) -> str:
        """The next one."""
        return self._lines.get(timeout=PATIENCE_S).rstrip("\n")

    def until(self, event: str) -> Any:
        """The next one of this kind, as JSON."""
        while True:
            found = json.loads(self.line())
            if found["event"] == event:
                return found


@contextmanager
def watching(env: dict[str, str], *words: str) -> Iterator[Watching]:
    """Until the block ends."""
    command = [sys.executable, "-m", "collab", "watch", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
    found = Watching(process)
    try:
        yield found
    finally:
        process.kill()
        process.wait()
        found.reader.join()
        assert process.stdout is not None
        process.stdout.close()


def test_people_see_who_types_what(cli: Cli, service: Service, document: str) -> None:
    cli("docs", "create", document, "--content", "-", given="one\ntwo\n")
    with watching(cli.env, document, "-n", "1") as watched, sync.connect(service.url, document, service.admin) as live:
        live.do(lambda behind: behind.presence.show(user={"name": "Ada"}))
        assert watched.line().endswith("  Ada is here")
        label = cli("snapshots", "take", document, "--label", "kept")
        assert label and watched.line().endswith("took a snapshot: kept")
        live.rewrite("one\nthree\n")
        assert " · 2" in watched.line()
        assert [watched.line(), watched.line()] == ["- two", "+ three"]
        assert watched.process.wait(PATIENCE_S) == 0


def test_programs_get_one_object_a_line_and_miss_nothing(tmp_path: Path, document: str) -> None:
    """The server dies and comes back; what was typed before and after is told once, in order."""
    with running_server(tmp_path) as server:
        with sync.Documents(server.url) as docs:
            docs.create(document)
            with watching({"COLLAB_URL": server.url, "COLLAB_KEY": ""}, document, "--json") as watched:
                assert watched.until("presence")["people"] == []
                docs.write(document, "a", "text", type="text")
                first = watched.until("edit")
                assert (first["first_seq"], first["roots"]["text"]["hunks"][0]["to"]) == (1, "a")
                server.kill()
                server.start()
                docs.write(document, "ab", "text")
                second = watched.until("edit")
                assert (second["first_seq"], second["author"]) == (2, first["author"])
                docs.delete(document)
                assert watched.process.wait(PATIENCE_S) == 3


def test_it_ends_by_interrupt_and_refuses_what_is_not_there(cli: Cli, document: str) -> None:
    cli("watch", document, code=3)
    cli("docs", "create", document)
    with watching(cli.env, document, "--json") as watched:
        watched.until("presence")
        watched.process.send_signal(signal.SIGINT)
        assert watched.process.wait(PATIENCE_S) == 130


def test_a_name_may_hold_what_unicode_calls_a_line_end(cli: Cli, document: str) -> None:
    cli("docs", "create", document)
    with watching(cli.env, document, "--json") as watched:
        watched.until("presence")
        cli("snapshots", "take", document, "--label", "one\u2028two")
        assert watched.until("snapshot")["label"] == "one\u2028two"


async def test_what_comes_while_old_updates_are_put_together_is_told(
    cli: Cli, service: Service, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collab.remote.watch.PARTS_MAX", 1)
    cli("docs", "create", document, "--content", "-", given="a")
    engine = Engine(workers=1)
    with sync.Documents(service.url, service.admin) as docs, Remote(service.url, service.admin) as remote:
        tail = Tail(remote, document, engine)
        await tail.begin()
        real, late = remote.json, iter(["abcd"])

        def then_somebody_types(method: str, path: str, **request: Any) -> Any:
            page = real(method, path, **request)
            for text in late:
                docs.write(document, text, "text")
            return page

        docs.write(document, "ab", "text")
        remote.json = then_somebody_types  # type: ignore[method-assign]
        told = [edit async for edit in tail.edits()] + [edit async for edit in tail.edits()]
    await engine.close()
    assert [edit["roots"]["text"]["hunks"][0]["to"] for edit in told] == ["b", "cd"]
