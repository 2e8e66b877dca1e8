"""How far each client's structs can be taken, given what is known: the causal order that yjs' integration follows.

A struct can be taken when its own client's clocks are known up to it and every element it refers to is known
(yjs `encoding.js`, `integrateStructs`; `Item.js`, `getMissing`). What is refused here yjs keeps as pending.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

from collab.crdt.content import SKIP
from collab.crdt.decode import Id, Section, Struct


def references(struct: Struct) -> Iterator[Id]:
    """The ids that must be known before the struct."""
    if struct.origin is not None:
        yield struct.origin
    if struct.right is not None:
        yield struct.right
    if isinstance(struct.parent, tuple):
        yield struct.parent


class Settling:
    """Takes structs of all sections as far as they go; linear in structs, times the log of those that wait.

    `known` gives the next clock of clients, `elsewhere` that of clients it does not name. With `over_gaps` a SKIP
    counts as known, which leaves circular references as the only reason to stop.
    """

    def __init__(
        self, sections: Sequence[Section], known: Mapping[int, int], elsewhere: int = 0, over_gaps: bool = False
    ) -> None:
        self.sections = sections
        self.known = known
        self.elsewhere = elsewhere
        self.over_gaps = over_gaps
        self.progress = {section.client: known.get(section.client, elsewhere) for section in sections}
        self.taken = [0] * len(sections)
        """How many structs of each section can be taken."""
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        ready = list(range(len(sections)))
        while ready:
            ready += self._advance(ready.pop())

    def next_clock(self, client: int) -> int:
        """The next clock of a client once everything taken is applied."""
        clock = self.progress.get(client)
        return self.known.get(client, self.elsewhere) if clock is None else clock

    def _advance(self, number: int) -> list[int]:
        """Takes what one section allows; returns the sections that waited for it."""
        client, structs = self.sections[number].client, self.sections[number].structs
        at, clock = self.taken[number], self.progress[client]
        while at < len(structs):
            struct = structs[at]
            if struct.info == SKIP:
                clock = struct.end if self.over_gaps else clock
            elif struct.clock > clock or self._blocked(struct, client, number):
                break
            else:
                clock = max(clock, struct.end)
            at += 1
        self.taken[number] = at
        self.progress[client] = clock
        return self._wake(client, clock)

    def _blocked(self, struct: Struct, own: int, number: int) -> bool:
        """Whether the struct refers to what is not known; if so its section waits for the first such id."""
        for client, clock in references(struct):
            if client != own and clock >= self.next_clock(client):
                heappush(self._waiting.setdefault(client, []), (clock, number))
                return True
        return False

    def _wake(self, client: int, clock: int) -> list[int]:
        waiting = self._waiting.get(client, [])
        woken = []
        while waiting and waiting[0][0] < clock:
            woken.append(heappop(waiting)[1])
        return woken
