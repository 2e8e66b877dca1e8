"""The parent's side of a crowd: starts the process, asks it things, ends it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import Any

from loadtests.fanout.server import pin_here

REPOSITORY = Path(__file__).parents[2]
ANSWER_S_MAX = 180.0


class CrowdFailed(Exception):
    """A crowd's process ended, hangs, or could not do what it was asked; the message is what it said."""


class Crowd:
    """One process of Locust users. `core` pins it; `niceness` lets the probe go before the load."""

    def __init__(self, core: int, niceness: int = 0) -> None:
        def settle_in() -> None:
            pin_here(core)
            os.nice(niceness)

        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.contrast.crowd"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=settle_in,
        )
        self._buffer = b""

    def tell(self, do: str, **details: Any) -> None:
        """Asks without waiting; `hear` gets the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, "with": details}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise CrowdFailed(f"{do}: the process has ended") from error

    def hear(self, within_s: float = ANSWER_S_MAX) -> dict[str, Any]:
        """The answer to the oldest question. Raises CrowdFailed."""
        answer: dict[str, Any] = json.loads(self._line(within_s))
        if "error" in answer:
            raise CrowdFailed(str(answer["error"]))
        return answer

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """Asks and waits. Raises CrowdFailed."""
        self.tell(do, **details)
        return self.hear()

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # bytes that the process never read

    def _line(self, within_s: float) -> bytes:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(within_s):
                    raise CrowdFailed(f"no answer in {within_s:.0f} s")
                data = os.read(output, 1 << 20)
                if not data:
                    raise CrowdFailed("the process has ended")
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
