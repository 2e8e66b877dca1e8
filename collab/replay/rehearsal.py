"""A trace played without a server: what it must end in."""

from __future__ import annotations

from collab.replay.schedule import Schedule
from collab.replay.screen import Screen
from collab.replay.trace import Trace


def expected_end(trace: Trace, root: str = "text") -> str:
    """The text after all transactions, with every author's document and everyone's updates merged as recorded."""
    schedule = Schedule(trace)
    screens = [Screen(root, trace.ascii_only) for _ in range(trace.agent_count)]
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
