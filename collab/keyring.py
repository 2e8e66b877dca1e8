"""API keys by the operator's hand: in the database, or through the node that has it open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from uuid_utils import uuid7

from collab import hatch
from collab.auth.base import ApiKey, AuditEvent
from collab.auth.keys import Keys
from collab.auth.shared_clock import SharedClock
from collab.settings import Settings
from collab.store.base import Page
from collab.store.open import Store, open_store
from collab.store.sqlite import path_of
from collab.types import Scope


class KeyRing(Protocol):
    """What `collab keys` does."""

    async def mint(
        self, name: str, scopes: Iterable[Scope], documents: Iterable[str], expires_in_s: float | None
    ) -> tuple[ApiKey, str]:
        """See Keys.mint."""

    async def list(self, limit: int, cursor: str | None) -> Page[ApiKey]:
        """See KeyStore.list."""

    async def revoke(self, id: str) -> ApiKey:
        """See Keys.revoke."""


@asynccontextmanager
async def open_keyring(settings: Settings) -> AsyncIterator[KeyRing]:
    """The node's, if one has the embedded database open; else the database's. Raises StorageUnavailable."""
    url = settings.resolved_database_url
    if url.startswith("sqlite:") and hatch.is_there(path := hatch.path_beside(path_of(url))):
        yield NodeKeys(path)
        return
    async with open_store(url, sync=settings.sqlite_sync) as store:
        clock = SharedClock()
        await clock.set_by(store.revocations.now)  # nodes look for what was revoked a moment ago
        yield StoredKeys(store, clock)


class StoredKeys:
    """Straight in the database."""

    def __init__(self, store: Store, clock: SharedClock) -> None:
        self._store = store
        self._keys = Keys(store.keys, clock)

    async def mint(
        self, name: str, scopes: Iterable[Scope], documents: Iterable[str], expires_in_s: float | None
    ) -> tuple[ApiKey, str]:
        """See the port."""
        key, secret = await self._keys.mint(name, scopes, documents, expires_in_s)
        await self._tell("key.create", made=key.id, name=key.name, scopes=" ".join(sorted(key.scopes)))
        return key, secret

    async def list(self, limit: int, cursor: str | None) -> Page[ApiKey]:
        """See the port."""
        return await self._store.keys.list(limit, cursor)

    async def revoke(self, id: str) -> ApiKey:
        """See the port."""
        key = await self._keys.revoke(id)
        await self._tell("key.revoke", revoked=key.id, name=key.name)
        return key

    async def _tell(self, action: str, **detail: str) -> None:
        event = AuditEvent(str(uuid7()), datetime.now(UTC), _operator(), "local", action, detail=detail)
        await self._store.audit.append([event])


class NodeKeys:
    """Through the hatch of a running node."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def mint(
        self, name: str, scopes: Iterable[Scope], documents: Iterable[str], expires_in_s: float | None
    ) -> tuple[ApiKey, str]:
        """See the port."""
        body = {"name": name, "scopes": list(scopes), "documents": list(documents), "expires_in_s": expires_in_s}
        made = await hatch.call(self._path, "POST", "/api/keys", body)
        return _key(made), made["key"]

    async def list(self, limit: int, cursor: str | None) -> Page[ApiKey]:
        """See the port."""
        after = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        page = await hatch.call(self._path, "GET", f"/api/keys?limit={limit}{after}")
        return Page([_key(item) for item in page["items"]], page["cursor"])

    async def revoke(self, id: str) -> ApiKey:
        """See the port."""
        target = f"/api/keys/{quote(id, safe='')}"
        await hatch.call(self._path, "DELETE", target)
        return _key(await hatch.call(self._path, "GET", target))


def _key(told: dict[str, Any]) -> ApiKey:
    return ApiKey(
        id=told["id"],
        name=told["name"],
        prefix=told["prefix"],
        hash=b"",
        scopes=frozenset(Scope(scope) for scope in told["scopes"]),
        documents=tuple(told["documents"]),
        created_at=datetime.fromisoformat(told["created_at"]),
        expires_at=_moment(told["expires_at"]),
        revoked_at=_moment(told["revoked_at"]),
        last_used_at=_moment(told["last_used_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _operator() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "operator"
