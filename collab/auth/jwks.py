"""The identity provider's public keys, fetched from its JWKS URL (RFC 7517) and kept fresh.

Known keys are used while a refresh runs, so nobody waits for the provider but the first caller and those who bring a
key id never seen. An unknown key id asks again, at most every `floor_s`, however many tokens are thrown at us. If the
provider is down, the keys last fetched stay good for `stale_s`; after that tokens are not judged (503), not refused.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
import orjson
import structlog
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key

from collab.auth.open_mode import is_loopback
from collab.auth.signing import choose
from collab.errors import IdentityUnavailable, UnsafeSettings

log = structlog.get_logger("collab.auth")


@dataclass(frozen=True, slots=True)
class JwksTimes:
    """Seconds."""

    fresh_s: float = 300.0  # how long a key that the provider withdrew may still be used
    stale_s: float = 3600.0  # the same while the provider cannot be reached
    floor_s: float = 10.0  # between two fetches, whatever callers bring
    timeout_s: float = 5.0  # for one fetch, all of it


RESPONSE_BYTES_MAX = 256 * 1024
KEYS_MAX = 100
KID_CHARS_MAX = 200
PUBLIC_TYPES = ("RSA", "EC", "OKP")  # "oct" would publish a secret: whoever reads it could sign


class Jwks:
    """Satisfies VerifyKeys with what a URL serves."""

    def __init__(self, url: str, times: JwksTimes | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises UnsafeSettings unless it is https, or http on this machine."""
        if not _is_safe(url):
            raise UnsafeSettings("the JWKS URL must be https: whoever can change the answer can sign tokens")
        self._url = url
        self._times = times or JwksTimes()
        self._clock = clock
        self._keys: list[Key] = []
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._client = httpx2.AsyncClient(follow_redirects=False, timeout=self._times.timeout_s)

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """See VerifyKeys."""
        key = self._known(kid, algorithm)
        if key is None or self._age_s() >= self._times.fresh_s:
            self._refresh()
        if key is None and self._fetching is not None:
            await asyncio.shield(self._fetching)
            key = self._known(kid, algorithm)
        if key is None and self._tried_at > self._fetched_at:
            raise IdentityUnavailable  # the newest attempt failed: the key may exist, we cannot know
        return key

    async def aclose(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])
        await self._client.aclose()

    def _age_s(self) -> float:
        return self._clock() - self._fetched_at

    def _known(self, kid: str | None, algorithm: str) -> Key | None:
        if self._age_s() >= self._times.stale_s:
            return None
        if kid is not None:
            return choose((key for key in self._keys if key.kid == kid), algorithm)
        return choose(self._keys, algorithm) if len(self._keys) == 1 else None

    def _refresh(self) -> None:
        if self._fetching is not None or self._clock() - self._tried_at < self._times.floor_s:
            return
        self._tried_at = self._clock()
        self._fetching = asyncio.get_running_loop().create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._times.timeout_s):
                self._keys = read_keys(await self._download())
            self._fetched_at = self._tried_at
        except Exception as error:  # a task has nobody to raise to: find() sees that the newest attempt failed
            log.warning("jwks fetch failed", url=self._url, error=repr(error), age_s=round(self._age_s(), 1))
        finally:
            self._fetching = None

    async def _download(self) -> bytes:
        content = bytearray()
        # Unencoded, and taken raw: a compressed answer would be a bomb that the size limit sees too late.
        async with self._client.stream("GET", self._url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > RESPONSE_BYTES_MAX:
                    raise ValueError(f"more than {RESPONSE_BYTES_MAX} bytes")
        return bytes(content)


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    )


def read_keys(content: bytes) -> list[Key]:
    """The usable keys of a JWKS; those of other kinds are left out (RFC 7517 5). Raises ValueError if none is left."""
    found = orjson.loads(content)
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list) or len(entries) > KEYS_MAX:
        raise ValueError("not a JWKS")
    keys = [key for entry in entries if (key := _read_key(entry)) is not None]
    if not keys:
        raise ValueError("a JWKS without a usable key")
    return keys


def _read_key(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in PUBLIC_TYPES or entry.get("use", "sig") != "sig":
        return None
    kid = entry.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= KID_CHARS_MAX):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", SecurityWarning)  # RSA below 2048 bits
        try:
            return JWKRegistry.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError, SecurityWarning):
            return None
