"""Random concurrent traces whose end is the same for every CRDT: each agent writes only in its own lane."""

from __future__ import annotations

from random import Random

from collab.replay.rehearsal import expected_end
from collab.replay.screen import Screen
from collab.replay.trace import Patch, Trace


def lanes_trace(seed: int, agent_count: int, edits: int) -> tuple[Trace, list[str]]:
    """A trace, and what its author saw before each transaction."""
    random = Random(seed)
    trace = Trace(f"lanes-{seed}", agent_count=agent_count, ascii_only=False)
    screens = [Screen("text", ascii_only=False) for _ in range(agent_count)]
    updates: list[bytes] = []
    seen = [set[int]() for _ in screens]  # transactions on each screen
    before: list[str] = []

    def read(agent: int, transactions: set[int]) -> None:
        for index in sorted(transactions - seen[agent]):
            screens[agent].merge(updates[index])
        seen[agent] |= transactions

    def write(agent: int, patch: Patch) -> None:
        before.append(str(screens[agent]))
        parents = _newest(trace, seen[agent])
        typed = screens[agent].type([patch])
        updates.append(typed.update if typed else b"\0\0")
        trace.append([patch], agent, parents)
        seen[agent].add(len(updates) - 1)

    write(0, (0, 0, "".join(f"[{agent}é]" for agent in range(agent_count))))
    for agent in range(1, agent_count):
        read(agent, {0})
    for _ in range(edits):
        agent = random.randrange(agent_count)
        if random.random() < 0.3:
            read(agent, _history(trace, random.choice(range(len(updates)))))
        write(agent, _patch(random, agent, str(screens[agent])))
    trace.end = expected_end(trace, range(1, agent_count + 1))
    return trace, before


def _patch(random: Random, agent: int, text: str) -> Patch:
    start = text.index(f"[{agent}é") + 3
    end = text.index("]", start)
    if end > start and random.random() < 0.3:
        position = random.randrange(start, end)
        return position, 1, random.choice(["", "🐦"])
    return end, 0, random.choice("abcß🙂")


def _history(trace: Trace, index: int) -> set[int]:
    found, todo = set[int](), [index]
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo.extend(trace.parents(index))
    return found


def _newest(trace: Trace, seen: set[int]) -> list[int]:
    """Those that no other one follows."""
    followed = {parent for index in seen for parent in trace.parents(index)}
    return sorted(seen - followed)
