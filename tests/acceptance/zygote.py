"""Starts server processes in milliseconds: imports once, then forks a fresh child per start.

`python -m tests.acceptance.zygote` reads one JSON list of `collab` arguments per line and answers the child's process
id; a line with a process id waits for that child's end. The child runs what `python -m collab` runs.
"""

from __future__ import annotations

import gc
import json
import os
import sys

import collab.cli
import collab.serve  # what `collab serve` imports when it runs


def child(arguments: list[str]) -> None:
    """Becomes a server; what it prints goes where the zygote's standard error goes."""
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.argv = ["collab", *arguments]
    collab.cli.main()


def main() -> None:
    """Serves requests until its standard input ends."""
    gc.freeze()  # so that a child's collector need not look at what was imported
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            os.waitpid(request, 0)
            answer = 0
        else:
            answer = os.fork()
            if answer == 0:
                child(request)
                return
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
