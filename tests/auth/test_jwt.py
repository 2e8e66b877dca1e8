"""Signatures: the administrator's list decides, never the token."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from collab.auth.claims import ClaimRules
from collab.auth.jwt import JwtAuthenticator, is_shaped
from collab.auth.signing import (
    PUBLIC_ALGORITHMS,
    SECRET_ALGORITHMS,
    FixedKeys,
    check_algorithms,
    import_public,
    import_secret,
)
from collab.errors import Unauthorized, UnsafeSettings
from tests.auth.clock import Clock
from tests.auth.identity_provider import AUDIENCE, ISSUER, claims, sign

CLOCK = Clock()
RULES = ClaimRules(ISSUER, AUDIENCE)
RSA, EC, ED = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")
SECRET = secrets.token_bytes(64)


def public(key: Key) -> Key:
    return import_public(key.as_pem(private=False))  # type: ignore[union-attr]


def door(key: Key, *algorithms: str) -> JwtAuthenticator:
    return JwtAuthenticator(RULES, FixedKeys(key), algorithms, CLOCK)


def good(**changes: Any) -> dict[str, Any]:
    return claims(CLOCK.now, **changes)


async def refused(door: JwtAuthenticator, token: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        await door.who(token)
    assert caught.value.detail == Unauthorized().detail
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, a) for a in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")]
    + [(EC, "ES256"), (ECKey.generate_key("P-384"), "ES384"), (ECKey.generate_key("P-521"), "ES512")]
    + [(ED, "Ed25519")],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_public_key_algorithms_work(key: Key, algorithm: str) -> None:
    principal = await door(public(key), algorithm).who(sign(key, good(), algorithm))
    assert (principal.id, principal.kind) == ("user-1", "jwt")


async def test_the_older_name_of_ed25519_works_without_a_warning() -> None:
    signed = _forge({"alg": "EdDSA", "typ": "JWT"}, good(), ED.private_key.sign)  # type: ignore[union-attr]
    assert (await door(public(ED), "EdDSA").who(signed)).id == "user-1"


@pytest.mark.parametrize("algorithm", sorted(SECRET_ALGORITHMS))
async def test_shared_secrets_work(algorithm: str) -> None:
    key = import_secret(SECRET)
    assert (await door(key, algorithm).who(sign(key, good(), algorithm))).id == "user-1"


async def test_it_ends_when_the_token_ends() -> None:
    clock = Clock()
    here = JwtAuthenticator(RULES, FixedKeys(public(EC)), ["ES256"], clock)
    token = sign(EC, claims(clock.now))
    principal = await here.who(token)
    assert principal.expires_at == clock.now + 600 + RULES.leeway_s
    clock.pass_s(600 + RULES.leeway_s)
    await refused(here, token)


async def test_an_algorithm_outside_the_list_is_refused_even_with_the_right_key() -> None:
    await refused(door(public(RSA), "RS256"), sign(RSA, good(), "RS512"))
    await refused(door(import_secret(SECRET), "HS512"), sign(import_secret(SECRET), good(), "HS256"))


def _segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _forge(header: object, body: object, signer: Any = lambda _: b"") -> str:
    signed = f"{_segment(header)}.{_segment(body)}"
    return f"{signed}.{_segment(signer(signed.encode()))}"


@pytest.mark.parametrize(
    "name", ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "XX999", None, 1, ["ES256"], {}]
)
async def test_unsigned_tokens_are_refused_whatever_they_call_it(name: object) -> None:
    for signature in (b"", b"\0" * 64):
        await refused(door(public(EC), "ES256"), _forge({"alg": name}, good(), lambda _, s=signature: s))


async def test_a_public_key_is_never_an_hmac_secret() -> None:
    here = door(public(RSA), "RS256")
    for known in (RSA.as_pem(private=False), RSA.as_pem(private=False).strip(), RSA.as_der(private=False)):
        forged = _forge({"alg": "HS256"}, good(), lambda message, k=known: hmac.digest(k, message, "sha256"))
        await refused(here, forged)
    with pytest.raises(UnsafeSettings):
        import_secret(RSA.as_pem(private=False))


@pytest.mark.parametrize(
    ("algorithms", "family"),
    [
        ([], PUBLIC_ALGORITHMS), (["none"], PUBLIC_ALGORITHMS), (["RS256", "none"], PUBLIC_ALGORITHMS),
        (["RS256", "HS256"], PUBLIC_ALGORITHMS), (["HS256", "ES256"], SECRET_ALGORITHMS), (["none"], SECRET_ALGORITHMS),
        (["rs256"], PUBLIC_ALGORITHMS), (["ES256K"], PUBLIC_ALGORITHMS),
    ],
)  # fmt: skip
def test_lists_that_do_not_fit_the_key_stop_the_start(algorithms: list[str], family: frozenset[str]) -> None:
    with pytest.raises(UnsafeSettings):
        check_algorithms(algorithms, family)


def test_families_have_nothing_in_common() -> None:
    assert not PUBLIC_ALGORITHMS & SECRET_ALGORITHMS
    assert "none" not in PUBLIC_ALGORITHMS | SECRET_ALGORITHMS
    assert check_algorithms(["RS256"], PUBLIC_ALGORITHMS) == {"RS256"}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"junk", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        RSA.as_pem(private=True), EC.as_pem(private=True), ED.as_pem(private=True), SECRET,
    ],
    ids=["nothing", "junk", "no-key", "rsa", "ec", "ed25519", "secret"],
)  # fmt: skip
def test_files_that_are_no_public_key_stop_the_start(content: bytes) -> None:
    with pytest.raises(UnsafeSettings):
        import_public(content)


def test_a_short_rsa_key_stops_the_start() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(65537, 1024).public_key()
    pem = short.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(UnsafeSettings):
        import_public(pem)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["b64"], "b64": False}, {"crit": ["exp"]}, {"b64": False}, {"typ": "logout+jwt"}, {"typ": "dpop+jwt"},
        {"typ": 1}, {"typ": None}, {"kid": 1}, {"kid": ["a"]}, {"kid": {"a": 1}}, {"kid": "k" * 300},
    ],
)  # fmt: skip
async def test_headers_that_ask_for_something_else_are_refused(header: dict[str, object]) -> None:
    signer = _es256
    await refused(door(public(EC), "ES256"), _forge({"alg": "ES256", **header}, good(), signer))


def _es256(message: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(EC.private_key.sign(message, ec.ECDSA(hashes.SHA256())))  # type: ignore[union-attr]
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_the_usual_types_and_unknown_header_names_pass(typ: str) -> None:
    header = {"alg": "ES256", "typ": typ, "kid": "any", "cat": "x", "jku": "https://evil.example.com/jwks"}
    assert (await door(public(EC), "ES256").who(_forge(header, good(), _es256))).id == "user-1"


async def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    mine = ECKey.generate_key("P-256")
    header: dict[str, Any] = {"jwk": mine.as_dict(private=False), "x5c": ["AAAA"]}
    await refused(door(public(EC), "ES256"), sign(mine, good(), **header))


@pytest.mark.parametrize("body", [[], "text", 1, None, True, b"", b"{", b"\xff\xfe", b"[" * 5000, b"{}"])
async def test_a_payload_that_is_no_set_of_claims_is_refused(body: object) -> None:
    await refused(door(public(EC), "ES256"), _forge({"alg": "ES256"}, body, _es256))


TOKEN = sign(EC, good())
HERE = door(public(EC), "ES256")


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", TOKEN + ".x", TOKEN.rsplit(".", 1)[0] + ".", "." + TOKEN, TOKEN[:-1], " " + TOKEN,
     TOKEN + "\n", "\u00e9.\u00e9.\u00e9", f"{_segment(b'[' * 1400)}.e30.AA", f"{_segment(b'{' * 99)}.e30.AA",
     f"{_segment(['alg'])}.e30.AA", f"{_segment('alg')}.e30.AA", "A" * 3000 + ".e30.AA", "e30." + "A" * 9000 + ".AA"],
)  # fmt: skip
async def test_what_is_no_token_is_refused(token: str) -> None:
    await refused(HERE, token)


@settings(max_examples=300)
@given(data=st.data())
async def test_a_token_changed_anywhere_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    char = data.draw(st.sampled_from("AZaz09-_.=\n\0\u00e9") | st.characters())
    changed = TOKEN[:at] + char + TOKEN[at + 1 :]
    if changed == TOKEN or (at == len(TOKEN) - 1 and char.isascii() and char.isalnum()):
        return  # the last base64 digit of the signature has bits that mean nothing
    await refused(HERE, changed)


@given(st.text(max_size=200))
async def test_any_text_is_refused(text: str) -> None:
    await refused(HERE, text)


def test_shape_is_three_parts() -> None:
    assert is_shaped(TOKEN) and not is_shaped("ck_abc") and not is_shaped("a.b")
