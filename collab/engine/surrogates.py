"""Halves of surrogate pairs, put right before pycrdt sees them.

Clocks count UTF-16 code units, so an editor can delete or insert in the middle of a character beyond U+FFFF. yjs then
puts U+FFFD in the place of either half (`ContentString.js`, `splice`); pycrdt loses the halves and text next to them.
Doing beforehand what yjs would do leaves nothing to split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from collab.crdt.content import STRING, read_buffer
from collab.crdt.decode import Id, Update, decode
from collab.engine.json_texts import mend_json
from collab.protocol.varint import write_varuint

PAIR = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
HALVES = "\ufffd\ufffd".encode()


def mend(updates: Sequence[bytes]) -> list[bytes]:
    """The updates with U+FFFD for both halves of each pair that any of them splits, and what else pycrdt cannot read.

    Raises BadUpdate.
    """
    updates = list(map(mend_json, updates))
    if not any(map(PAIR.search, updates)):
        return list(updates)
    decoded = [decode(update) for update in updates]
    second_halves = {place for update in decoded for place, _, _ in _pairs(update)}
    split = second_halves & {place for update in decoded for place in _boundaries(update)}
    return [_replace(update, split) for update in decoded] if split else list(updates)


def _pairs(update: Update) -> Iterator[tuple[Id, int, int]]:
    """(place of the second half, offset of the character in its string, offset of the string) of each pair."""
    for section in update.sections:
        for struct in section.structs:
            if struct.info & 31 == STRING and PAIR.search(update.data, struct.body, struct.stop):
                text, stop = read_buffer(update.data, struct.body)
                clock, done = struct.clock, 0
                for found in PAIR.finditer(text):
                    clock += len(text[done : found.start()].decode().encode("utf-16-le")) // 2
                    yield (section.client, clock + 1), found.start(), stop - len(text)
                    clock, done = clock + 2, found.end()


def _boundaries(update: Update) -> Iterator[Id]:
    """Before which elements something may have been cut."""
    for section in update.sections:
        for struct in section.structs:
            yield section.client, struct.clock
            yield section.client, struct.end
            if struct.origin is not None:
                yield struct.origin[0], struct.origin[1] + 1
            if struct.right is not None:
                yield struct.right
    for client, start, end in update.deletes:
        yield client, start
        yield client, end


def _replace(update: Update, split: set[Id]) -> bytes:
    """The update with the pairs replaced whose second half is in `split`; clocks stay as they are."""
    strings: dict[int, list[int]] = {}
    for place, at, string in _pairs(update):
        if place in split:
            strings.setdefault(string, []).append(at)
    out, done = [], 0
    for section in update.sections:
        for struct in section.structs:
            if struct.info & 31 != STRING:
                continue
            text, stop = read_buffer(update.data, struct.body)
            places = strings.get(stop - len(text))
            if places:
                mended = _replaced(text, places)
                out += [update.data[done : struct.body], write_varuint(len(mended)), mended]
                done = stop
    return b"".join([*out, update.data[done:]])


def _replaced(text: bytes, places: list[int]) -> bytes:
    out, done = [], 0
    for at in places:
        out += [text[done:at], HALVES]
        done = at + 4
    return b"".join([*out, text[done:]])
