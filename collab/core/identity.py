"""Presence that tells the truth: the server writes who speaks, and lets through only what is harmless to show.

Editors show `user.name` and put `user.color` into a style attribute, in everybody's page; so names are cut and cleaned,
and colors must be colors. What does not fit is left out, never punished: applications keep what they like in there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import orjson

from collab.core.awareness import GONE, Entry
from collab.core.user import USER_ID_CHARS_MAX, USER_NAME_CHARS_MAX, clean_name
from collab.errors import BadFrame
from collab.types import Principal, Scope

COLORS = ("color", "colorLight")  # the second one is y-codemirror's, for selections
_COLOR = re.compile(
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]{3,30}|(?:rgb|hsl)a?\((?:[0-9.,%/ +\-]|deg|turn|rad){1,60}\)",
    re.IGNORECASE | re.ASCII,
)


def honest(entries: Iterable[Entry], principal: Principal) -> list[Entry]:
    """The entries with each state's `user` checked, and stamped with what is proven of the principal.

    Bytes that need no change stay the bytes that came. Raises BadFrame for a number that JSON cannot say again.
    """
    stamp = stamp_of(principal)
    return [(client, clock, _honest(state, stamp)) for client, clock, state in entries]


def stamp_of(principal: Principal) -> dict[str, str]:
    """What is written over a state's `user`. Nothing while the node is open, nor for a key that speaks for others."""
    if principal.kind == "open" or (principal.kind == "key" and _speaks_for_others(principal)):
        return {}
    given = {"id": principal.id, "name": principal.name, "color": principal.color}
    return {name: value for name, value in given.items() if value is not None}


def _speaks_for_others(principal: Principal) -> bool:
    return not principal.scopes.isdisjoint((Scope.TICKETS_CREATE, Scope.ADMIN))


def _honest(state: bytes, stamp: dict[str, str]) -> bytes:
    if state == GONE or not (stamp or b"user" in state or b"\\" in state):  # a key may be written with escapes
        return state
    value = _loads(state)
    said = value.get("user")
    if not stamp and not isinstance(said, dict):
        return state
    user = _stamped(said if isinstance(said, dict) else {}, stamp)
    if user == said:
        return state
    value["user"] = user
    return _dumps(value)


def _stamped(said: dict[str, Any], stamp: dict[str, str]) -> dict[str, Any]:
    user = {name: value for name, value in said.items() if name not in CHECKS or CHECKS[name](value)}
    if isinstance(user.get("name"), str):
        user["name"] = clean_name(user["name"]) or ""
    if "color" in user and "color" in stamp:
        stamp = {name: value for name, value in stamp.items() if name != "color"}  # people may change their color
    return user | stamp


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= USER_ID_CHARS_MAX and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 16 * USER_NAME_CHARS_MAX


def _is_color(value: object) -> bool:
    return isinstance(value, str) and _COLOR.fullmatch(value) is not None


CHECKS = {"id": _is_id, "name": _is_name} | dict.fromkeys(COLORS, _is_color)


def _loads(state: bytes) -> dict[str, Any]:
    """It has been checked to be an object (awareness.decode_entries)."""
    try:
        return orjson.loads(state)  # type: ignore[no-any-return]
    except orjson.JSONDecodeError:
        return json.loads(state)  # type: ignore[no-any-return]


def _dumps(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # lone surrogates, which JavaScript escapes, or integers beyond 64 bits
        pass
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise BadFrame("a presence state holds a number that is none") from None
