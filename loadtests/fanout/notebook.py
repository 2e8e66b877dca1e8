"""What was measured so far, figure by figure, so that a run may be taken in several sittings.

A line of JSON for each piece: one server, one question, one round. Pieces of a server that has changed since
(`build` differs) are measured again; until one of a figure has been, the old ones are told, and marked.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MINUTE = "%Y-%m-%d %H:%M UTC"


def digest(folders: list[Path]) -> str:
    """Twelve hexadecimal characters over the names and contents of all files, in order; caches do not count."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


@dataclass
class Notebook:
    """Pieces by (title, server, round). Without a path nothing outlives the process."""

    builds: Mapping[str, str] = field(default_factory=dict)  # server to what its pieces must have been taken with
    path: Path | None = None
    pieces: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)
    sittings: list[dict[str, Any]] = field(default_factory=list)
    old: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)  # of servers that have changed since

    @classmethod
    def opened(cls, path: Path, builds: Mapping[str, str], resume: bool) -> Notebook:
        """The notebook in that file; a new one unless `resume`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        book = cls(builds, path)
        if not resume:
            path.unlink(missing_ok=True)
        elif path.exists():
            for line in path.read_text().splitlines():
                book._take(json.loads(line))
        return book

    def find(self, title: str, server: str, round: int) -> dict[str, Any] | None:
        """The piece, as it was noted."""
        return self.pieces.get((title, server, round))

    def find_old(self, title: str, server: str, round: int) -> dict[str, Any] | None:
        """A piece of what the server was before, if of this figure there is nothing newer."""
        return self.old.get((title, server, round)) if (title, server) in self.outdated() else None

    def outdated(self) -> set[tuple[str, str]]:
        """(title, server) of figures that there are only of what the server was before."""
        return {key[:2] for key in self.old} - {key[:2] for key in self.pieces}

    def note(self, title: str, server: str, round: int, *, result: Any = None, failure: str = "") -> None:
        """Keeps a piece: what `result` was found (anything that JSON holds), or why there is none."""
        at, build = datetime.now(UTC).strftime(MINUTE), self.builds.get(server, "")
        self._write(
            {"title": title, "server": server, "round": round, "result": result, "failure": failure}
            | {"at": at, "build": build}
        )

    def taken(self) -> dict[str, dict[str, list[int]]]:
        """In which sittings (1, 2, 3…) each figure of each server was taken: title, then server."""
        starts = sorted(sitting["started"] for sitting in self.sittings)
        found: dict[str, dict[str, list[int]]] = {}
        told = {**{key: piece for key, piece in self.old.items() if key[:2] in self.outdated()}, **self.pieces}
        for (title, server, _), piece in told.items():
            numbers = found.setdefault(title, {}).setdefault(server, [])
            number = max(1, bisect_right(starts, piece["at"]))
            if number not in numbers:
                numbers.append(number)
        return found

    def sat(self, sitting: dict[str, Any]) -> None:
        """Keeps what is said of one sitting: when, how long, with which command, on which machine."""
        self._write({"sitting": sitting})

    def _write(self, line: dict[str, Any]) -> None:
        self._take(line)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _take(self, line: dict[str, Any]) -> None:
        if "sitting" in line:
            self.sittings.append(line["sitting"])
        elif line["build"] == self.builds.get(line["server"], ""):
            self.pieces[line["title"], line["server"], line["round"]] = line
        else:
            self._take_old(line)

    def _take_old(self, line: dict[str, Any]) -> None:
        """Of a figure those of one build are kept, the last one's: no median is made of two."""
        figure, build = (line["title"], line["server"]), line["build"]
        self.old = {key: old for key, old in self.old.items() if key[:2] != figure or old["build"] == build}
        self.old[*figure, line["round"]] = line
