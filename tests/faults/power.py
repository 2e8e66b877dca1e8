"""Power cuts: `python -m tests.faults.power --rounds 300 --seed 1` (root, Linux, loop devices).

The data folder lies on an ext4 image that is shut down by ioctl at a random moment: whatever was not synced is gone, as
when the plug is pulled. Only confirmations read before the cut count. `--sync normal` is the control: with SQLite's
`synchronous=NORMAL` words must get lost, or the cut would prove nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx2

from tests.acceptance.kills import Tally, cast, check, make_documents
from tests.acceptance.victim import Victim
from tests.acceptance.writers import Writer
from tests.faults.lives import live
from tests.patience import PATIENCE_S

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH (linux/fs/ext4/ext4.h)
LIFE_S = (0.1, 0.5)
CUTS_PER_CAST = 10
IMAGE_BYTES = 96 * 1024 * 1024
SBIN = ":/usr/sbin:/sbin"  # not on every root's PATH
MAKE = shutil.which("mkfs.ext4", path=os.environ.get("PATH", os.defpath) + SBIN)


def missing() -> str | None:
    """Why power cannot be cut here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "cutting the power of a file system needs Linux and root"
    if not Path("/dev/loop-control").exists() or MAKE is None:
        return "cutting the power of a file system needs loop devices and mkfs.ext4"
    return None


class Medium:
    """An ext4 file system in a file; `cut` is pulling the plug, `mount` is switching on again."""

    def __init__(self, folder: Path) -> None:
        self._image, self.path = folder / "image", folder / "mounted"
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(IMAGE_BYTES)
        assert MAKE is not None, missing()
        _run(MAKE, "-q", "-F", str(self._image))

    def mount(self) -> None:
        """Replays the file system's journal, as after a crash."""
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def cut(self) -> None:
        """From here on nothing reaches the image."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Lets go of it."""
        _run("umount", str(self.path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def medium() -> Iterator[Medium]:
    """A mounted medium, cleaned away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="collab-power-"))
    made = Medium(folder)
    made.mount()
    try:
        yield made
    finally:
        subprocess.run(["umount", str(made.path)], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


async def campaign(disk: Medium, rounds: int, seed: int, sync: str, until_s: float = 1e9) -> tuple[Tally, list[str]]:
    """Cuts the power that often; returns the tally and what was lost."""
    random, tally, lost = Random(seed), Tally(), list[str]()
    began = time.monotonic()
    with Victim(disk.path, env={"COLLAB_SQLITE_SYNC": sync}) as victim:
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as http:
            while tally.kills < rounds and time.monotonic() - began < until_s:
                writers = cast(victim.url, f"{seed}.{tally.kills}")
                await make_documents(victim, writers, http)
                for _ in range(min(CUTS_PER_CAST, rounds - tally.kills)):

                    def pull(writers: list[Writer] = writers) -> None:
                        for writer in writers:  # what is read after the cut may have been sent after it
                            writer.sworn = writer.confirmed
                        disk.cut()
                        victim.kill()

                    await live(writers, random.uniform(*LIFE_S), pull, random, http)
                    disk.unmount()
                    disk.mount()
                    tally.kills += 1
                    found = await after(victim, writers, http)
                    lost += found
                    if found:
                        break  # these writers would complain again after every cut
                tally.typed += sum(writer.typed for writer in writers)
                tally.confirmed += sum(writer.confirmed for writer in writers)
                tally.seconds = time.monotonic() - began
                sys.stdout.write(f"synchronous={sync}: {tally} (a kill is a power cut); {len(lost)} losses\n")
                sys.stdout.flush()
    return tally, lost


async def after(victim: Victim, writers: list[Writer], http: httpx2.AsyncClient) -> list[str]:
    """What the restarted server lacks: words, or whole documents."""
    try:
        return await check(victim, writers, http)
    except httpx2.HTTPStatusError as error:
        return [str(error)]


def main() -> int:
    """The command; the control fails if nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="power cuts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=("full", "normal"), default="full")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    options = parser.parse_args()
    if reason := missing():
        sys.stdout.write(f"SKIPPED: {reason}\n")
        return 2
    with medium() as disk:
        _, lost = asyncio.run(campaign(disk, options.rounds, options.seed, options.sync, options.minutes * 60.0))
    sys.stdout.write("".join(f"LOST {line}\n" for line in lost[:20]))
    return int(bool(lost) != (options.sync == "normal"))


if __name__ == "__main__":
    sys.exit(main())
