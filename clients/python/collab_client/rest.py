"""Calls over HTTP: paths, credentials, retries, and problems turned into errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx2

from collab_client import errors
from collab_client.backoff import Backoff
from collab_client.errors import CollabError, Unavailable
from collab_client.models import Page

T = TypeVar("T")
PAGE = 200
KEYED = frozenset({"POST", "PATCH"})  # go with an Idempotency-Key, and so may be repeated
REPEATABLE = KEYED | {"GET", "HEAD", "PUT"}
PATIENCE_S = 60.0  # a server that wants a longer wait is believed, and the caller told


class Rest:
    """One service. Calls that failed in a way that may pass are tried again, `tries` times in all."""

    def __init__(self, url: str, key: str | None = None, *, tries: int = 3, timeout_s: float = 90.0) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.url = url.rstrip("/")
        self._client = httpx2.AsyncClient(base_url=f"{self.url}/api/", headers=headers, timeout=timeout_s)
        self._tries = tries

    async def close(self) -> None:
        """Hangs up."""
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx2.Response:
        """One answer with a status below 400. `params` that are None are left out. Raises CollabError."""
        given = {name: _shown(value) for name, value in (params or {}).items() if value is not None}
        sent = {**({"Idempotency-Key": str(uuid4())} if method in KEYED else {}), **(headers or {})}
        backoff = Backoff()
        for left in reversed(range(self._tries)):
            try:
                return _checked(await self._client.request(method, path, params=given, headers=sent, **body))
            except httpx2.TransportError as error:
                trouble = Unavailable(str(error) or type(error).__name__, "unreachable")
            except Unavailable as error:
                trouble = error
            wait_s = max(backoff.next_s(), trouble.retry_after_s or 0.0)
            if not left or not _is_repeatable(method, sent) or wait_s > PATIENCE_S:
                raise trouble
            await asyncio.sleep(wait_s)
        raise AssertionError("at least one try")

    async def each(self, fetch: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
        """Every item of all pages."""
        page = await fetch(None)
        while True:
            for item in page.items:
                yield item
            if page.cursor is None:
                return
            page = await fetch(page.cursor)


def path_of(document: str, *rest: str) -> str:
    """Relative to /api/; whatever the id holds, it is one segment."""
    return "/".join(["documents", *(quote(part, safe="") for part in (document, *rest))])


def _is_repeatable(method: str, headers: Mapping[str, str]) -> bool:
    """Not a PUT on a version: if the first one arrived, the second would say that somebody else had been there."""
    return method in REPEATABLE and not (method == "PUT" and "If-Match" in headers)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.status_code < 400:
        return response
    raise _problem(response)


def _problem(response: httpx2.Response) -> CollabError:
    """Of an RFC 9457 body; whatever else a proxy may have answered is told by its status."""
    try:
        body = response.json()
        detail, code = str(body["detail"]), str(body["code"])
    except (ValueError, KeyError, TypeError):
        detail, code = f"HTTP {response.status_code} {response.reason_phrase}", "http"
    wait = response.headers.get("retry-after", "")
    return errors.of_status(response.status_code, detail, code, float(wait) if wait.isdecimal() else None)
