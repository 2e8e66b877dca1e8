"""Libraries that make fsync fail, or set the wall clock, in another process; compiled when they are needed."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

NEVER = 2**62


def missing() -> str | None:
    """Why there can be none here, or None."""
    if sys.platform != "linux":
        return "a shim needs LD_PRELOAD"
    return None if _compiler() else "a shim needs a C compiler"


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def preload(folder: Path, name: str, numbers: tuple[int, ...]) -> tuple[dict[str, str], mmap.mmap]:
    """The environment of a process under the shim `name`, and the numbers of 8 bytes that it shares with us."""
    library, control = folder / f"{name}_shim.so", folder / f"{name}_control"
    compiler = _compiler()
    assert compiler is not None
    source = Path(__file__).with_name(f"{name}_shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    control.write_bytes(struct.pack(f"{len(numbers)}q", *numbers))
    with control.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8 * len(numbers))
    return {"LD_PRELOAD": str(library), f"COLLAB_{name.upper()}_CONTROL": str(control)}, shared


class Wall:
    """The wall clock of the process that runs under it."""

    def __init__(self, folder: Path) -> None:
        self.env, self._map = preload(folder, "clock", (0,))
        self.offset_s = 0

    def set(self, offset_s: int) -> None:
        """It is so many seconds off from now on."""
        self.offset_s = offset_s
        struct.pack_into("q", self._map, 0, offset_s)

    def now(self) -> float:
        """What it shows: Unix seconds."""
        return time.time() + self.offset_s


class Shim:
    """Numbers shared with the process that runs under it: calls so far, which are to fail, and at which it dies."""

    def __init__(self, folder: Path) -> None:
        self.env, self._map = preload(folder, "fsync", (0, NEVER, NEVER, 0))

    @property
    def calls(self) -> int:
        """How many there were."""
        return int(struct.unpack_from("q", self._map, 0)[0])

    def fail(self, after: int) -> None:
        """From the `after`-th call from now on all fail, until `heal`."""
        struct.pack_into("q", self._map, 16, NEVER)
        struct.pack_into("q", self._map, 8, self.calls + after)

    def heal(self) -> None:
        """They work again."""
        struct.pack_into("2q", self._map, 8, NEVER, NEVER)

    def die(self, after: int | None) -> None:
        """At the `after`-th call from now on the process is killed, before anything is synced; None: never."""
        struct.pack_into("q", self._map, 24, 0 if after is None else self.calls + after)
