"""Opaque secrets: a prefix that says what it is, and 256 random bits in base 62, kept only as sha256.

Base 62 has no character that ends a double click, needs escaping in a URL or is illegal in a subprotocol.
A slow hash is for secrets that people choose; sha256 of 256 random bits cannot be searched.
"""

from __future__ import annotations

import hashlib
import secrets
import string

KEY = "ck_"
TICKET = "ct_"
ALPHABET = string.digits + string.ascii_letters
SECRET_CHARS = 43  # 62^43 > 2^256


def mint(prefix: str) -> str:
    """A new secret with this prefix: all 256 bits, written in base 62."""
    bits = secrets.randbits(256)
    digits = []
    for _ in range(SECRET_CHARS):
        bits, digit = divmod(bits, 62)
        digits.append(ALPHABET[digit])
    return prefix + "".join(digits)


def is_shaped(secret: str, prefix: str) -> bool:
    """True if it looks like one of ours: no look-up is spent on anything else."""
    body = secret[len(prefix) :]
    return secret.startswith(prefix) and len(body) == SECRET_CHARS and body.isascii() and body.isalnum()


def digest(secret: str) -> bytes:
    """What is stored and looked up: an attacker cannot steer it, so the index's timing tells nothing."""
    return hashlib.sha256(secret.encode()).digest()
