"""The gate's fast path: one client and one short string, or one deletion. Nearly all of live editing.

A regular expression reads such an update in a fraction of the parser's time, under the same rules. Whatever is not
plainly a good keystroke is left to the parser, which also finds the words for what is wrong with it.
`tests/crdt/test_keystroke.py` holds the two to each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from collab.crdt.checked import NOTHING_NEEDED, Checked
from collab.crdt.content import utf16_length
from collab.limits import Limits

_INT = rb"([\x80-\xff]{0,7}+[\x00-\x7f])"
_ONE_OF_EACH = rb"\x01\x01" + _INT * 2  # one client, one struct, client id, clock
_ORIGINS = rb"(?:[\xc4\xe4]" + _INT * 4 + rb"|[\x44\x64\x84\xa4]" + _INT * 2 + rb")"  # both, or one of them
_STRING = rb"([\x01-\x7f])(.*)\x00\Z"  # its length, its bytes, an empty delete set

_AFTER, _BETWEEN = 0x84, 0xC4  # a string with a left origin, or with both; not the value of a key

match_typed = re.compile(_ONE_OF_EACH + _ORIGINS + _STRING, re.DOTALL).match
match_deleted = re.compile(rb"\x00\x01" + _INT + rb"\x01" + _INT * 2 + rb"\Z").match

_clients: dict[bytes, int] = {}
"""Longer integers by their encoding: a live document repeats its few client ids again and again."""

_CLIENTS_MAX = 1 << 14


def read_int(raw: bytes) -> int:
    """Decodes an integer that a pattern delimited."""
    size = len(raw)
    if size == 1:
        return raw[0]
    if size == 2:
        return raw[0] + (raw[1] << 7) - 0x80
    if size == 3:
        return raw[0] + (raw[1] << 7) + (raw[2] << 14) - 0x4080
    return _clients.get(raw) or _read_long(raw)


def _read_long(raw: bytes) -> int:
    value = 0
    for place, byte in enumerate(raw):
        value |= (byte & 127) << 7 * place
    if len(_clients) >= _CLIENTS_MAX:
        _clients.clear()
    _clients[raw] = value
    return value


def read_keystroke(update: bytes, limits: Limits) -> Checked | None:
    """What the gate says of the update, or None if the parser must look at it."""
    found = match_typed(update)
    if found is None:
        return _read_deletion(update, limits) if update[:2] == b"\x00\x01" else None
    own, at, left, left_at, right, right_at, only, only_at, size, text = found.groups()
    if len(text) != size[0]:
        return None
    client, clock = _clients.get(own) or read_int(own), read_int(at)
    if text.isascii():
        end = clock + size[0]
    elif (length := _utf16_length(text)) is None:
        return None
    else:
        end = clock + length
    if client > limits.client_id_max or end > limits.clock_max:
        return None
    needs: Mapping[int, int] | None = NOTHING_NEEDED
    if only == own or left == own == right:
        if read_int(only_at or left_at) >= clock or read_int(only_at or right_at) >= clock:
            return None
    elif only is None:
        needs = _needs((left, left_at, right, right_at), client, clock, limits)
    else:
        needs = _needs((only, only_at), client, clock, limits)
    if needs is None:
        return None
    body = found.end(2)
    runs, tail, info = ((client, clock, end),), len(update) - 1, update[body]
    if info == _AFTER:
        follows = only == own and read_int(only_at) == clock - 1
        return Checked(update, runs, needs, (), 1, body, tail, text, b"", follows)
    if info == _BETWEEN:
        follows = left == own and read_int(left_at) == clock - 1
        return Checked(update, runs, needs, (), 1, body, tail, text, right + right_at, follows)
    return Checked(update, runs, needs, (), 1, body, tail)


def _utf16_length(text: bytes) -> int | None:
    try:
        text.decode()
    except UnicodeDecodeError:
        return None
    return utf16_length(text)


def _needs(references: tuple[bytes, ...], own: int, clock: int, limits: Limits) -> Mapping[int, int] | None:
    """Clocks of other clients that these (client, clock) pairs refer to; None if one cannot be right."""
    needs: dict[int, int] = {}
    for place in range(0, len(references), 2):
        client, at = read_int(references[place]), read_int(references[place + 1])
        if client > limits.client_id_max or at >= (clock if client == own else limits.clock_max):
            return None
        if client != own and at >= needs.get(client, 0):
            needs[client] = at + 1
    return needs or NOTHING_NEEDED


def _read_deletion(update: bytes, limits: Limits) -> Checked | None:
    found = match_deleted(update)
    if found is None:
        return None
    client, start, length = map(read_int, found.groups())
    if not 0 < length <= limits.deleted_run_max or client > limits.client_id_max or start + length > limits.clock_max:
        return None
    return Checked(update, (), NOTHING_NEEDED, ((client, start, start + length),), 0, 1, 1)
