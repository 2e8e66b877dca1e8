"""Which tokens are trusted, from the settings: one issuer, one source of keys, and the algorithms that fit it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from collab.auth.claims import ClaimRules
from collab.auth.jwks import Jwks
from collab.auth.jwt import JwtAuthenticator
from collab.auth.secret import read_file, read_secret
from collab.auth.signing import (
    PUBLIC_ALGORITHMS,
    SECRET_ALGORITHMS,
    FixedKeys,
    VerifyKeys,
    check_algorithms,
    import_public,
    import_secret,
)
from collab.errors import UnsafeSettings

DEFAULT_PUBLIC = frozenset({"RS256", "ES256", "EdDSA", "Ed25519"})
DEFAULT_SECRET = frozenset({"HS256"})


@dataclass(frozen=True, slots=True)
class Trust:
    """What the administrator said about tokens. One of the four sources of keys; no algorithms means the usual ones."""

    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    public_key_file: Path | None = None
    secret: str | None = field(default=None, repr=False)
    secret_file: Path | None = None
    algorithms: frozenset[str] = frozenset()
    grants_claim: str = "collab"
    scopes_claim: str | None = None

    def authenticator(self) -> JwtAuthenticator | None:
        """None if nothing was said. Raises UnsafeSettings for anything that is said by half or twice."""
        if self == Trust():
            return None
        if not self.issuer or not self.audience:
            raise UnsafeSettings("JWTs need an issuer and an audience to be checked against")
        keys, usual, family = self._keys()
        algorithms = check_algorithms(self.algorithms or usual, family)
        rules = ClaimRules(self.issuer, self.audience, self.grants_claim, self.scopes_claim)
        return JwtAuthenticator(rules, keys, algorithms)

    def _keys(self) -> tuple[VerifyKeys, frozenset[str], frozenset[str]]:
        given = [source is not None for source in (self.jwks_url, self.public_key_file, self.secret, self.secret_file)]
        if sum(given) != 1:
            raise UnsafeSettings("JWTs need one source of keys: a JWKS URL, a public key file, or a secret")
        if self.jwks_url is not None:
            return Jwks(self.jwks_url), DEFAULT_PUBLIC, PUBLIC_ALGORITHMS
        if self.public_key_file is not None:
            public = import_public(read_file("the JWT public key", self.public_key_file))
            return FixedKeys(public), DEFAULT_PUBLIC, PUBLIC_ALGORITHMS
        secret = read_secret("the JWT secret", self.secret, self.secret_file)
        assert secret is not None
        return FixedKeys(import_secret(secret)), DEFAULT_SECRET, SECRET_ALGORITHMS
