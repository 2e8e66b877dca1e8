"""What the structs of an update carry: one reader per content kind, which checks it and says how long it is.

Kinds and their numbers are those of yjs (`Item.js`, `contentRefs`), the nested values those of lib0 (`encoding.js`,
`writeAny`). A reader gets the offset just after the struct's head and returns (length in clocks, next offset).
Running off the end raises IndexError. Nothing is converted to Python objects but JSON, to prove that it parses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import isinf

from collab.crdt.varints import read_varuint, skip_varint
from collab.errors import BadUpdate
from collab.limits import Limits

GC, DELETED, JSON, BINARY, STRING, EMBED, FORMAT, TYPE, ANY, DOC, SKIP = range(11)
"""Content kinds: the low five bits of a struct's info byte."""

ARRAY_TYPE, MAP_TYPE, TEXT_TYPE, XML_ELEMENT, XML_FRAGMENT, XML_HOOK, XML_TEXT = range(7)
"""Kinds of a TYPE (yjs `ContentType.js`, `typeRefs`)."""

Reader = Callable[[bytes, int, Limits], tuple[int, int]]

_CONTINUATION = bytes(range(0x80, 0xC0))
_FOUR_BYTE_LEADS = bytes(range(0xF0, 0xF8))
_is_plain_json = re.compile(rb'true|false|null|-?(?:0|[1-9][0-9]{0,15})|"[ !#-\[\]-~]*"|\{\}|\[\]').fullmatch
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_JSON_BRACKET = re.compile(r"[\[\]{}]")


def utf16_length(text: bytes) -> int:
    """Length of valid UTF-8 in UTF-16 code units, which is what clocks count."""
    if text.isascii():
        return len(text)
    characters = len(text.translate(None, _CONTINUATION))
    return characters + len(text) - len(text.translate(None, _FOUR_BYTE_LEADS))


def read_buffer(data: bytes, offset: int) -> tuple[bytes, int]:
    """Length-prefixed bytes. Returns (bytes, next offset)."""
    size, offset = read_varuint(data, offset)
    end = offset + size
    if end > len(data):
        raise BadUpdate(f"{size} bytes announced, {len(data) - offset} left", offset)
    return data[offset:end], end


def read_text(data: bytes, offset: int) -> tuple[bytes, int]:
    """Length-prefixed UTF-8. Returns (its bytes, next offset)."""
    text, end = read_buffer(data, offset)
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            raise BadUpdate("a string is not UTF-8", offset) from None
    return text, end


def read_count(data: bytes, offset: int) -> tuple[int, int]:
    """How many values follow, each of at least one byte. Returns (count, next offset)."""
    count, offset = read_varuint(data, offset)
    if count > len(data) - offset:
        raise BadUpdate(f"{count} values announced, {len(data) - offset} bytes left", offset)
    return count, offset


def skip_any(data: bytes, offset: int, levels: int) -> int:
    """Steps over one lib0 `any` value that nests at most `levels` deep."""
    kind = data[offset]
    offset += 1
    if kind == 119:
        return read_text(data, offset)[1]
    if kind == 125:
        return skip_varint(data, offset)
    if kind in (120, 121, 126, 127):  # true, false, null, undefined
        return offset
    if kind in (122, 123, 124):  # bigint64, float64, float32
        end = offset + (4 if kind == 124 else 8)
        if end > len(data):
            raise BadUpdate("a number ends early", offset)
        return end
    if kind == 116:
        return read_buffer(data, offset)[1]
    if kind not in (117, 118):
        raise BadUpdate(f"unknown value kind {kind}", offset)
    if levels == 0:
        raise BadUpdate("values are nested too deeply", offset)
    return _skip_members(data, offset, levels - 1, keyed=kind == 118)


def _skip_members(data: bytes, offset: int, levels: int, keyed: bool) -> int:
    count, offset = read_count(data, offset)
    for _ in range(count):
        if keyed:
            offset = read_text(data, offset)[1]
        offset = skip_any(data, offset, levels)
    return offset


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _in_range(text: str) -> float:
    """JavaScript would read what is beyond a double as Infinity, which it cannot write; yrs refuses it."""
    if len(text) > 400 or isinf(value := float(text)):
        raise ValueError(text[:40])
    return value


_decode_json = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_in_range, parse_int=_in_range).decode


def check_json(text: bytes, offset: int, limits: Limits) -> None:
    """Refuses what `JSON.parse` would throw on, and deep nesting (yrs refuses 128 levels, recursion has its price)."""
    if _is_plain_json(text):
        return
    written = text.decode()
    try:
        _decode_json(written)
    except (ValueError, RecursionError):
        raise BadUpdate("JSON does not parse", offset) from None
    if _json_depth(written) > limits.nesting_max:
        raise BadUpdate("JSON is nested too deeply", offset)


def _json_depth(written: str) -> int:
    """How deep brackets nest outside of strings. Takes only valid JSON: an open string would cost quadratic time."""
    if written.count("[") + written.count("{") <= 1:
        return 1
    depth = deepest = 0
    for bracket in _JSON_BRACKET.findall(_JSON_STRING.sub("", written)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def read_deleted(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    """The length of a GC struct or of deleted content."""
    length, end = read_varuint(data, offset)
    if length > limits.deleted_run_max:
        raise BadUpdate(f"a run of {length} deleted clocks", offset)
    return length, end


def _json(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    count, offset = read_count(data, offset)
    for _ in range(count):
        text, end = read_text(data, offset)
        if text != b"undefined":
            check_json(text, offset, limits)
        offset = end
    return count, offset


def _binary(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    return 1, read_buffer(data, offset)[1]


def _string(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    size = data[offset]
    end = offset + 1 + size
    if size < 128 and end <= len(data) and data[offset + 1 : end].isascii():
        return size, end
    text, end = read_text(data, offset)
    return utf16_length(text), end


def _embed(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    text, end = read_text(data, offset)
    check_json(text, offset, limits)
    return 1, end


def _format(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    return _embed(data, read_text(data, offset)[1], limits)


def _type(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    kind, offset = read_varuint(data, offset)
    if kind > XML_TEXT or kind == XML_HOOK:  # yrs does not read the hook's name, and everything after it goes wrong
        raise BadUpdate(f"type {kind} is not taken", offset)
    return 1, read_text(data, offset)[1] if kind == XML_ELEMENT else offset


def _any(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    count, offset = read_count(data, offset)
    for _ in range(count):
        offset = skip_any(data, offset, limits.nesting_max)
    return count, offset


def _doc(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    offset = read_text(data, offset)[1]
    if data[offset] != 118:  # yjs spreads the options into a constructor call, and throws on anything but a map
        raise BadUpdate("options of a subdocument are not a map", offset)
    return 1, skip_any(data, offset, limits.nesting_max)


def _unknown(data: bytes, offset: int, limits: Limits) -> tuple[int, int]:
    raise BadUpdate("unknown content", offset)


READERS: tuple[Reader, ...] = (
    *(_unknown, read_deleted, _json, _binary, _string, _embed, _format, _type, _any, _doc),
    *(_unknown for _ in range(SKIP, 32)),
)
"""One reader for each value of the info byte's low five bits; GC and SKIP are no content."""
