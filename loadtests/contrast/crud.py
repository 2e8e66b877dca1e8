"""RestOnlyWriter: a service that keeps documents in order. What REST is best at, and a socket has no word for."""

from __future__ import annotations

import json
from typing import Any

import gevent

from loadtests.contrast.ledger import now_s
from loadtests.contrast.origin import document_path
from loadtests.contrast.person import Person
from loadtests.contrast.rest import Answer, HttpError, Rest

JSON = "Content-Type: application/json\r\n"
MERGE_PATCH = "Content-Type: application/merge-patch+json\r\n"


class RestOnlyWriter(Person):
    """Reads details, renames, takes a snapshot, reads it, deletes it; never types."""

    kind = "rest"
    reads = False

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._rest = Rest(self.crew.origin, self.crew.traffic)
        self._path = document_path(self.document)
        self._round = 0

    def on_start(self) -> None:
        """No fingers: `edits_s` is this user's rounds a second instead."""

    def stay(self) -> None:
        """A round of calls at a time, at random moments."""
        self._do("GET", "details", self._path)
        self.current = True
        while True:
            self.crew.typing.wait()
            gevent.sleep(self.chance.expovariate(self.crew.plan.shape.edits_s))
            self._keep_in_order()

    def _keep_in_order(self) -> None:
        self._round += 1
        label = f"round {self._round} of {id(self) % 9973}"
        self._do("GET", "details", self._path)
        self._do("GET", "list", "/api/documents?limit=20")
        self._do("PATCH", "rename", self._path, MERGE_PATCH, {"title": label})
        taken = self._do("POST", "snapshot", f"{self._path}/snapshots", JSON, {"label": label})
        snapshot = f"{self._path}/snapshots/{json.loads(taken.body)['id']}"
        self._do("GET", "snapshot state", f"{snapshot}/state")
        self._do("DELETE", "snapshot", snapshot)

    def _do(self, method: str, what: str, target: str, headers: str = "", body: object = None) -> Answer:
        began_s = now_s()
        sent = b"" if body is None else json.dumps(body).encode()
        self.crew.ledger.counts.polls += 1
        answer = self._rest.call(method, target, headers, sent)
        took_s = now_s() - began_s
        if not 200 <= answer.status < 300:
            raise HttpError(f"{method} {what} was answered with {answer.status}: {answer.body[:80]!r}")
        self.crew.ledger.took_s.setdefault(f"{method} {what}", []).append(took_s)
        self.tell(method, f"rest: {what}", took_s, len(answer.body))
        return answer

    def send(self, update: bytes) -> None:
        """Never called."""

    @property
    def saved(self) -> int:
        """Nothing was typed."""
        return 0

    def leave(self) -> None:
        """Hangs up."""
        self._rest.close()
