"""What the figures were taken on: processor, kernel, disk and versions; no names of hosts, users or folders."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from loadtests.fanout.cache import cache_folder
from loadtests.fanout.compiler import compilers
from loadtests.fanout.peers import node

FSYNCS = 100
BLOCK_BYTES = 4096


def describe() -> dict[str, str]:
    """Facts about this machine, by name, ready for the report."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "disk": f"{filesystem(cache_folder())}, fdatasync of 4 KiB {fsync_ms(cache_folder()):.2f} ms",
        "Python": platform.python_version(),
        "Node.js": _version([str(node()), "--version"]).lstrip("v"),
        "priority": f"nice {os.nice(0)}, servers and generator",
        "compiler": _version([*(compilers() or [["none"]])[0], "--version"]),
    }


def processor() -> str:
    """The model name that the kernel gives."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def filesystem(folder: Path) -> str:
    """The type of the file system that holds a folder, such as ext4."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    place = folder.resolve()
    holding = [(len(point), kind) for point, kind in mounts if place.is_relative_to(point)]
    return max(holding)[1] if holding else "unknown"


def fsync_ms(folder: Path) -> float:
    """Median time to make 4 KiB durable there; near 0 means a disk that does not wait for its medium."""
    took_s: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            file.write(bytes(BLOCK_BYTES))
            file.flush()
            began_s = time.perf_counter()
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - began_s)
    return statistics.median(took_s) * 1000


def _version(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "unknown"
