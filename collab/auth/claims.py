"""What a verified token says, checked value by value: a claim that is there but wrong is as bad as a wrong signature.

`exp`, `iss`, `aud` and `sub` must be there. Grants: `[{"documents": "team-a/*", "access": "read"}]` under a claim of
the administrator's choice; an entry with a member that is not known here is refused, because it may be a restriction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from collab.auth.patterns import check_pattern
from collab.core.user import USER_ID_CHARS_MAX, clean_name
from collab.errors import Unauthorized, Unprocessable
from collab.types import Access, Grant, Principal, Scope

GRANTS_MAX = 100
ACCESS_NAMES = {"read": Access.READ, "comment": Access.COMMENT, "write": Access.WRITE}
TOKEN_SCOPES = {scope.value: scope for scope in (Scope.TICKETS_CREATE, Scope.ADMIN)}
"""Documents are granted by the grants claim alone, so `documents:*` means nothing in a token."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the administrator expects of tokens. `scopes_claim` None: tokens give no scopes."""

    issuer: str
    audience: str
    grants_claim: str = "collab"
    scopes_claim: str | None = None
    leeway_s: float = 30.0  # clocks of two machines

    def __post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ValueError("JWTs need an issuer and an audience to be checked against")


def read_principal(claims: dict[str, object], rules: ClaimRules, now: float) -> Principal:
    """`now` is Unix seconds. Raises Unauthorized."""
    _check(claims.get("iss") == rules.issuer)
    audience = claims.get("aud")
    _check(audience == rules.audience or (isinstance(audience, list) and rules.audience in audience))
    ends_at = _read_time(claims["exp"] if "exp" in claims else None) + rules.leeway_s
    _check(now < ends_at)
    if "nbf" in claims:
        _check(_read_time(claims["nbf"]) <= now + rules.leeway_s)
    return Principal(
        id=_read_subject(claims.get("sub")),
        kind="jwt",
        name=clean_name(_read_text(claims["name"])) if "name" in claims else None,
        key_id=_read_text(claims["jti"]) if "jti" in claims else None,
        expires_at=ends_at,
        grants=_read_grants(claims.get(rules.grants_claim, [])),
        scopes=_read_scopes(claims.get(rules.scopes_claim, []) if rules.scopes_claim else []),
        issued_at=_read_time(claims["iat"]) if "iat" in claims else None,
    )


def _check(holds: bool) -> None:
    if not holds:
        raise Unauthorized


def _read_time(value: object) -> float:
    # bool is an int in Python, and json reads NaN, Infinity and integers that no float holds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53 or math.isnan(value):
        raise Unauthorized
    return float(value)


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise Unauthorized
    return value


def _read_subject(value: object) -> str:
    subject = _read_text(value)
    _check(0 < len(subject) <= USER_ID_CHARS_MAX and subject.isprintable())
    return subject


def _read_grants(value: object) -> tuple[Grant, ...]:
    if not isinstance(value, list) or len(value) > GRANTS_MAX:
        raise Unauthorized
    return tuple(_read_grant(entry) for entry in value)


def _read_grant(entry: object) -> Grant:
    if not isinstance(entry, dict) or entry.keys() != {"documents", "access"}:
        raise Unauthorized
    access = ACCESS_NAMES.get(_read_text(entry["access"]))
    if access is None:
        raise Unauthorized
    try:
        return Grant(check_pattern(_read_text(entry["documents"])), access)
    except Unprocessable:
        raise Unauthorized from None


def _read_scopes(value: object) -> frozenset[Scope]:
    """A list, or words in one string as OAuth has them (RFC 8693 4.2); what others mean by their scopes is ignored."""
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list):
        raise Unauthorized
    return frozenset(TOKEN_SCOPES[word] for word in map(_read_text, words) if word in TOKEN_SCOPES)
