"""How fast a trace is played."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """In edits (transactions of the trace). A speed of 0 means as fast as the server takes them.

    An author types at most `per_turn` edits in one turn of the loop; `per_frame` of them may travel as one update, 1 is
    key by key as people type. `window` bounds what is sent and not yet durable. After `stall_s` without any movement a
    replay gives up.
    """

    edits_per_s: float = 0.0
    per_turn: int = 128
    per_frame: int = 1
    window: int = 8192
    poll_s: float = 0.5
    stall_s: float = 30.0


DEFAULT = Pace()
