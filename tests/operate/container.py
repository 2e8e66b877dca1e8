"""A root folder run as Compose runs the image: its user, no capabilities, read-only, its own volume and network."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.operate.dockerfile import Stage
from tests.server import wait_until

HEALTHY_S = 60.0  # HEALTHCHECK's start period and three failures after it
STOP_S = 15.0  # stop_grace_period in compose.yaml
TEXT = "kept in the volume"
MOUNTS = """
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount --bind "$2" "$1/data" &&
mount -t tmpfs tmpfs "$1/tmp" && mount -t tmpfs tmpfs "$1/dev/shm" && mount -t proc proc "$1/proc" &&
ip link set lo up && root=$1 && shift 2 && exec chroot "$root" "$@"
"""
ASK = f"""
import sys, urllib.request
def ask(method, path, body=None, kind="application/json"):
    headers = {{"Authorization": "Bearer " + sys.argv[2], "Content-Type": kind}}
    call = urllib.request.Request("http://127.0.0.1:8000" + path, body, headers, method=method)
    return urllib.request.urlopen(call, timeout=20).read().decode()
if sys.argv[1] == "write":
    ask("POST", "/api/documents", b'{{"id": "d"}}')
    ask("PUT", "/api/documents/d/content?root=text&type=text", {TEXT!r}.encode(), "text/plain")
assert ask("GET", "/api/documents/d/content?root=text&format=text") == {TEXT!r}
assert "<script" in ask("GET", "/"), "the pages were not built"
"""
LOCKED = """
import os
assert os.getuid() == int(os.environ["WHO"]) and "CapEff:\\t0000000000000000" in open("/proc/self/status").read()
for path in ("/", "/opt/collab", "/usr/bin", "/etc"):
    try:
        open(path + "/written", "w")
    except OSError:
        continue
    raise AssertionError(path + " can be written to")
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went, in seconds."""

    healthy_s: float
    ended_s: float


class Container:
    """`root` is what `stage`, the last of the Dockerfile, was built into; `volume` becomes /data."""

    def __init__(self, root: Path, stage: Stage, volume: Path) -> None:
        self._root, self._volume = root, volume
        (user,), (check,) = stage.all("USER"), stage.all("HEALTHCHECK")
        self._user = user.rest
        self._check = check.command
        self._entry = [word for name in ("ENTRYPOINT", "CMD") for word in stage.all(name)[0].command]
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "WHO": self._user}
        for one in stage.all("ENV"):
            path = self._environment["PATH"]
            self._environment |= {name: value.replace("$PATH", path) for name, value in one.pairs.items()}
        subprocess.run(["cp", "-a", root / "data", volume], check=True)

    def live(self) -> Outcome:
        """A key, a first life, SIGTERM, a second life. Raises AssertionError."""
        made = self._run(self._command([self._entry[0], "keys", "create", "backend"]))
        key = next(word for word in made.stdout.split() if word.startswith("ck_"))
        began = time.monotonic()
        with self._served() as pid:
            healthy_s = time.monotonic() - began
            self._inside(pid, ["python", "-c", LOCKED])
            self._inside(pid, ["python", "-c", ASK, "write", key])
            ended = time.monotonic()
        ended_s = time.monotonic() - ended
        with self._served() as pid:
            self._inside(pid, ["python", "-c", ASK, "read", key])
        return Outcome(healthy_s, ended_s)

    @contextmanager
    def _served(self) -> Iterator[int]:
        """Its process id, once healthy; at the end it must end well by itself when it is told to."""
        process = subprocess.Popen(self._command(self._entry), env=self._environment)
        try:
            wait_until(lambda: self._first(process) and self._healthy(self._first(process)), HEALTHY_S, "its health")
            pid = self._first(process)
            yield pid
            os.kill(pid, signal.SIGTERM)
            assert process.wait(STOP_S) == 0, "it did not end well"
        finally:
            for pid in self._children(process):  # the first inside: all others end with it
                os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()

    def _first(self, process: subprocess.Popen[bytes]) -> int:
        """The first process inside, or 0."""
        assert process.poll() is None, "it ended by itself"
        return next(iter(self._children(process)), 0)

    def _children(self, process: subprocess.Popen[bytes]) -> list[int]:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def _healthy(self, pid: int) -> bool:
        return self._inside(pid, self._check, check=False).returncode == 0

    def _command(self, words: Sequence[str]) -> list[str]:
        spaces = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork"]
        return [*spaces, "sh", "-c", MOUNTS, "sh", str(self._root), str(self._volume), *self._dropped, *words]

    @property
    def _dropped(self) -> list[str]:
        entry = next(line for line in (self._root / "etc/passwd").read_text().splitlines() if f":{self._user}:" in line)
        group = entry.split(":")[3]
        ids = ["--reuid", self._user, "--regid", group, "--clear-groups"]
        return ["setpriv", *ids, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]

    def _inside(self, pid: int, words: Sequence[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._run(["nsenter", "--target", str(pid), "--all", "--root", "--wd", *self._dropped, *words], check)

    def _run(self, command: Sequence[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stdout
        return done
