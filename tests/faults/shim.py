"""A library that makes fsync fail on demand in another process, compiled when it is needed."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import sys
from pathlib import Path

NEVER = 2**62
SOURCE = Path(__file__).with_name("fsync_shim.c")


def missing() -> str | None:
    """Why fsync cannot be made to fail here, or None."""
    if sys.platform != "linux":
        return "failing fsync needs LD_PRELOAD"
    return None if _compiler() else "failing fsync needs a C compiler"


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class Shim:
    """Numbers shared with the process that runs under it: calls so far, which are to fail, and at which it dies."""

    def __init__(self, folder: Path) -> None:
        library, control = folder / "fsync_shim.so", folder / "fsync_control"
        compiler = _compiler()
        assert compiler is not None
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        control.write_bytes(struct.pack("4q", 0, NEVER, NEVER, 0))
        self.env = {"LD_PRELOAD": str(library), "COLLAB_FSYNC_CONTROL": str(control)}
        with control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 32)

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
