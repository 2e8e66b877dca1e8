"""Whatever README and docs/ tell one to type exists: commands of `collab` with their flags, modules, variables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from collab.main import LAZY, load
from collab.settings import Settings
from tests.operate.dockerfile import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = re.compile(rf"\bcollab (?:{'|'.join(LAZY)})\b[^`\n#|>]*")
MODULE = re.compile(r"python -m ((?:tests|loadtests)(?:\.\w+)+)")
ELSEWHERE = {"url", "key", "admin_key", "backups", "build_pages", "all_looks"}
"""Variables of commands, of the build and of tests, not of the service."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_that_are_told_exist(page: Path) -> None:
    told = TYPED.findall(page.read_text().replace("\\\n", " "))
    assert [line for line in told if unknown(line)] == []


def unknown(line: str) -> str | None:
    """The first word of a command line that `collab` does not know, or None."""
    _, name, *words = shlex.split(line.replace("'", "").replace('"', ""))
    command = load(name)
    for word in words:
        if hasattr(command, "commands"):
            if word.startswith(("-", "…", "(")) or not word.isalpha():
                return None  # a group that is spoken of
            if word not in command.commands:
                return word
            command = command.commands[word]
        elif word.startswith("--"):
            flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
            if word.split("=")[0].rstrip(".,;:)") not in flags | {"--help"}:
                return word
    return None


def test_a_wrong_command_would_be_noticed() -> None:
    assert unknown("collab backup make --to x") == "make"
    assert unknown("collab backup create --into x") == "--into"
    assert unknown("collab docs restore minutes --at 2026-11-20T10:00Z --as minutes-before") is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_told_to_be_run_exist(page: Path) -> None:
    for module in MODULE.findall(page.read_text()):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_that_are_told_exist(page: Path) -> None:
    named = {name.lower() for name in re.findall(r"\bCOLLAB_([A-Z][A-Z_0-9]*[A-Z0-9])\b", page.read_text())}
    assert named - set(Settings.model_fields) - ELSEWHERE == set()
