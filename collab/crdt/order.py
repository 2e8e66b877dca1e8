"""How far each client's structs can be taken, given what is known: the causal order that yjs' integration follows.

A struct can be taken when its own client's clocks are known up to it and every element it refers to is known
(yjs `encoding.js`, `integrateStructs`; `Item.js`, `getMissing`). What is left is what yjs keeps as pending.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

from collab.crdt.block import Block
from collab.crdt.content import SKIP
from collab.crdt.decode import Id, Struct

Structs = Sequence[Struct] | Sequence[Block]


def references(struct: Struct | Block) -> Iterator[Id]:
    """The ids that must be known before the struct."""
    if struct.origin is not None:
        yield struct.origin
    if struct.right is not None:
        yield struct.right
    if isinstance(struct.parent, tuple):
        yield struct.parent


class Settling:
    """Takes structs of all clients as far as they go; linear in structs, times the log of those that wait.

    `known` gives the next clock of clients. With `alone` whatever the rows do not hold counts as known, gaps too;
    then circular references are the only reason to stop.
    """

    def __init__(self, rows: Mapping[int, Structs], known: Mapping[int, int], alone: bool = False) -> None:
        self.rows = rows
        self.known = known
        self.progress = {client: row[0].clock if alone else known.get(client, 0) for client, row in rows.items()}
        self._ends = {client: row[-1].end for client, row in rows.items()} if alone else None
        self.taken = dict.fromkeys(rows, 0)
        """How many structs of each client can be taken."""
        self._waiting: dict[int, list[tuple[int, int]]] = {}

    def run(self) -> Settling:
        """Takes everything; returns itself."""
        for _ in self.steps():
            pass
        return self

    def steps(self) -> Iterator[tuple[int, int, int]]:
        """Takes everything; yields (client, from, to) of its structs, each after all that it refers to."""
        ready = list(self.rows)
        while ready:
            client = ready.pop()
            before = self.taken[client]
            ready += self._advance(client)
            if self.taken[client] > before:
                yield client, before, self.taken[client]

    def next_clock(self, client: int) -> int:
        """The next clock of a client once everything taken is applied."""
        clock = self.progress.get(client)
        return self.known.get(client, 0) if clock is None else clock

    def _advance(self, client: int) -> list[int]:
        """Takes what one client's row allows; returns the clients that waited for it."""
        structs = self.rows[client]
        at, clock = self.taken[client], self.progress[client]
        while at < len(structs):
            struct = structs[at]
            if struct.info == SKIP and self._ends is None and struct.end > clock:
                break
            if struct.clock > clock or self._blocked(struct, client):
                break
            clock = max(clock, struct.end)
            at += 1
        self.taken[client] = at
        self.progress[client] = clock
        return self._wake(client, clock)

    def _blocked(self, struct: Struct | Block, own: int) -> bool:
        """Whether the struct refers to what is not known; if so its client waits for the first such id."""
        for client, clock in references(struct):
            if client == own or clock < self.next_clock(client):
                continue
            if self._ends is None or clock < self._ends.get(client, 0):
                heappush(self._waiting.setdefault(client, []), (clock, own))
                return True
        return False

    def _wake(self, client: int, clock: int) -> list[int]:
        waiting = self._waiting.get(client, [])
        woken = []
        while waiting and waiting[0][0] < clock:
            woken.append(heappop(waiting)[1])
        return woken
