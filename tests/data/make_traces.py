"""Makes the small traces of the tests: `python -m tests.data.make_traces`. The same bytes every time.

`tale.json` is one author with many-byte letters and emoji, corrections, jumps back and changes in several places at
once. `letters.json.gz` is two people who write below each other with a delay between them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from collab.replay.rehearsal import expected_end
from collab.replay.screen import Screen
from collab.replay.trace import Patch, Trace

FOLDER = Path(__file__).parent / "traces"
TALE_START = "# Die Möwe 🕊️\n\n"
TALE = (
    "Es war einmal eine Möwe, die hieß Åsa. Sie wohnte über dem Fährhafen und zählte Schiffe: eins, zwei, drei 🚢🚢.\n"
    "Каждое утро она летала к маяку. 灯台の下には猫がいた 🐈‍⬛, and the cat never looked up.\n"
    "One day — it was a Tuesday — the lamp went out. «Who counts the ships now?» asked the cat.\n"
    "Åsa shook her wings 👩🏽‍🚀, said nothing, and counted on: quatre, cinq, six… until the fog was gone. 🏁𠮷\n"
)
LETTERS = (
    "Dear Börje, the printer is on fire again 🔥. I have put a plant on it. Could you bring the long spoon, "
    "the café key and — if it fits — the piano? Your Ana 🌻\n",
    "Dear Ana, the piano stays. I bring two spoons, one for each fire 🧯, and a naïve hope that 日本 stamps are "
    "still valid. Water the plant, not the printer! Börje ✉️\n",
)
RULE = "\n⁂ ⁂ ⁂\n"


def tale() -> dict[str, Any]:
    """One author types, slips, goes back, and at the end renames the hero everywhere at once."""
    random, text, txns = Random(7), TALE_START, []

    def edit(*patches: Patch) -> None:
        nonlocal text
        for position, deleted, inserted in patches:
            text = text[:position] + inserted + text[position + deleted :]
        txns.append({"patches": [list(patch) for patch in patches]})

    for char in TALE:
        if random.random() < 0.05:
            edit((len(text), 0, random.choice("qzß😀")))
            edit((len(text) - 1, 1, ""))
        edit((len(text), 0, char))
        if char == " " and random.random() < 0.08:
            edit((random.randrange(len(text)), 0, random.choice(["(!) ", "really ", "🎈", "é"])))
        if char == "." and random.random() < 0.7:
            position = random.randrange(len(text) - 4)
            edit((position, 3, random.choice(["", "…", "no: yes"])))
    places = [i for i in range(len(text)) if text.startswith("Åsa", i)]
    edit(*((place, 3, "Ása 🐦") for place in reversed(places)))
    return {"startContent": TALE_START, "endContent": text, "txns": txns}


def letters() -> dict[str, Any]:
    """Two agents, each in an own half of the page, see each other's key presses late."""
    random = Random(11)
    trace = Trace("letters", agent_count=2, ascii_only=False)
    pages = [_Page(agent, trace) for agent in (0, 1)]
    pages[0].other, pages[1].other = pages[1], pages[0]
    pages[0].type((0, 0, "Ana:\n" + RULE + "Börje:\n"))
    pages[1].read(1)
    hands = [_hand(random, pages[agent], LETTERS[agent]) for agent in (0, 1)]
    while any(not page.finished for page in pages):
        me = random.randrange(2)
        for _ in range(random.randrange(1, 12)):
            if patch := next(hands[me], None):
                pages[me].type(patch)
            else:
                pages[me].finished = True
        pages[me].read(random.randrange(8))
    for page in pages:
        page.read(len(trace))
    pages[0].type((0, 3, "Ana 🌻"))
    ends = {expected_end(trace, ids) for ids in ((1, 2), (2, 1))}  # the same whatever ids the documents have
    assert len(ends) == 1
    return {"kind": "concurrent", "endContent": ends.pop(), "numAgents": 2, "txns": list(_transactions(trace))}


class _Page:
    """What one of the two sees, and what it has read of the other."""

    def __init__(self, agent: int, trace: Trace) -> None:
        self.agent, self.trace = agent, trace
        self.screen = Screen("text", ascii_only=False)
        self.updates: list[bytes] = []
        self.indexes: list[int] = []
        self.finished = False
        self.other: _Page | None = None
        self.seen = [0]  # how much of the other was read before each own edit
        self._read = 0

    def type(self, patch: Patch) -> None:
        typed = self.screen.type([patch])
        assert typed is not None
        parents = self.indexes[-1:]
        if self.other is not None and self._read > self.seen[-1]:
            new = self._read - 1
            knows_mine = self.other.seen[new + 1] == len(self.updates)
            parents = [self.other.indexes[new]] + ([] if knows_mine else parents)
        self.indexes.append(len(self.trace))
        self.updates.append(typed.update)
        self.seen.append(self._read)
        self.trace.append([patch], self.agent, sorted(parents))

    def read(self, count: int) -> None:
        assert self.other is not None
        for update in self.other.updates[self._read : self._read + count]:
            self.screen.merge(update)
            self._read += 1

    def half(self) -> tuple[int, int]:
        """Where this author's half of the page begins and ends."""
        text = str(self.screen)
        middle = text.index(RULE)
        return (len("Ana:\n"), middle) if self.agent == 0 else (middle + len(RULE) + len("Börje:\n"), len(text))


def _hand(random: Random, page: _Page, letter: str) -> Iterator[Patch]:
    for char in letter:
        first, last = page.half()
        if random.random() < 0.06 and last - first > 6:
            position = random.randrange(first, last - 3)
            yield position, 2, random.choice(["", "ö", "🙂"])
            first, last = page.half()
        yield last, 0, char


def _transactions(trace: Trace) -> Iterator[dict[str, Any]]:
    children = [0] * len(trace)
    for index in range(len(trace)):
        for parent in trace.parents(index):
            children[parent] += 1
    for index, agent in enumerate(trace.agents):
        yield {
            "parents": list(trace.parents(index)),
            "numChildren": children[index],
            "agent": agent,
            "patches": [list(patch) for patch in trace.patches(index)],
        }


TRACES: dict[str, Callable[[], dict[str, Any]]] = {"tale.json": tale, "letters.json.gz": letters}


def encoded(name: str) -> bytes:
    """The bytes of one trace file."""
    data = json.dumps(TRACES[name](), ensure_ascii=False, separators=(",", ":")).encode()
    return gzip.compress(data, mtime=0) if name.endswith(".gz") else data


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in TRACES:
        (FOLDER / name).write_bytes(encoded(name))
