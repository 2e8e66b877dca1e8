"""API keys for servers: minted once, kept as sha256, looked up through a cache that is younger than a second."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import uuid_utils

from collab.auth import opaque
from collab.auth.base import ApiKey, KeyStore
from collab.auth.patterns import check_pattern
from collab.errors import StorageUnavailable, Unauthorized, Unprocessable
from collab.types import Access, Grant, Principal, Scope

CACHED_S = 0.5  # a key revoked on another node is dead here this much later, a second at the most with the look-up
CACHED_MAX = 10_000
TOUCH_S = 60.0  # last_used is this coarse: a write per request would be a write per request
PREFIX_CHARS = len(opaque.KEY) + 8
NAME_CHARS_MAX = 100
PATTERNS_MAX = 50
LIFE_S_MAX = 100 * 365 * 86_400.0
ACCESS_OF = {Scope.DOCUMENTS_READ: Access.READ, Scope.DOCUMENTS_WRITE: Access.WRITE}


class Keys:
    """Mints, verifies and revokes API keys."""

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time) -> None:
        """`clock`: Unix seconds."""
        self._store = store
        self._clock = clock
        self._cached: dict[bytes, tuple[float, ApiKey]] = {}
        self._touched: dict[str, float] = {}

    async def mint(
        self, name: str, scopes: Iterable[str], documents: Iterable[str] = (), expires_in_s: float | None = None
    ) -> tuple[ApiKey, str]:
        """Returns the key and its secret, which is nowhere else from now on. Raises Unprocessable."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        secret = opaque.mint(opaque.KEY)
        key = ApiKey(
            id=str(uuid_utils.uuid7()),
            name=_check_name(name),
            prefix=secret[:PREFIX_CHARS],
            hash=opaque.digest(secret),
            scopes=_check_scopes(scopes),
            documents=_check_documents(documents),
            created_at=now,
            expires_at=None if expires_in_s is None else now + _check_life(expires_in_s),
        )
        if Scope.ADMIN in key.scopes and key.documents:
            raise Unprocessable("an admin key reaches every document; it cannot be limited to patterns")
        await self._store.create(key)
        return key, secret

    async def who(self, secret: str) -> Principal:
        """Raises Unauthorized for unknown, revoked and expired keys alike; StorageUnavailable."""
        if not opaque.is_shaped(secret, opaque.KEY):
            raise Unauthorized
        now = self._clock()
        key = await self._find(opaque.digest(secret), now)
        if key is None or not _is_alive(key, now):
            raise Unauthorized
        await self._touch(key, now)
        return principal_of(key)

    async def revoke(self, id: str) -> ApiKey:
        """Dead on this node when it returns, on the others within CACHED_S. Raises NotFound."""
        key = await self._store.revoke(id, datetime.fromtimestamp(self._clock(), UTC))
        self._cached.pop(key.hash, None)
        return key

    async def _find(self, hash: bytes, now: float) -> ApiKey | None:
        cached = self._cached.get(hash)
        if cached is not None and 0.0 <= now - cached[0] < CACHED_S:  # a clock set back ends it too
            return cached[1]
        key = await self._store.find(hash)
        # Compared again because the promise is ours, not the index's; only keys that exist are cached, so that
        # guesses cannot fill the cache.
        if key is None or not hmac.compare_digest(key.hash, hash):
            self._cached.pop(hash, None)
            return None
        if len(self._cached) >= CACHED_MAX:
            self._cached.clear()
        self._cached[hash] = (now, key)
        return key

    async def _touch(self, key: ApiKey, now: float) -> None:
        last = self._touched.get(key.id, key.last_used_at.timestamp() if key.last_used_at else 0.0)
        if abs(now - last) < TOUCH_S:  # a clock may be set back
            return
        if len(self._touched) >= CACHED_MAX:
            self._touched.clear()
        self._touched[key.id] = now
        try:
            await self._store.touch(key.id, datetime.fromtimestamp(now, UTC))
        except StorageUnavailable:
            pass  # the caller's own work will say so if it needs the database; the next minute tries again


def principal_of(key: ApiKey) -> Principal:
    """What a key may do, in the words of the policy."""
    access = max((ACCESS_OF[scope] for scope in key.scopes if scope in ACCESS_OF), default=Access.NONE)
    return Principal(
        id=key.id,
        kind="key",
        name=key.name,
        key_id=key.id,
        expires_at=None if key.expires_at is None else key.expires_at.timestamp(),
        grants=tuple(Grant(pattern, access) for pattern in key.documents or ("*",)) if access else (),
        scopes=key.scopes,
    )


def _is_alive(key: ApiKey, now: float) -> bool:
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at.timestamp())


def _check_name(name: str) -> str:
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
        raise Unprocessable(f"a key's name has 1 to {NAME_CHARS_MAX} printable characters")
    return name


def _check_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    try:
        wanted = frozenset(Scope(scope) for scope in scopes)
    except ValueError as error:
        raise Unprocessable(f"{error}; possible are {', '.join(Scope)}") from None
    if not wanted:
        raise Unprocessable("a key without a scope could do nothing")
    return wanted


def _check_documents(documents: Iterable[str]) -> tuple[str, ...]:
    patterns = tuple(check_pattern(pattern) for pattern in documents)
    if len(patterns) > PATTERNS_MAX:
        raise Unprocessable(f"a key has at most {PATTERNS_MAX} document patterns")
    return patterns


def _check_life(expires_in_s: float) -> timedelta:
    if not 0.0 < expires_in_s <= LIFE_S_MAX:
        raise Unprocessable("a key's life is a positive number of seconds, a century at the most")
    return timedelta(seconds=expires_in_s)
