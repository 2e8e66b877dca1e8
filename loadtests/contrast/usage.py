"""Processor time and memory of a process tree, from /proc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def tree(root: int) -> Iterator[int]:
    """The process and all its descendants."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        for task in _listed(Path(f"/proc/{pid}/task"), "*/children"):
            waiting += map(int, _text(task).split())


def cpu_s(root: int) -> float:
    """Seconds on a processor of all threads of the tree that live, in nanosecond steps (schedstat)."""
    spent_ns = 0
    for pid in tree(root):
        for task in _listed(Path(f"/proc/{pid}/task"), "*/schedstat"):
            spent_ns += int(_text(task).split(" ", 1)[0] or 0)
    return spent_ns / 1e9


def memory_bytes(root: int) -> int:
    """Proportional set size of the tree: pages that its processes share count once."""
    found = 0
    for pid in tree(root):
        lines = _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
        found += next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return found


def _listed(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended since we listed it
