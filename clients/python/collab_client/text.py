"""Edits of a `pycrdt.Text` by characters.

pycrdt counts UTF-8 bytes: an index inside a character is no error there, it silently edits the wrong place, and one
past the end can take the whole process down. Here positions are Python's own (code points), checked first.
"""

from __future__ import annotations

from difflib import SequenceMatcher

from pycrdt import Text

EMBED = "\ufffc"
MATCHED_CHARS_MAX = 2_000  # difflib is quadratic; what differs in a longer middle is replaced as a whole


def read(text: Text) -> str:
    """What it reads; anything embedded in it (an image, a mention) stands there as U+FFFC, one character."""
    return "".join(insert if isinstance(insert, str) else EMBED for insert, _ in text.diff())


def insert(text: Text, index: int, addition: str) -> None:
    """Inserts before the character at `index`, from 0 to the length. Raises IndexError."""
    offsets = _offsets(text)
    _check(index, 0, len(offsets) - 1)
    text.insert(offsets[index], addition)


def delete(text: Text, index: int, length: int) -> None:
    """Deletes `length` characters from `index` on. Raises IndexError."""
    offsets = _offsets(text)
    _check(index, 0, len(offsets) - 1)
    _check(length, 0, len(offsets) - 1 - index)
    if length:
        del text[offsets[index] : offsets[index + length]]


def rewrite(text: Text, wanted: str) -> bool:
    """Makes it read `wanted` by the smallest edits, so that nobody's cursor jumps; False if it did already.

    Call it inside `doc.transaction()` to send them as one update.
    """
    now, offsets = read(text), _offsets(text)
    for start, end, replacement in reversed(changes(now, wanted)):
        if end > start:
            del text[offsets[start] : offsets[end]]
        if replacement:
            text.insert(offsets[start], replacement)
    return now != wanted


def changes(before: str, after: str) -> list[tuple[int, int, str]]:
    """What to replace, in order: (start, end, by what), in characters of `before`."""
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not old and not new:
        return []
    if max(len(old), len(new)) > MATCHED_CHARS_MAX:
        return [(head, head + len(old), new)]
    matched = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(head + i, head + j, new[k:m]) for kind, i, j, k, m in matched if kind != "equal"]


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _offsets(text: Text) -> list[int]:
    """Where each character begins, in pycrdt's units, and where the last one ends."""
    offsets = [0]
    for insert, _ in text.diff():
        sizes = (len(char.encode()) for char in insert) if isinstance(insert, str) else (1,)
        for size in sizes:
            offsets.append(offsets[-1] + size)
    return offsets


def _check(value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise IndexError(f"{value} is not between {least} and {most}")
