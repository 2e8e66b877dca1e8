"""Snapshots by REST: named states that are kept; reached as `docs.snapshots`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from collab_client.models import Difference, Page, Restored, Snapshot
from collab_client.rest import PAGE, Rest, path_of

LATEST = "latest"


class Snapshots:
    """Wherever a snapshot is named, `latest` is the newest one."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def list(self, document: str) -> AsyncIterator[Snapshot]:
        """All of a document, newest first."""
        return self._rest.each(lambda cursor: self.page(document, cursor=cursor))

    async def page(self, document: str, *, limit: int = PAGE, cursor: str | None = None) -> Page[Snapshot]:
        """One page of the list."""
        params = {"limit": limit, "cursor": cursor}
        found = (await self._rest.call("GET", path_of(document, "snapshots"), params=params)).json()
        return Page([Snapshot.of(item) for item in found["items"]], found["cursor"])

    async def take(
        self, document: str, label: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Snapshot:
        """Keeps the document as it is now."""
        given = {name: value for name, value in (("label", label), ("metadata", metadata)) if value is not None}
        return Snapshot.of((await self._rest.call("POST", path_of(document, "snapshots"), json=given)).json())

    async def get(self, document: str, snapshot: str = LATEST) -> Snapshot:
        """Its particulars."""
        return Snapshot.of((await self._rest.call("GET", path_of(document, "snapshots", snapshot))).json())

    async def relabel(self, document: str, snapshot: str, label: str | None) -> Snapshot:
        """Gives it another label, or none."""
        path = path_of(document, "snapshots", snapshot)
        return Snapshot.of((await self._rest.call("PATCH", path, json={"label": label})).json())

    async def delete(self, document: str, snapshot: str) -> None:
        """For good."""
        await self._rest.call("DELETE", path_of(document, "snapshots", snapshot))

    async def state(self, document: str, snapshot: str = LATEST) -> bytes:
        """What it keeps, as a Yjs update (V1)."""
        return (await self._rest.call("GET", path_of(document, "snapshots", snapshot, "state"))).content

    async def read_all(self, document: str, snapshot: str = LATEST) -> dict[str, Any]:
        """Everything in it, by root."""
        path = path_of(document, "snapshots", snapshot, "content")
        found: dict[str, Any] = (await self._rest.call("GET", path)).json()
        return found

    async def diff(self, document: str, snapshot: str = LATEST, to: str = "now") -> dict[str, Difference]:
        """What changed from it up to another snapshot, or until now, by root."""
        path = path_of(document, "snapshots", snapshot, "diff")
        found = (await self._rest.call("GET", path, params={"to": to})).json()
        return {root: Difference.of(difference) for root, difference in found["roots"].items()}

    async def restore(self, document: str, snapshot: str = LATEST) -> Restored:
        """Goes back to it by an edit; what was there is kept as a snapshot first."""
        path = path_of(document, "snapshots", snapshot, "restore")
        return Restored.of((await self._rest.call("POST", path)).json())
