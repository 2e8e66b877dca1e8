"""What differs between two sequences: the few stretches of one that must become stretches of the other.

Our own and not a library's, because a result must not depend on how busy the machine is (the known one gives up on a
timer and then replaces everything), and because list items and XML nodes are aligned by it as well as text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple, TypeVar

T = TypeVar("T")

EXACT_PAIRS_MAX = 20_000  # blocks up to this product of lengths are compared pair by pair
WORDS_MAX = 200  # of two texts that are compared; so all pairs of a block take about a second
WORDS = re.compile(r"[^\W\u2e80-\u9fff\uac00-\ud7af]+|\s+|.", re.DOTALL)  # scripts without spaces: by character
LINES = re.compile(r"[^\n]*\n|[^\n]+")


class Hunk(NamedTuple):
    """`old[start:end]` becomes `new[new_start:new_end]`; one of the two may be empty."""

    start: int
    end: int
    new_start: int
    new_end: int


def hunks(old: Sequence[T], new: Sequence[T]) -> list[Hunk]:
    """Ascending hunks between equal items; items must be hashable.

    Items that occur once on either side are anchors; between anchors the search goes on with what is unique there.
    Takes time about linear in the lengths unless blocks without anchors are small enough to be compared in full.
    """
    out: list[Hunk] = []
    blocks = [Hunk(0, len(old), 0, len(new))]
    while blocks:
        block = _trimmed(old, new, blocks.pop())
        if block.start == block.end or block.new_start == block.new_end:
            if block.start != block.end or block.new_start != block.new_end:
                out.append(block)
            continue
        anchors = _anchors(old, new, block)
        if anchors:
            blocks += _between(block, anchors)
        else:
            out += _compared(old, new, block)
    return sorted(out)


def text_hunks(old: str, new: str) -> list[Hunk]:
    """Hunks in code points: by line, then by word, then without the ends that stayed the same."""
    out: list[Hunk] = []
    for lines in _token_hunks(old, new, Hunk(0, len(old), 0, len(new)), LINES):
        out += [_trimmed(old, new, words) for words in _token_hunks(old, new, lines, WORDS)]
    return _joined(old, out)


class Step(NamedTuple):
    """`old[start:end]` becomes `new[new_start:new_end]`; if `paired`, one item is to be edited into the other."""

    start: int
    end: int
    new_start: int
    new_end: int
    paired: bool


def steps(old: Sequence[T], new: Sequence[T], score: Callable[[int, int], float]) -> list[Step]:
    """What to do with a list of items, ascending; equal items are left alone.

    Between them old items are paired with new ones, in order, for the highest sum of `score(place, new place)`, of
    which 0 means never.
    """
    out: list[Step] = []
    for start, end, new_start, new_end in hunks(old, new):
        for i, j in [*_pairs(range(start, end), range(new_start, new_end), score), (end, new_end)]:
            if i > start or j > new_start:
                out.append(Step(start, i, new_start, j, False))
            if i < end and j < new_end:
                out.append(Step(i, i + 1, j, j + 1, True))
            start, new_start = i + 1, j + 1
    return out


def _pairs(old: range, new: range, score: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """The best pairs; in long ranges just the first with the first that fits."""
    if len(old) * len(new) > EXACT_PAIRS_MAX:
        return _first_pairs(old, new, score)
    scores = [[score(i, j) for j in new] for i in old]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, row in reversed(list(enumerate(scores))):
        for j, both in reversed(list(enumerate(row))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both and both + best[i + 1][j + 1])
    out, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        if scores[i][j] and best[i][j] == scores[i][j] + best[i + 1][j + 1]:
            out.append((old[i], new[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return out


def likeness(old: str, new: str) -> float:
    """How many words two texts share, 0 to 1; of long ones only the beginnings are looked at."""
    ours, theirs = _words(old), _words(new)
    total = ours.total() + theirs.total()
    shared = sum(min(count, theirs.get(word, 0)) for word, count in ours.items())
    return 2 * shared / total if total else 1.0


@lru_cache(512)  # each text is compared with many
def _words(text: str) -> Counter[str]:
    return Counter(text.split(None, WORDS_MAX)[:WORDS_MAX])


def _trimmed(old: Sequence[T], new: Sequence[T], block: Hunk) -> Hunk:
    """Without what is equal at both ends."""
    start, end, new_start, new_end = block
    while start < end and new_start < new_end and old[start] == new[new_start]:
        start, new_start = start + 1, new_start + 1
    while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
        end, new_end = end - 1, new_end - 1
    return Hunk(start, end, new_start, new_end)


def _anchors(old: Sequence[T], new: Sequence[T], block: Hunk) -> list[tuple[int, int]]:
    """The longest ascending row of items that occur once in either half of the block."""
    ours, theirs = _once(old, block.start, block.end), _once(new, block.new_start, block.new_end)
    common = [(at, theirs[item]) for item, at in ours.items() if item in theirs]
    tails: list[int] = []
    links: list[tuple[int, int, int]] = []  # (place, place in new, link to the one before)
    heads: list[int] = []
    for at, to in common:
        row = bisect_left(tails, to)
        links.append((at, to, heads[row - 1] if row else -1))
        tails[row : row + 1], heads[row : row + 1] = [to], [len(links) - 1]
    out = []
    link = heads[-1] if heads else -1
    while link >= 0:
        at, to, link = links[link]
        out.append((at, to))
    return out[::-1]


def _once(items: Sequence[T], start: int, end: int) -> dict[T, int]:
    """Items that occur once between start and end, to their places, ascending."""
    places: dict[T, int] = {}
    for at in range(start, end):
        places[items[at]] = -1 if items[at] in places else at
    return {item: at for item, at in places.items() if at >= 0}


def _between(block: Hunk, anchors: list[tuple[int, int]]) -> Iterator[Hunk]:
    start, new_start = block.start, block.new_start
    for at, to in anchors:
        yield Hunk(start, at, new_start, to)
        start, new_start = at + 1, to + 1
    yield Hunk(start, block.end, new_start, block.new_end)


def _compared(old: Sequence[T], new: Sequence[T], block: Hunk) -> Iterator[Hunk]:
    """A block without anchors, pair by pair if it is small, else as a whole."""
    start, end, new_start, new_end = block
    if (end - start) * (new_end - new_start) > EXACT_PAIRS_MAX:
        yield block
        return
    matcher = SequenceMatcher(None, old[start:end], new[new_start:new_end], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            yield Hunk(start + i, start + j, new_start + k, new_start + m)


def _token_hunks(old: str, new: str, block: Hunk, pattern: re.Pattern[str]) -> Iterator[Hunk]:
    """The hunks of a block of text by tokens, in code points."""
    ours, theirs = pattern.findall(old[block.start : block.end]), pattern.findall(new[block.new_start : block.new_end])
    places, new_places = _places(ours, block.start), _places(theirs, block.new_start)
    for start, end, new_start, new_end in hunks(ours, theirs):
        yield Hunk(places[start], places[end], new_places[new_start], new_places[new_end])


def _places(tokens: list[str], start: int) -> list[int]:
    out = [start]
    for token in tokens:
        out.append(out[-1] + len(token))
    return out


def _joined(old: str, found: list[Hunk]) -> list[Hunk]:
    """One hunk for two replacements with nothing but white space or one character between them."""
    out: list[Hunk] = []
    for hunk in found:
        if out and _is_replacement(out[-1]) and _is_replacement(hunk):
            between = old[out[-1].end : hunk.start]
            if len(between) <= 1 or between.isspace():
                hunk = Hunk(out[-1].start, hunk.end, out.pop().new_start, hunk.new_end)
        out.append(hunk)
    return out


def _is_replacement(hunk: Hunk) -> bool:
    return hunk.start < hunk.end and hunk.new_start < hunk.new_end


def _first_pairs(old: range, new: range, score: Callable[[int, int], float]) -> list[tuple[int, int]]:
    out, at = [], 0
    for i in old:
        if at < len(new) and score(i, new[at]):
            out.append((i, new[at]))
            at += 1
    return out
