"""Raw figures in one JSON file, written after each run: a study can be cut off, resumed, and drawn again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Archive:
    """Rows by key (`section/shape/round`), and facts about the whole under names."""

    def __init__(self, path: Path, fresh: bool = True) -> None:
        self.path = path
        self.facts: dict[str, Any] = {}
        self.rows: dict[str, Row] = {}
        if not fresh and path.exists():
            told = json.loads(path.read_text())
            self.facts, self.rows = told["facts"], told["rows"]

    def has(self, key: str) -> bool:
        """Whether this was measured already, and held."""
        return key in self.rows and "void" not in self.rows[key]

    def put(self, key: str, row: Row) -> None:
        """Keeps a row and writes everything."""
        self.rows[key] = row
        self.save()

    def save(self) -> None:
        """Writes the file whole, or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps({"facts": self.facts, "rows": self.rows}, indent=1) + "\n")
        os.replace(beside, self.path)

    def section(self, name: str) -> Iterator[Row]:
        """The rows of a section that held, in the order in which they were taken."""
        for key, row in self.rows.items():
            if key.startswith(name + "/") and "void" not in row:
                yield row

    def rounds(self, name: str) -> list[list[Row]]:
        """The rows of a section, those of one shape together."""
        found: dict[str, list[Row]] = {}
        for row in self.section(name):
            found.setdefault(json.dumps(row["shape"]), []).append(row)
        return list(found.values())

    def voids(self) -> list[tuple[str, str]]:
        """(key, why) of runs that count for nothing."""
        return [(key, str(row["void"])) for key, row in self.rows.items() if "void" in row]
