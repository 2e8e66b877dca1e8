"""The JavaScript client against the real server, by vitest; and the types of client and pages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.node_tools import node_executable
from tests.server import Server
from tests.web.conftest import CLIENTS

TIMEOUT_S = 120.0


def run(modules: Path, script: str, *arguments: str, **env: str) -> None:
    """A script of the packages with the wheel's Node."""
    command = [str(node_executable()), str(modules / script), *arguments]
    done = subprocess.run(
        command, cwd=CLIENTS, env={**os.environ, **env}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_client_keeps_its_promises_against_the_real_server(modules: Path, server: Server) -> None:
    run(modules, "vitest/vitest.mjs", "run", "--root", "js", "--no-color", COLLAB_URL=server.url)


@pytest.mark.parametrize("package", ["js", "web"])
def test_types_hold(modules: Path, package: str) -> None:
    run(modules, "typescript/bin/tsc", "--noEmit", "-p", package)


def test_the_package_is_built_and_runs_in_plain_node(modules: Path, server: Server, tmp_path: Path) -> None:
    """As npm packs it: without a bundler that would forgive what Node does not."""
    (tmp_path / "node_modules").symlink_to(modules)
    script = json.loads((CLIENTS / "js" / "package.json").read_text())["scripts"]["prepack"].split()
    given = {".": "js", "src": "js/src", "dist": str(tmp_path / "dist")}
    run(modules, "typescript/bin/tsc", *(given.get(word, word) for word in script[1:]))
    assert (tmp_path / "dist" / "index.d.ts").exists()
    (tmp_path / "package.json").write_text('{"type": "module"}')
    program = shutil.copy(CLIENTS / "js" / "test" / "built.mjs", tmp_path)
    done = subprocess.run(
        [str(node_executable()), program, str(tmp_path / "dist"), server.url],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout.strip() == "from plain Node", done.stderr
