"""What the build hook builds, and that it never stands in the way of an install."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def hook() -> Any:
    """The module of the hook; hatchling is there at build time only, so its one class is stood in for."""
    stand_in: Any = type(sys)("hatchling.builders.hooks.plugin.interface")
    stand_in.BuildHookInterface = object
    names = ["hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"]
    spec = importlib.util.spec_from_file_location("build_pages", ROOT / "clients" / "build_pages.py")
    assert spec is not None and spec.loader is not None
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(sys.modules, name, type(sys)(name))
        patch.setitem(sys.modules, stand_in.__name__, stand_in)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with something to build."""
    (tmp_path / "clients" / "web" / "src").mkdir(parents=True)
    (tmp_path / "clients" / "package-lock.json").write_text('{"packages": {}}')
    (tmp_path / "clients" / "web" / "index.html").write_text("<p>")
    return tmp_path


def test_unchanged_sources_are_not_built_again(hook: Any, root: Path) -> None:
    pages = hook.Pages(root)
    assert pages.wanted()
    pages.static.mkdir(parents=True)
    (pages.static / "sources.sha256").write_text(pages.digest())
    assert not pages.wanted()
    (root / "clients" / "web" / "src" / "main.ts").write_text("1")
    assert pages.wanted()


def test_an_sdist_without_sources_builds_nothing(hook: Any, tmp_path: Path) -> None:
    assert not hook.Pages(tmp_path).wanted()


def test_an_sdist_that_brings_built_pages_builds_nothing(hook: Any, root: Path) -> None:
    (root / "PKG-INFO").touch()
    pages = hook.Pages(root)
    assert pages.wanted()
    pages.static.mkdir(parents=True)
    (pages.static / "index.html").touch()
    assert not pages.wanted()


def test_it_can_be_switched_off(hook: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hook.SWITCH, "0")
    assert not hook.Pages(root).wanted()


def test_a_failing_build_leaves_the_reason_and_no_half_build(hook: Any, root: Path) -> None:
    class Said:
        warnings: tuple[str, ...] = ()

        def display_warning(self, text: str) -> None:
            self.warnings += (text,)

    made = hook.PagesHook()
    made.root, made.app = str(root), Said()
    made.initialize("editable", {})  # there is no package.json, so npm refuses
    static = root / "collab" / "web" / "static"
    assert [path.name for path in static.iterdir()] == ["why-not.txt"]
    assert "npm" in (static / "why-not.txt").read_text() and made.app.warnings


def test_a_machine_without_node_builds_with_the_wheels(hook: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = root / "bin"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(programs))
    (root / "clients" / "package.json").write_text('{"workspaces": ["web"]}')
    build = "require('fs').cpSync('index.html', '../../collab/web/static/index.html')"
    script = json.dumps({"name": "web", "scripts": {"build": f'node -e "{build}"'}})
    (root / "clients" / "web" / "package.json").write_text(script)
    (root / "clients" / "node_modules").mkdir()
    (root / "clients" / "node_modules" / ".package-lock.json").write_text('{"packages": {}}')
    pages = hook.Pages(root)
    pages.build()
    assert (pages.static / "index.html").read_text() == "<p>" and not pages.wanted()


def test_npm_is_asked_only_for_what_is_missing(hook: Any, root: Path) -> None:
    pages = hook.Pages(root)
    lock = (
        '{"packages": {"": {}, "node_modules/a": {"version": "1"}, "node_modules/dev": {"version": "1", "dev": true}}}'
    )
    (root / "clients" / "package-lock.json").write_text(lock)
    (root / "clients" / "node_modules").mkdir()
    there = root / "clients" / "node_modules" / ".package-lock.json"
    assert not pages._installed()
    there.write_text('{"packages": {"node_modules/a": {"version": "1"}}}')
    assert pages._installed()
    there.write_text('{"packages": {"node_modules/a": {"version": "2"}}}')
    assert not pages._installed()
