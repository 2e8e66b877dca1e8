"""Where the benchmark keeps what it builds and installs: outside the repository, reused by the next run."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """`$COLLAB_BENCH_CACHE`, else `collab-fanout` in the user's cache folder; made if missing.

    Servers under test store their data here too, so it must lie on a real disk: a RAM disk would make
    every fsync free and the durable server look faster than it is.
    """
    chosen = os.environ.get("COLLAB_BENCH_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(chosen) if chosen else base / "collab-fanout"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """Returns the cached folder `name`, built by `build(folder)` if it is not there; half-built ones never stay.

    Safe among processes: the first one builds, the others wait for it.
    """
    folder = cache_folder() / name
    with open(cache_folder() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            _build(folder, build)
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        build(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / ".complete").touch()
