"""Documents by REST: list, read, edit; every edit goes the way of a keystroke, and is on disk when the call returns."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Self

from pycrdt import Doc

from collab_client.live import LiveDocument, connect
from collab_client.models import Document, Edit, Page, Person, Ticket, Update
from collab_client.rest import PAGE, Rest, path_of
from collab_client.snapshots import Snapshots

Type = Literal["text", "map", "array", "xml"]
Format = Literal["text", "json", "xml"]
Access = Literal["read", "comment", "write"]
MEDIA_TYPES: Mapping[Format, str] = {"text": "text/plain", "json": "application/json", "xml": "application/xml"}
BINARY = "application/octet-stream"


class Documents:
    """The documents of a service: `async with Documents("http://localhost:8000", key="ck_…") as docs`.

    Calls raise `NotFound`, `NotAllowed`, `Changed` or another `Refused`; `Unavailable` after three tries in vain.
    """

    def __init__(self, url: str, key: str | None = None, *, tries: int = 3, timeout_s: float = 90.0) -> None:
        """`key`: an API key or a JSON web token; none for an open service on your own machine."""
        self._rest = Rest(url, key, tries=tries, timeout_s=timeout_s)
        self._key = key
        self.snapshots = Snapshots(self._rest)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hangs up."""
        await self._rest.close()

    # --- documents

    def list(
        self, prefix: str = "", *, deleted: bool = False, metadata: Mapping[str, str] | None = None
    ) -> AsyncIterator[Document]:
        """Every document whose id begins with `prefix`, by id: `async for document in docs.list("team-a/")`."""
        return self._rest.each(lambda cursor: self.page(prefix, deleted=deleted, metadata=metadata, cursor=cursor))

    async def page(
        self,
        prefix: str = "",
        *,
        deleted: bool = False,
        metadata: Mapping[str, str] | None = None,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Page[Document]:
        """One page of the list. `metadata`: only those that have these strings under these top-level keys."""
        params = {"prefix": prefix, "deleted": deleted, "limit": limit, "cursor": cursor}
        wanted = {f"metadata.{name}": value for name, value in (metadata or {}).items()}
        found = (await self._rest.call("GET", "documents", params={**params, **wanted})).json()
        return Page([Document.of(item) for item in found["items"]], found["cursor"])

    async def create(
        self,
        document: str | None = None,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> Document:
        """Makes one; without an id one is chosen. Raises Changed if the id is taken.

        `content` is its first content by root: `{"text": {"type": "text", "value": "hello"}}`.
        """
        given = _given(id=document, title=title, metadata=metadata, content=content)
        return Document.of((await self._rest.call("POST", "documents", json=given)).json())

    async def get(self, document: str) -> Document:
        """Its particulars."""
        return Document.of((await self._rest.call("GET", path_of(document))).json())

    async def rename(self, document: str, title: str | None) -> Document:
        """Gives it another title, or none."""
        return await self._patch(document, {"title": title})

    async def describe(self, document: str, metadata: Mapping[str, Any] | None) -> Document:
        """Merges into its metadata (RFC 7396): null removes a key, None empties all of it."""
        return await self._patch(document, {"metadata": metadata})

    async def _patch(self, document: str, patch: Mapping[str, Any]) -> Document:
        return Document.of((await self._rest.call("PATCH", path_of(document), json=patch)).json())

    async def delete(self, document: str, *, purge: bool = False) -> None:
        """Hides it, so that `undelete` brings it back; with `purge` erases it for good, snapshots and all."""
        await self._rest.call("DELETE", path_of(document), params={"purge": purge})

    async def undelete(self, document: str) -> Document:
        """Brings a deleted one back."""
        return Document.of((await self._rest.call("POST", path_of(document, "undelete"))).json())

    # --- content

    async def read_all(self, document: str) -> dict[str, Any]:
        """Everything in it, by root: `{"text": {"type": "text", "content": "hello"}}`."""
        found: dict[str, Any] = (await self._rest.call("GET", path_of(document, "content"))).json()
        return found

    async def read(
        self, document: str, root: str | None = None, *, type: Type | None = None, format: Format | None = None
    ) -> Any:
        """One root: a string, or what its JSON says. The only root if none is named."""
        if root is None and type is None and format is None:
            roots = sorted(await self.read_all(document))
            if len(roots) != 1:
                raise ValueError(f"name a root; {document!r} holds {', '.join(roots) or 'nothing yet'}")
            root = roots[0]
        params = {"root": root, "type": type, "format": format}
        answer = await self._rest.call("GET", path_of(document, "content"), params=params)
        return answer.json() if answer.headers["content-type"].startswith("application/json") else answer.text

    async def write(
        self,
        document: str,
        content: Any,
        root: str | None = None,
        *,
        type: Type | None = None,
        format: Format | None = None,
        version: str | None = None,
    ) -> Edit:
        """Makes a root read like this by the smallest edits, merged live with what people type.

        A string is text (or XML, if `format` says so), anything else JSON. A root that is not there yet needs its
        `type`. With the `version` that you began with: raises Changed if it is another one by now.
        """
        wanted = format or ("text" if isinstance(content, str) else "json")
        body = json.dumps(content) if wanted == "json" else content
        headers = {"Content-Type": MEDIA_TYPES[wanted], **_if_match(version)}
        params = {"root": root, "type": type}
        answer = await self._rest.call(
            "PUT", path_of(document, "content"), params=params, headers=headers, content=body.encode()
        )
        return Edit.of(answer.json())

    async def edit(
        self,
        document: str,
        operations: Sequence[Mapping[str, Any]],
        root: str | None = None,
        *,
        type: Type | None = None,
        version: str | None = None,
    ) -> Edit:
        """Operations in order, all or none: `[{"op": "replace", "find": "teh", "text": "the"}]`; see /docs."""
        params = {"root": root, "type": type}
        answer = await self._rest.call(
            "PATCH", path_of(document, "content"), params=params, headers=_if_match(version), json=[*operations]
        )
        return Edit.of(answer.json())

    # --- bytes

    async def state(self, document: str, since: Doc[Any] | None = None) -> bytes:
        """Its Yjs state as an update (V1), or what the document `since` lacks of it: `doc.apply_update(state)`."""
        params = {"since": None if since is None else _base64url(since.get_state())}
        return (await self._rest.call("GET", path_of(document, "state"), params=params)).content

    async def send(self, document: str, update: bytes) -> int:
        """Sends an update (Yjs V1); returns the seq of a document that holds it, on disk."""
        headers = {"Content-Type": BINARY}
        answer = await self._rest.call("POST", path_of(document, "updates"), headers=headers, content=update)
        return int(answer.json()["seq"])

    async def updates(self, document: str, after: int = 0) -> AsyncIterator[Update]:
        """Its log from the update after this seq on, oldest first."""
        following: int | None = after
        while following is not None:
            params = {"after": following, "limit": PAGE}
            found = (await self._rest.call("GET", path_of(document, "updates"), params=params)).json()
            for item in found["items"]:
                yield Update.of(item)
            following = found["next_after"]

    # --- people

    async def presence(self, document: str) -> Sequence[Person]:
        """Who is in it now."""
        found = (await self._rest.call("GET", path_of(document, "presence"))).json()
        return [Person.of(person) for person in found["people"]]

    async def ticket(
        self,
        document: str,
        user: str | None = None,
        *,
        name: str | None = None,
        color: str | None = None,
        access: Access = "write",
        session_s: float | None = None,
    ) -> Ticket:
        """The right to open one socket for a user of yours, within a minute; the session lasts `session_s`."""
        person = {
            field: value for field, value in (("id", user), ("name", name), ("color", color)) if value is not None
        }
        body = {"access": access, "user": person or None, "expires_in_s": session_s}
        given = {field: value for field, value in body.items() if value is not None}
        return Ticket.of((await self._rest.call("POST", path_of(document, "tickets"), json=given)).json())

    def connect(
        self,
        document: str,
        user: str | None = None,
        *,
        name: str | None = None,
        access: Access = "write",
        doc: Doc[Any] | None = None,
    ) -> AbstractAsyncContextManager[LiveDocument]:
        """The document live, with tickets of its own for this user, fetched anew whenever one is needed.

        Without a user, or on an open service, the connection shows the key itself.
        """
        if user is None or self._key is None:
            return connect(self._rest.url, document, self._key, doc=doc)
        return connect(self._rest.url, document, lambda: self.ticket(document, user, name=name, access=access), doc=doc)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _if_match(version: str | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
