"""What happens when the server is killed and comes back: how long until everybody is current, and what it costs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.contrast.host import Host
from loadtests.contrast.run import Run, Troupe
from loadtests.contrast.shape import Shape

TYPING_S = 1.5
CURRENT_S_MAX = 40.0


@dataclass(frozen=True)
class Storm:
    """Seconds from the kill until the server was ready, and from then until the last person was current.

    Current means: holds everything, also what each writer typed while the server was away. Counts are from the kill on;
    `requests` are those tried, `refused` those that met no server.
    """

    shape: dict[str, Any]
    down_s: float
    current_s: float
    requests: int
    opened: int
    refused: int
    bytes: int
    server_cpu_s: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def restart(shape: Shape, host: Host, troupe: Troupe) -> Storm:
    """Kills the server under its users, lets each writer type one edit offline, starts it again. Raises Void."""
    with Run(shape, host.origin, troupe, host.pid) as run:
        run.type()
        time.sleep(TYPING_S)
        run.check()
        before = run.mark()
        killed_s = time.monotonic()
        host.kill()
        troupe.each("press", each=1)
        host.start()
        ready_s = time.monotonic()
        current_s = run.check(CURRENT_S_MAX)
        run.follow(host.pid)
        after = run.mark()

    def grown(name: str) -> int:
        return int(sum(after[side][name] - before[side][name] for side in ("load", "probe")))

    return Storm(
        shape=shape.as_dict(),
        down_s=ready_s - killed_s,
        current_s=max(0.0, current_s - ready_s),
        requests=grown("polls") + grown("posts"),
        opened=grown("opened"),
        refused=grown("faults"),
        bytes=grown("up") + grown("down"),
        server_cpu_s=after["server_cpu_s"],
    )
