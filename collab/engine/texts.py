"""Edits of a text: the fewest insertions, deletions and formats that reach what is wanted.

pycrdt counts a text in UTF-8 bytes, an embedded value as one; here places are code points, so that nothing can end up
inside of a character.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Any

from pycrdt import Text, XmlText

from collab.engine.alignment import text_hunks
from collab.engine.blanks import Blank, blank_in_text
from collab.engine.nodes import NODES, Attributes, Run, TextNode, Value, canonical, exact, to_engine
from collab.engine.reader import read
from collab.errors import Unprocessable

FIRST_STAND_IN = 0xF0000  # private use planes
SPARE = "\U0010fffd"  # for what has just been embedded and is still empty

LiveText = Text | XmlText


class Layout:
    """A text in code points, each embedded value as one; `ends` are where its runs end."""

    def __init__(self, runs: list[Run], stand_ins: dict[bytes, str]) -> None:
        pieces = [run.insert if isinstance(run.insert, str) else stand_ins.get(_key(run.insert), SPARE) for run in runs]
        self.runs = runs
        self.chars = "".join(pieces)
        self.ends: list[int] = []
        self.embeds: list[int] = []
        for run, piece in zip(runs, pieces, strict=True):
            if not isinstance(run.insert, str):
                self.embeds.append(len(self))
            self.ends.append(len(self) + len(piece))

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    @cached_property
    def visible(self) -> Sequence[int]:
        """Places of the code points that are no embedded values."""
        if not self.embeds:
            return range(len(self))
        hidden = set(self.embeds)
        return [place for place in range(len(self)) if place not in hidden]

    def plain(self) -> str:
        """The text without embedded values."""
        return "".join(map(self.chars.__getitem__, self.visible)) if self.embeds else self.chars

    def offset(self, place: int) -> int:
        """Where pycrdt counts this place."""
        return len(self.chars[:place].encode()) - 3 * bisect_left(self.embeds, place)  # a stand-in has 4 bytes

    def attributes_at(self, place: int) -> Attributes:
        """The formatting of one code point."""
        at = bisect_right(self.ends, place)
        return self.runs[at].attributes or {} if at < len(self.runs) else {}

    def cut(self, start: int, end: int) -> Iterator[Run]:
        """The runs between two places."""
        at = bisect_right(self.ends, start)
        while start < end:
            run, stop = self.runs[at], min(end, self.ends[at])
            yield Run(self.chars[start:stop] if isinstance(run.insert, str) else run.insert, run.attributes)
            start, at = stop, at + 1


def layout(text: LiveText, stand_ins: dict[bytes, str] | None = None) -> Layout:
    """The live text, ready for edits. Raises Unprocessable if places in it cannot be told."""
    runs = read(text).runs
    made = Layout(runs, _stand_ins(runs, []) if stand_ins is None else stand_ins)
    if made.offset(len(made)) != len(text):  # a string that was embedded as a value looks like text, but is not
        raise Unprocessable("the text holds an embedded string; it can be read, but not edited")
    return made


def edit_text(text: LiveText, target: TextNode) -> list[Blank]:
    """Makes the text equal to the target; if the target has no formatting, the text keeps its own where it can.

    Returns the empty shared types that it had to embed, for the caller to fill.
    """
    current = read(text)
    stand_ins = _stand_ins(current.runs, target.runs)
    old, new = layout(text, stand_ins), Layout(target.runs, stand_ins)
    keeps = bool(target.runs) and all(run.attributes is None for run in target.runs)
    if keeps and not new.embeds:
        _edit_visible(text, old, new)
        return []
    blanks: list[Blank] = []
    for start, end, new_start, new_end in reversed(text_hunks(old.chars, new.chars)):
        blanks += insert(text, old, end, new.cut(new_start, new_end))
        delete(text, old, start, end)
    if not keeps:
        _format(text, new, stand_ins)
    return blanks


def insert(text: LiveText, old: Layout, place: int, runs: Iterator[Run]) -> list[Blank]:
    """Inserts runs at a place; those without formatting take that of the code point before.

    What replaces something is inserted behind it and before that is deleted, so that it takes on its formatting.
    """
    offset = old.offset(place)
    inherited = old.attributes_at(place - 1) if place else {}
    blanks: list[Blank] = []
    for run in runs:
        wanted = inherited if run.attributes is None else run.attributes
        attributes = {key: to_engine(value, as_json=True) for key, value in wanted.items()}
        if isinstance(run.insert, str):
            text.insert(offset, run.insert, attributes)
            offset += len(run.insert.encode())
            continue
        value = (
            blank_in_text(text, run.insert) if isinstance(run.insert, NODES) else to_engine(run.insert, as_json=True)
        )
        text.insert_embed(offset, value, attributes)
        offset += 1
        if isinstance(run.insert, NODES):
            blanks.append((value, run.insert))
    return blanks


def delete(text: LiveText, old: Layout, start: int, end: int) -> None:
    """Deletes what lies between two places."""
    if start < end:
        del text[old.offset(start) : old.offset(end)]


def splice(text: LiveText, old: Layout, start: int, end: int, runs: Iterator[Run]) -> None:
    """Replaces code points from `start` to `end`, embedded values not counted; those in between stay.

    Of several splices of one layout the last place comes first.
    """
    places = old.visible
    insert(text, old, places[end - 1] + 1 if end else 0, runs)
    for first, last in reversed(list(_stretches(places[start:end]))):
        delete(text, old, first, last)


def _edit_visible(text: LiveText, old: Layout, new: Layout) -> None:
    """Edits as if there were no embedded values; those that are there stay."""
    for start, end, new_start, new_end in reversed(text_hunks(old.plain(), new.chars)):
        splice(text, old, start, end, new.cut(new_start, new_end))


def _stretches(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending places as (start, end) of those that are adjacent."""
    start = 0
    for at in range(1, len(places) + 1):
        if at == len(places) or places[at] != places[at - 1] + 1:
            yield places[start], places[at - 1] + 1
            start = at


def _format(text: LiveText, new: Layout, stand_ins: dict[bytes, str]) -> None:
    """Gives a text of the right content the right formatting."""
    now = layout(text, stand_ins)
    start = 0
    for end in sorted({*now.ends, *new.ends}):
        have, want = now.attributes_at(start), new.attributes_at(start)
        changes = {key: to_engine(value, True) for key, value in want.items() if not _equal(have.get(key), value)}
        changes |= {key: None for key in have if key not in want}
        if changes:
            text.format(new.offset(start), new.offset(end), changes)
        start = end


def _stand_ins(*texts: list[Run]) -> dict[bytes, str]:
    """A character for each different embedded value, none of which occurs in the texts."""
    used = {char for runs in texts for run in runs if isinstance(run.insert, str) for char in set(run.insert)}
    free = (chr(code) for code in count(FIRST_STAND_IN) if chr(code) not in used)
    found: dict[bytes, str] = {}
    for runs in texts:
        for run in runs:
            if not isinstance(run.insert, str):
                key = _key(run.insert)
                found[key] = found.get(key) or next(free)
    return found


def _key(value: Value) -> bytes:
    return canonical(exact(value))


def _equal(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)
