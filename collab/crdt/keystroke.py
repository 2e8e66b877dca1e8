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
_ONE_DELETION = b"\x00\x01"  # no structs, and one client's deletions

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
    if update.startswith(_ONE_DELETION):
        return _read_deletion(update, limits)
    found = match_typed(update)
    if found is None:
        return None
    own, at, left, left_at, right, right_at, only, only_at, size, text = found.groups()
    if len(text) != size[0]:
        return None
    client, clock = _clients.get(own) or read_int(own), read_int(at)
    length = size[0] if text.isascii() else _utf16_length(text)
    if length is None or client > limits.client_id_max or clock + length > limits.clock_max:
        return None
    needs: Mapping[int, int] | None = NOTHING_NEEDED
    before = -2  # the clock of its left origin, if that is the author's own
    if only is not None:
        if only == own:
            before = read_int(only_at)
            if before >= clock:
                return None
        else:
            needs = _needs((only, only_at), client, clock, limits)
    elif left == own == right:
        before = read_int(left_at)
        if before >= clock or read_int(right_at) >= clock:
            return None
    else:
        needs = _needs((left, left_at, right, right_at), client, clock, limits)
        if left == own:
            before = read_int(left_at)
    if needs is None:
        return None
    body, tail, runs = len(own) + len(at) + 2, len(update) - 1, ((client, clock, clock + length),)
    info = update[body]
    if info == _AFTER:
        return Checked(update, runs, needs, (), 1, body, tail, text, b"", before == clock - 1)
    if info == _BETWEEN:
        return Checked(update, runs, needs, (), 1, body, tail, text, right + right_at, before == clock - 1)
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
    own, at, size = found.groups()
    client, start = _clients.get(own) or read_int(own), read_int(at)
    length = size[0] if len(size) == 1 else read_int(size)
    if not 0 < length <= limits.deleted_run_max or client > limits.client_id_max or start + length > limits.clock_max:
        return None
    return Checked(update, (), NOTHING_NEEDED, ((client, start, start + length),), 0, 1, 1)
