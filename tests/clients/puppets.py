"""Real y-websocket clients in a Node process, driven from a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S, Elapsed

SCRIPT = Path(__file__).parent.parent / "node" / "y_websocket.mjs"


class Puppets:
    """One Node process holding any number of clients. Every method waits for Node's answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._count = 0

    def do(self, name: str, **arguments: Any) -> Any:
        """Runs one command of the script; AssertionError with its words if it fails, Elapsed if its time is up."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith("{"):  # yjs writes its warnings there, too
            assert line, "the Node process has ended"
        answer = json.loads(line)
        if "not within" in answer.get("error", ""):
            raise Elapsed(answer["error"])
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def connect(self, version: int | str, url: str, room: str, **options: Any) -> Puppet:
        """A new client, not waited for: y-websocket 1, 2 or 3, hocuspocus-2, -3, -4, or y-sweet."""
        self._count += 1
        who = f"client {self._count}"
        client = self.do("connect", who=who, version=version, url=url, room=room, **options)
        return Puppet(self, who, client["id"])


class Puppet:
    """One client."""

    def __init__(self, puppets: Puppets, who: str, id: int) -> None:
        self.id = id
        self._puppets, self._who = puppets, who

    def do(self, name: str, **arguments: Any) -> Any:
        """Any command of the script for this client."""
        return self._puppets.do(name, who=self._who, **arguments)

    def synced(self) -> Puppet:
        """Waits for the first step 2."""
        self.do("synced", seconds=PATIENCE_S)
        return self

    def insert(self, at: int, text: str) -> None:
        """Types into the text."""
        self.do("insert", at=at, text=text)

    def reads(self, text: str) -> None:
        """Waits until the text reads so."""
        self.do("reads", text=text, seconds=PATIENCE_S)

    def sees(self, other: Puppet, state: Any) -> None:
        """Waits until the other's presence is `state` here; None: until it is gone."""
        self.do("sees", id=other.id, state=state, seconds=PATIENCE_S)

    def saved(self) -> Puppet:
        """Waits until the client shows that all of its edits are saved (not y-websocket, which never does)."""
        self.do("saved", seconds=PATIENCE_S)
        return self

    @property
    def text(self) -> str:
        """What the text reads now."""
        return str(self.do("look")["text"])

    @property
    def notes(self) -> Any:
        """Connections made, close codes, frames received, the protocol selected."""
        return self.do("notes")


@contextmanager
def puppets(node: Path) -> Iterator[Puppets]:
    """Starts the Node process and ends it."""
    process = subprocess.Popen([node, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Puppets(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
