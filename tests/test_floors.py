"""Imports go down only, and each third-party library has its place (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "collab"

FLOORS: dict[str, int] = {
    "errors": 0, "limits": 0, "types": 0, "protocol": 0,
    "crdt": 1,
    "core": 2,
    "store.base": 3, "bus.base": 3, "auth.base": 3,
    "engine": 4, "hub": 4, "slot": 4, "journal": 4, "checkpoint": 4, "metrics": 4, "upkeep": 4, "pace": 4, "audit": 4,
    "hour": 4, "retention": 4, "quota": 4, "trace": 4, "inquiries": 4, "ghosts": 4,
    "accesslog": 4, "opening": 4, "inspection": 4, "reception": 4, "sweeping": 4, "neighbours": 4, "gaps": 4,
    "turns": 4, "rebasing": 4, "claims": 4, "roster": 4, "guarded": 4, "lasting": 4,
    "store": 5, "bus": 5, "auth": 5,
    "api": 6, "sockets": 6, "web": 6,
}  # fmt: skip
ROOF = 7  # cli, settings, services, replay and whatever else builds or drives the whole

PLACES: dict[str, tuple[str, ...]] = {
    "pycrdt": ("engine", "replay"),  # replay runs in the client's process, never in a server's
    "sqlmodel": ("store",),
    "sqlalchemy": ("store", "cli"),
    "redis": ("bus.redis", "bus.lane"),
    "fastapi": ("api", "services"),
    "starlette": ("api", "sockets", "web"),
    "picows": ("sockets", "replay"),
    "pydantic_settings": ("settings",),
}
# Where the engine's worker, or the edge, needs a word of a higher floor there is no exception: move the word down.


def floor(module: str) -> int:
    """The floor of a module given without the package name: the longest prefix that has one."""
    parts = module.split(".")
    for size in range(len(parts), 0, -1):
        found = FLOORS.get(".".join(parts[:size]))
        if found is not None:
            return found
    return ROOF


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


SOURCES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_down_only(path: Path) -> None:
    mine = floor(module_name(path))
    above = [
        name for name in imports(path) if name.startswith("collab.") and floor(name.removeprefix("collab.")) > mine
    ]
    assert above == []


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_third_party_libraries_stay_in_their_places(path: Path) -> None:
    mine = module_name(path)
    strays = [
        name
        for name in imports(path)
        for place in [PLACES.get(name.split(".")[0])]
        if place is not None and not any(mine == p or mine.startswith(p + ".") for p in place)
    ]
    assert strays == []


PURE = [path for path in SOURCES if module_name(path).split(".")[0] in ("core", "crdt")]


@pytest.mark.parametrize("path", PURE, ids=module_name)
def test_the_core_knows_no_clock_no_loop_and_no_log(path: Path) -> None:
    forbidden = {"asyncio", "time", "datetime", "logging", "structlog", "random", "threading"}
    assert forbidden.isdisjoint(name.split(".")[0] for name in imports(path))
    assert not [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Await | ast.AsyncFunctionDef)]


def test_no_file_is_longer_than_400_lines() -> None:
    clients = ROOT.parent / "clients"
    scripts = [path for folder in ("js/src", "web/src") for path in (clients / folder).rglob("*.*s*")]
    assert len(scripts) > 20
    assert [str(p) for p in (*SOURCES, *scripts) if len(p.read_text().splitlines()) > 400] == []
