"""The Dockerfile, read: its instructions and its stages, so that what is tried is what is written there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Instruction:
    """A word and what follows it, continued lines joined."""

    word: str
    rest: str

    @property
    def command(self) -> list[str]:
        """Of the JSON form of CMD, ENTRYPOINT and HEALTHCHECK. Raises ValueError if there is none."""
        return [str(word) for word in json.loads(self.rest[self.rest.index("[") :])]

    @property
    def pairs(self) -> dict[str, str]:
        """Of ENV and ARG: name=value, unquoted."""
        return dict(word.split("=", 1) for word in shlex.split(self.rest))


@dataclass(slots=True)
class Stage:
    """What it begins with, its name ("" if it has none), and its instructions after FROM."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[Instruction]:
        """Its instructions with that word."""
        return [one for one in self.instructions if one.word == word]


def stages(path: Path = ROOT / "Dockerfile") -> list[Stage]:
    """In their order; the last is the image."""
    found: list[Stage] = []
    for one in _instructions(path.read_text()):
        if one.word == "FROM":
            base, _, name = one.rest.partition(" AS ")
            found.append(Stage(base, name))
        else:
            found[-1].instructions.append(one)
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line and not line.startswith("#"):
            word, rest = line.split(" ", 1)
            yield Instruction(word, rest)
