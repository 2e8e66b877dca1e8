"""JWTs from the user's own identity provider: signature, then every claim, or Unauthorized and not a word more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

from joserfc.jws import CompactSignature, extract_compact, validate_compact

from collab.auth.claims import ClaimRules, read_principal
from collab.auth.jwks import KID_CHARS_MAX
from collab.auth.signing import AllowedAlgorithms, VerifyKeys
from collab.errors import Unauthorized
from collab.types import Principal

TYPES = ("jwt", "at+jwt", "application/at+jwt", "application/jwt")
"""Others say that it is something else: a logout token, an event, a proof of possession (RFC 8725 3.11)."""


def is_shaped(token: str) -> bool:
    """Three dotted parts."""
    return token.count(".") == 2


class JwtAuthenticator:
    """Verifies tokens with keys from a JWKS, a public key or a shared secret."""

    def __init__(
        self, rules: ClaimRules, keys: VerifyKeys, algorithms: Iterable[str], clock: Callable[[], float] = time.time
    ) -> None:
        """`algorithms` have passed signing.check_algorithms for the kind of keys."""
        self._rules = rules
        self._keys = keys
        self._registry = AllowedAlgorithms(frozenset(algorithms))
        self._clock = clock

    async def who(self, token: str) -> Principal:
        """Raises Unauthorized, or IdentityUnavailable while the provider's keys cannot be had."""
        signed = self._parse(token)
        header = signed.headers()
        key = await self._keys.find(_read_kid(header), header["alg"])
        if key is None:
            raise Unauthorized
        try:
            if not validate_compact(signed, key, registry=self._registry):
                raise Unauthorized
            claims = json.loads(signed.payload or b"")
        except Exception:  # whatever the library makes of hostile bytes, it is not a valid token
            raise Unauthorized from None
        if not isinstance(claims, dict):
            raise Unauthorized
        return read_principal(claims, self._rules, self._clock())

    async def aclose(self) -> None:
        """Ends a fetch of keys that is under way."""
        await self._keys.aclose()

    def _parse(self, token: str) -> CompactSignature:
        """Nothing in the header is believed but `alg` (if allowed) and `kid` (to pick one of the provider's keys)."""
        try:
            signed = extract_compact(token.encode("ascii"), registry=self._registry)
            header = signed.headers()
            self._registry.check_header(header)
            self._registry.get_alg(header["alg"])
            if "crit" in header or "b64" in header or str(header.get("typ", "JWT")).lower() not in TYPES:
                raise Unauthorized
        except Exception:  # RecursionError and TypeError among them: the header is the attacker's JSON
            raise Unauthorized from None
        return signed


def _read_kid(header: dict[str, object]) -> str | None:
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= KID_CHARS_MAX):
        raise Unauthorized
    return kid
