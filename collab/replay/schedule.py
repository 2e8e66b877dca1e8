"""Who had seen what when they typed: the order that a concurrent trace prescribes.

Each transaction names its parents; their history, counted per agent, is its *need*. While an agent types without
merging anything its need stays the same: such a stretch is an *epoch* of that agent. Pure: no documents, no sockets.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from collab.errors import BadRequest
from collab.replay.trace import Trace

AGENTS_MAX = 64  # each is a connection and two documents in this process
Need = tuple[int, ...]
"""How many transactions of each agent are merged; an agent's own place is 0, since its own are always there."""


class Schedule:
    """The transactions of each agent in its own order, with the epoch in which each is made."""

    def __init__(self, trace: Trace) -> None:
        if trace.agent_count > AGENTS_MAX:
            raise BadRequest(f"{trace.agent_count} agents; {AGENTS_MAX} at most")
        self.own: list[array[int]] = [array("L") for _ in range(trace.agent_count)]
        self.epochs: list[array[int]] = [array("L") for _ in range(trace.agent_count)]
        self.needs: list[list[Need]] = [[] for _ in range(trace.agent_count)]
        if trace.agent_count == 1:
            self._alone(trace)
        else:
            self._together(trace)

    def wanted(self, receiver: int, author: int, ordinal: int) -> int:
        """The receiver's epoch before which it merges the author's transaction `ordinal` (from 0).

        One past its last epoch means: only after all that it types itself.
        """
        return bisect_left(self.needs[receiver], ordinal + 1, key=lambda need: need[author])

    def _alone(self, trace: Trace) -> None:
        self.own[0] = array("L", range(len(trace)))
        self.epochs[0] = array("L", bytes(array("L").itemsize * len(trace)))
        self.needs[0] = [(0,)]

    def _together(self, trace: Trace) -> None:
        seen: list[Need] = []
        for index, agent in enumerate(trace.agents):
            before = _union(trace.agent_count, [seen[parent] for parent in _earlier(trace, index)])
            if before[agent] != len(self.own[agent]):
                raise BadRequest(f"agent {agent} is in two places at once at transaction {index}")
            seen.append((*before[:agent], before[agent] + 1, *before[agent + 1 :]))
            self._add(index, agent, (*before[:agent], 0, *before[agent + 1 :]))

    def _add(self, index: int, agent: int, need: Need) -> None:
        needs = self.needs[agent]
        if not needs or needs[-1] != need:
            needs.append(need)
        self.own[agent].append(index)
        self.epochs[agent].append(len(needs) - 1)


def _earlier(trace: Trace, index: int) -> Sequence[int]:
    parents = trace.parents(index)
    if any(not 0 <= parent < index for parent in parents):
        raise BadRequest(f"transaction {index} has a parent that does not come before it")
    return parents


def _union(agent_count: int, needs: Sequence[Need]) -> Need:
    if len(needs) == 1:
        return needs[0]
    return tuple(map(max, zip(*needs, strict=True))) if needs else (0,) * agent_count
