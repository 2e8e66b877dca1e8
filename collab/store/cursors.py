"""Opaque cursors of keyset pages: the key of the last item given, so that pages stay right while rows come and go."""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from collab.errors import BadRequest
from collab.store.base import Page

T = TypeVar("T")


def encode_cursor(key: str) -> str:
    """The cursor that continues after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The key in a cursor. Raises BadRequest for one that we did not make."""
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadRequest("this cursor was not made here") from error
    if "\0" in key:
        raise BadRequest("this cursor was not made here")
    return key


def after_prefix(prefix: str) -> str | None:
    """The least text above everything that begins with `prefix`; None if there is no such text.

    Both databases order ids by their UTF-8 bytes, which is the order of code points.
    """
    stem = prefix.rstrip(chr(sys.maxunicode))
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # surrogates are no text
        following = 0xE000
    return stem[:-1] + chr(following)


def page(items: Sequence[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    """A page of `limit` items from a query that asked for one more, so as to know whether there is a next one."""
    shown = items[:limit]
    return Page(shown, encode_cursor(key(shown[-1])) if len(items) > limit else None)
