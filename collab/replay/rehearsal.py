"""A trace played without a server: what it must end in."""

from __future__ import annotations

from collections.abc import Sequence
from random import sample

from collab.replay.schedule import Schedule
from collab.replay.screen import Screen
from collab.replay.trace import Trace


def prepare(trace: Trace, limited: bool = False) -> None:
    """Chooses the authors' client ids; works out the end of a limited trace.

    Where two people typed at one place at once, the smaller id comes first, in yjs and in pycrdt. Who came first in
    the original (friendsforever has such a place) is told by the recorded end: so the ids rise or fall with the agents.
    """
    ids = sorted(sample(range(1, 2**32), trace.agent_count))
    trace.client_ids = ids
    if limited:
        trace.end = expected_end(trace, ids)
    elif trace.agent_count > 1 and expected_end(trace, ids) != trace.end:
        trace.client_ids = ids[::-1]


def expected_end(trace: Trace, client_ids: Sequence[int]) -> str:
    """The text after all transactions, with every author's document and everyone's updates merged as recorded."""
    schedule = Schedule(trace)
    screens = [Screen("text", trace.ascii_only, client_id) for client_id in client_ids]
    updates: list[list[bytes]] = [[] for _ in screens]
    merged = [[0] * len(screens) for _ in screens]
    if trace.start:
        screens[0].type([(0, 0, trace.start)])
    for index, agent in enumerate(trace.agents):
        need = schedule.needs[agent][schedule.epochs[agent][len(updates[agent])]]
        _merge(screens[agent], updates, merged[agent], need)
        typed = screens[agent].type(trace.patches(index))
        updates[agent].append(typed.update if typed and trace.agent_count > 1 else b"")
    for agent, screen in enumerate(screens):
        _merge(screen, updates, merged[agent], [0 if a == agent else len(own) for a, own in enumerate(updates)])
    return str(screens[0])


def _merge(screen: Screen, updates: list[list[bytes]], merged: list[int], need: tuple[int, ...] | list[int]) -> None:
    for author, count in enumerate(need):
        for update in updates[author][merged[author] : count]:
            if update:
                screen.merge(update)
        merged[author] = max(merged[author], count)
