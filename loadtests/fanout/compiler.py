"""Compiles the load generator on first use, with the machine's C compiler or one from PyPI."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from loadtests.fanout.cache import build_once

SOURCES = Path(__file__).parent / "generator"
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wno-sign-conversion"]

# A whole C compiler in one wheel: without gcc or clang the generator is still the same program, so figures compare.
ZIG = "ziglang==0.16.0"


class NoCompiler(Exception):
    """The load generator is written in C, and neither a C compiler nor uv to fetch one was found."""


def compilers() -> list[list[str]]:
    """Commands to try, best first."""
    found = [[path] for name in ("gcc", "cc", "clang") if (path := shutil.which(name))]
    uv = shutil.which("uv")
    if not found and uv:
        found.append(
            [uv, "run", "--no-project", "--with", ZIG, "--python", sys.executable, "python", "-m", "ziglang", "cc"]
        )
    return found


def generator(flags: list[str] | None = None) -> Path:
    """Path of the compiled generator, built again when a source or a flag has changed.

    Raises NoCompiler with what to install if nothing here can compile C.
    """
    wanted = flags or FLAGS
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(" ".join(wanted).encode())
    for source in sources:
        digest.update(source.read_bytes())
    folder = build_once(f"generator-{digest.hexdigest()[:16]}", lambda folder: _compile(folder, sources, wanted))
    return folder / "generator"


def _compile(folder: Path, sources: list[Path], flags: list[str]) -> None:
    command = next(iter(compilers()), None)
    if command is None:
        raise NoCompiler("no C compiler found; install one (Debian: apt-get install gcc libc6-dev) or put uv on PATH")
    units = [str(source) for source in sources if source.suffix == ".c"]
    done = subprocess.run([*command, *flags, *units, "-lm", "-o", folder / "generator"], capture_output=True, text=True)
    if done.returncode != 0:
        raise NoCompiler(f"{command[0]} could not compile the generator (are the C headers installed?)\n{done.stderr}")
