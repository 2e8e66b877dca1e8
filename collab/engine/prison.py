"""Limits that a child puts on itself before it touches anybody's bytes."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
FILES_MAX = 32  # a worker needs five


def die_with(parent: int) -> None:
    """Has the kernel kill this process when `parent` ends; ends at once if it already has.

    Elsewhere than on Linux a child ends when it next reads from its socket, or when its call's CPU seconds are over.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def ignore_signals() -> None:
    """Ctrl-C and a service manager's SIGTERM reach the whole group; the server decides when its children end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def lock(memory_bytes_max: int, niceness: int) -> None:
    """Bounds memory and files, forbids core dumps and new privileges."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    os.nice(niceness)


def allow_cpu(seconds: float) -> None:
    """Lets the process use so much more CPU; then the kernel ends it, even if the server's own clock stands still."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def peak_memory_bytes() -> int:
    """The most that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
