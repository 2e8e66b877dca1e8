"""The main job: recorded sessions through real sockets, a snapshot, SIGKILL, and everything still there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from typer import Typer
from typer.testing import CliRunner

from collab.replay.address import Address
from collab.replay.command import replay
from collab.replay.pace import Pace
from collab.replay.report import Report
from collab.replay.session import Replay
from collab.replay.trace import Trace, load
from tests.clients.puppets import puppets
from tests.data.make_traces import FOLDER
from tests.server import Server, running_server

LETTERS, TALE = FOLDER / "letters.json.gz", FOLDER / "tale.json"
app = Typer()
app.command()(replay)


def run(server: Server, trace: Path, document: str, *options: str) -> tuple[int, dict[str, Any]]:
    """The command in this process: (exit status, its JSON)."""
    arguments = [str(trace), "--url", server.url, "--document", document, "--json", *options]
    result = CliRunner().invoke(app, arguments)
    assert result.stdout, result.output
    return result.exit_code, json.loads(result.stdout)


def test_two_sessions_are_replayed_and_survive_sigkill(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        command = [
            sys.executable,
            "-m",
            "collab",
            "replay",
            str(LETTERS),
            "--url",
            server.url,
            "--document",
            "a/letter",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        for client in (
            "author 0 (socket)",
            "author 1 (socket)",
            "watcher (socket)",
            "poller (REST)",
            "snapshot (REST)",
        ):
            assert client in done.stdout
        assert f"{len(load(str(LETTERS)))} edits" in done.stdout
        status, report = run(server, TALE, "tale", "--poll", "0.02")
        assert (status, report["ok"], report["edits"]) == (0, True, len(load(str(TALE))))
        assert [check["client"] for check in report["checks"]] == [
            "author 0 (socket)",
            "watcher (socket)",
            "poller (REST)",
            "snapshot (REST)",
        ]
        details = httpx2.get(f"{server.url}/api/documents/tale").json()
        assert details["seq"] == report["edits"]  # key by key: each edit is an update of its own
        server.kill()
        server.start()
        for trace, document in ((LETTERS, "a/letter"), (TALE, "tale")):
            status, report = run(server, trace, document, "--check")
            assert (status, report["ok"], len(report["checks"])) == (0, True, 3)
        assert the_command_says_no(server)


def the_command_says_no(server: Server) -> bool:
    """A wrong end, a document that is not empty, one that does not exist, a server that is not there."""
    status, report = run(server, LETTERS, "tale", "--check")
    assert (status, report["ok"]) == (1, False)
    assert not any(check["holds"] for check in report["checks"])
    for arguments, words in (
        ([str(TALE), "--url", server.url, "--document", "tale"], "not empty"),
        ([str(TALE), "--url", server.url, "--document", "missing", "--check"], "404"),
        ([str(TALE), "--url", "http://127.0.0.1:9", "--document", "x"], "replay failed"),
        ([str(Path(__file__)), "--url", server.url], "not an editing trace"),
        ([str(TALE), "--url", server.url, "--check"], "--document"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code != 0
        assert words in result.output.replace("\n", " ")
    return True


def test_a_yjs_client_holds_the_end_through_a_kill_and_is_typed_to(tmp_path: Path, node: Path) -> None:
    """It watches all along and comes back by itself; what is typed after the restart reaches it."""
    trace = load(str(LETTERS))
    with running_server(tmp_path) as server, puppets(node) as people:
        yjs = people.connect(3, server.socket_url, "letters")
        assert play(server, trace, "letters").ok
        yjs.reads(trace.end)
        server.kill()
        server.start()
        newcomer = people.connect(2, server.socket_url, "letters").synced()
        newcomer.reads(trace.end)
        newcomer.insert(0, "P.S. ")
        yjs.reads("P.S. " + trace.end)
        assert yjs.notes["connections"] > 1


def test_a_session_goes_on_through_kills_and_loses_nothing(tmp_path: Path) -> None:
    trace = load(str(LETTERS))
    due = [len(trace) // 4, len(trace) // 2]
    with running_server(tmp_path) as server:

        def kill_when_due(done: int) -> None:
            if due and done >= due[0]:
                due.pop(0)
                server.kill()
                server.start()

        assert play(server, trace, "letters", kill_when_due).ok
        assert due == []
        status, report = run(server, LETTERS, "letters", "--check")
        assert (status, report["ok"]) == (0, True)
        status, report = run(server, LETTERS, "short", "--limit", "200", "--per-frame", "50", "--speed", "4000")
        assert (status, report["ok"], report["edits"]) == (0, True, 200)


def play(server: Server, trace: Trace, document: str, progress: Callable[[int], None] = lambda done: None) -> Report:
    """Replays in this process, few edits at a time."""
    pace = Pace(per_turn=5, poll_s=0.02)

    async def job() -> Report:
        return await Replay(trace, Address(server.url, document), "text", pace, progress).run()

    return asyncio.run(job())
