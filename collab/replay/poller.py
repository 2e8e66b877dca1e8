"""A client that holds no socket: asks for news by REST, with an ETag and its state vector."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import httpx2
from pycrdt import Doc

from collab.errors import CollabError, StorageUnavailable
from collab.replay.address import Address

FAILURES_MAX = 10  # in a row; with the pauses between them this outlasts a restart
RETRY_S = 0.5


class Poller:
    """`GET …/state?since=<what I have>` every `interval_s`; 304 when nothing is new, else just the difference."""

    def __init__(self, http: httpx2.AsyncClient, address: Address, changed: Callable[[], None]) -> None:
        self.doc: Doc[Any] = Doc()
        self.polls = 0
        self.unchanged = 0
        self._http = http
        self._address = address
        self._changed = changed
        self._etag: str | None = None

    async def run(self, interval_s: float) -> None:
        """Polls for ever. Raises when the server refuses, or cannot be reached for long."""
        failures = 0
        while failures < FAILURES_MAX:
            try:
                await self.poll()
                failures = 0
            except (httpx2.TransportError, StorageUnavailable):
                failures += 1
            await asyncio.sleep(RETRY_S if failures else interval_s)
        raise StorageUnavailable(f"{self._address.rest} cannot be reached")

    async def poll(self) -> None:
        """Asks once. Raises StorageUnavailable for a 5xx and CollabError for any other refusal."""
        vector = urlsafe_b64encode(self.doc.get_state()).decode().rstrip("=")
        headers = {"if-none-match": self._etag} if self._etag else {}
        answer = await self._http.get(f"{self._address.rest}/state", params={"since": vector}, headers=headers)
        self.polls += 1
        if answer.status_code == 304:
            self.unchanged += 1
        elif answer.is_success:
            self.doc.apply_update(answer.content)
            self._etag = answer.headers.get("etag")
            self._changed()
        else:
            refuse(answer)


def refuse(answer: httpx2.Response) -> None:
    """Raises what an unwanted answer means."""
    error = StorageUnavailable if answer.status_code >= 500 else CollabError
    raise error(f"{answer.request.method} {answer.request.url} answered {answer.status_code}: {answer.text[:200]}")
