"""Calls to a running service, and how each of its refusals ends a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote
from uuid import uuid4

import typer

if TYPE_CHECKING:
    import httpx2

REFUSED, USAGE, NOT_FOUND, NOT_ALLOWED, CONFLICT, UNAVAILABLE = 1, 2, 3, 4, 5, 6
EXIT_CODES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND, 409: CONFLICT, 410: NOT_FOUND, 412: CONFLICT}
PAGE = 200
TIMEOUT_S = 60.0


class Refusal(Exception):
    """Why a command cannot be done, as one line, and its exit code."""

    def __init__(self, detail: str, exit_code: int = REFUSED) -> None:
        super().__init__(detail)
        self.exit_code = exit_code


class Service:
    """The REST API at a URL."""

    def __init__(self, url: str, key: str | None) -> None:
        """Raises Refusal for a URL or a key that is none."""
        import httpx2

        if not url.startswith(("http://", "https://")):
            raise Refusal(f"not the address of a service: {url!r} (like https://collab.example.com)", USAGE)
        self.url = url.rstrip("/")
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        try:
            self._client = httpx2.Client(base_url=f"{self.url}/api/", headers=self.headers, timeout=TIMEOUT_S)
        except UnicodeEncodeError:
            raise Refusal("the key holds characters that no key has; was it copied whole?", USAGE) from None
        except httpx2.InvalidURL as error:
            raise Refusal(f"not the address of a service: {url!r} ({error})", USAGE) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None, **request: Any) -> httpx2.Response:
        """An answer with a status below 400. Parameters that are None are left out. Raises Refusal."""
        import httpx2

        params = {name: value for name, value in (request.pop("params", None) or {}).items() if value is not None}
        sent = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        try:
            response = self._client.request(method, path, params=params, headers={**sent, **(headers or {})}, **request)
        except httpx2.TransportError as error:
            raise Refusal(f"{self.url} does not answer: {error or type(error).__name__}", UNAVAILABLE) from None
        if response.status_code >= 400:
            raise refusal(response)
        if response.has_redirect_location:  # not followed: a key does not go where it was not sent
            raise Refusal(f"{self.url} has moved: {response.headers['location']}; give the new --url", USAGE)
        return response

    def json(self, method: str, path: str, **request: Any) -> Any:
        """The answer's value. Raises Refusal if it is none: something else than the service is at the address."""
        response = self.call(method, path, **request)
        try:
            return response.json()
        except ValueError:
            raise Refusal(f"{self.url} is not the address of a service: it answers, but not in JSON", USAGE) from None

    def each(self, path: str, params: Mapping[str, object] | None = None) -> Iterator[dict[str, Any]]:
        """Every item of all pages."""
        cursor: object = None
        while True:
            page = self.json("GET", path, params={"limit": PAGE, **(params or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return


def document_path(document: str, *rest: str) -> str:
    """Relative to /api/; whatever an id holds, it is one segment."""
    return "/".join(["documents", *(quote(part, safe="") for part in (document, *rest))])


def refusal(response: httpx2.Response) -> Refusal:
    """What an answer says against it: an RFC 9457 problem, or whatever a proxy may have put in its place."""
    status = response.status_code
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"HTTP {status} {response.reason_phrase}"
    if status == 401:
        detail += " Give a key by --key or COLLAB_KEY."
    return Refusal(detail, UNAVAILABLE if status == 429 or status >= 500 else EXIT_CODES.get(status, REFUSED))


@contextmanager
def calling(url: str, key: str | None) -> Iterator[Service]:
    """A service whose refusals are told in one line and end the command."""
    with ending(), Service(url, key) as service:
        yield service


@contextmanager
def ending() -> Iterator[None]:
    """Ends the command with the exit code of what goes wrong in the block."""
    try:
        yield
    except Refusal as error:
        typer.echo(f"collab: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:  # piped into something like `head`
        raise typer.Exit(0) from None
