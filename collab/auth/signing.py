"""Which signature algorithms go with which keys, and keys that do not change while the server runs.

The administrator's list decides, never the token: `none` is in no family, and a shared secret and public keys are
never accepted side by side, so that a public key can never be used as an HMAC secret.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from typing import Protocol

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from collab.errors import UnsafeSettings

SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
PUBLIC_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)


class VerifyKeys(Protocol):
    """Where the key for one token comes from."""

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """None if there is no such key; IdentityUnavailable if that cannot be known now."""

    async def aclose(self) -> None:
        """Ends what is under way."""


class FixedKeys:
    """One shared secret or one public key, from the settings."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """`kid` is not looked at: there is one key, and the signature says whether it is the right one."""
        return choose([self._key], algorithm)

    async def aclose(self) -> None:
        """Nothing is under way."""


class AllowedAlgorithms(JWSRegistry):
    """joserfc's registry cut down to the allowed algorithms; it knows no others, whatever they are called.

    Unknown header names are let pass, since identity providers add their own; none of them is used.
    """

    max_header_length = 2048  # base64; some providers name certificates here
    max_payload_length = 8192

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=algorithms, strict_check_header=False)
        self._models = {name: JWSRegistry.algorithms[name] for name in algorithms}

    def get_alg(self, name: str) -> JWSAlgModel:
        """Raises KeyError for what is not allowed; unlike the original it does not warn about the name EdDSA."""
        return self._models[name]


def check_algorithms(algorithms: Iterable[str], family: frozenset[str]) -> frozenset[str]:
    """Raises UnsafeSettings if the list is empty or has anything outside the family."""
    wanted = frozenset(algorithms)
    if not wanted or wanted - family:
        raise UnsafeSettings(f"JWT algorithms {sorted(wanted)} do not fit the key; possible are {sorted(family)}")
    return wanted


def choose(keys: Iterable[Key], algorithm: str) -> Key | None:
    """The first key that may verify this algorithm: its type, curve, `use` and `alg` fit."""
    model = JWSRegistry.algorithms[algorithm]
    for key in keys:
        try:
            model.check_key(key)
            key.check_key_op("verify")
        except JoseError:
            continue
        return key
    return None


def import_secret(secret: bytes) -> Key:
    """A shared secret that secret.py has checked. Raises UnsafeSettings for a public key: everybody has that."""
    try:
        return OctKey.import_key(secret)
    except ValueError:
        raise UnsafeSettings("the JWT secret is a public key; give it as the public key file") from None


def import_public(content: bytes) -> Key:
    """A public key as PEM. Raises UnsafeSettings for weak keys and for a private key: it has no business here."""
    if b"PRIVATE" in content:
        raise UnsafeSettings("the JWT public key file holds a private key; give the public one")
    with warnings.catch_warnings():
        warnings.simplefilter("error", SecurityWarning)  # too short
        for kind in (RSAKey, ECKey, OKPKey):
            try:
                return kind.import_key(content)
            except (JoseError, ValueError, TypeError, SecurityWarning):
                continue
    raise UnsafeSettings("the JWT public key file is not a PEM public key (RSA of 2048 bits or more, EC, Ed25519)")
