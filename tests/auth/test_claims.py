"""What a token says counts only if every value has the right type and the right meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.auth.claims import GRANTS_MAX, ClaimRules, read_principal
from collab.errors import Unauthorized
from collab.types import Access, Grant, Principal, Scope
from tests.auth.identity_provider import AUDIENCE, ISSUER, claims

NOW = 1_800_000_000.0
RULES = ClaimRules(ISSUER, AUDIENCE, scopes_claim="scope")


def read(**changes: Any) -> Principal:
    return read_principal(claims(NOW, **changes), RULES, NOW)


def test_a_good_token_becomes_a_principal() -> None:
    principal = read(name="Ada", jti="t-1", scope="openid tickets:create documents:write")
    assert principal == Principal(
        id="user-1",
        kind="jwt",
        name="Ada",
        key_id="t-1",
        issued_at=NOW,
        expires_at=NOW + 600 + RULES.leeway_s,
        grants=(Grant("team-a/*", Access.WRITE),),
        scopes=frozenset({Scope.TICKETS_CREATE}),
    )


def test_a_token_without_grants_says_who_but_gives_nothing() -> None:
    assert read(collab=None).grants == ()
    assert read(collab=[]).grants == ()


def test_scopes_count_only_if_the_administrator_named_their_claim() -> None:
    body = claims(NOW, scope="admin")
    assert read_principal(body, RULES, NOW).scopes == {Scope.ADMIN}
    assert read_principal(body, ClaimRules(ISSUER, AUDIENCE), NOW).scopes == frozenset()


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]])
def test_one_of_the_audiences_must_be_this_service(audience: object) -> None:
    assert read(aud=audience).id == "user-1"


@pytest.mark.parametrize("exp", [NOW + 0.5, NOW - 29, int(NOW) + 1])
def test_leeway_covers_two_clocks(exp: float) -> None:
    principal = read(exp=exp)
    assert principal.expires_at is not None and principal.expires_at > NOW
    read(nbf=NOW + 29)


WRONG: list[dict[str, Any]] = [
    {"iss": None}, {"iss": "https://evil.example.com/"}, {"iss": ISSUER + "x"}, {"iss": [ISSUER]}, {"iss": 1},
    {"aud": None}, {"aud": "other"}, {"aud": []}, {"aud": ["other"]}, {"aud": {AUDIENCE: 1}}, {"aud": 1}, {"aud": ""},
    {"aud": [[AUDIENCE]]},
    {"exp": None}, {"exp": NOW - 31}, {"exp": str(NOW + 600)}, {"exp": True}, {"exp": float("nan")},
    {"exp": float("inf")}, {"exp": 10**400}, {"exp": [NOW + 600]}, {"exp": {}}, {"exp": 2**53}, {"exp": -1},
    {"nbf": NOW + 31}, {"nbf": "now"}, {"nbf": False}, {"nbf": []}, {"iat": "now"}, {"iat": True},
    {"sub": None}, {"sub": ""}, {"sub": 1}, {"sub": ["user-1"]}, {"sub": "a" * 201}, {"sub": "a\nb"},
    {"sub": "\x1b[1m"},
    {"name": 1}, {"name": ["Ada"]}, {"jti": 1}, {"scope": 1}, {"scope": {"admin": True}}, {"scope": [1]},
    {"collab": "team-a/*"}, {"collab": {}}, {"collab": {"documents": "*", "access": "read"}}, {"collab": [1]},
    {"collab": [{}]}, {"collab": [{"documents": "*"}]}, {"collab": [{"access": "read"}]},
    {"collab": [{"documents": "*", "access": "WRITE"}]}, {"collab": [{"documents": "*", "access": 3}]},
    {"collab": [{"documents": "*", "access": True}]}, {"collab": [{"documents": "*", "access": ["write"]}]},
    {"collab": [{"documents": "*", "access": "none"}]}, {"collab": [{"documents": "*", "access": "admin"}]},
    {"collab": [{"documents": ["*"], "access": "read"}]}, {"collab": [{"documents": "", "access": "read"}]},
    {"collab": [{"documents": "a\n", "access": "read"}]}, {"collab": [{"documents": "*" * 20, "access": "read"}]},
    {"collab": [{"documents": "*", "access": "read", "until": "tomorrow"}]}, {"collab": [[["documents", "*"]]]},
    {"collab": [{"documents": "*", "access": "read"}] * (GRANTS_MAX + 1)}, {"collab": True}, {"collab": 0},
]  # fmt: skip


@pytest.mark.parametrize("changes", WRONG, ids=[f"{i}-{next(iter(w))}" for i, w in enumerate(WRONG)])
def test_a_claim_that_is_missing_or_wrong_refuses_the_token(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized) as caught:
        read(**changes)
    assert caught.value.detail == Unauthorized().detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "name", "jti", "collab", "scope"]), json_values)
def test_whatever_stands_in_a_claim_there_is_one_error_and_no_admin(claim: str, value: object) -> None:
    body = {**claims(NOW), claim: value}
    try:
        principal = read_principal(body, RULES, NOW)
    except Unauthorized:
        return
    assert principal.scopes == frozenset()
    assert all(grant.access in (Access.READ, Access.COMMENT, Access.WRITE) for grant in principal.grants)


def test_rules_without_issuer_or_audience_stop_the_start() -> None:
    for issuer, audience in (("", AUDIENCE), (ISSUER, "")):
        with pytest.raises(ValueError):
            ClaimRules(issuer, audience)
