"""The end of a story: everything comes to rest, and then all who are there must hold what the log holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from collab.crdt.clocks import Clocks
from tests.faults.sim.known import known
from tests.faults.sim.people import Author, Poller, Tab
from tests.faults.sim.replica import Replica, content_of
from tests.faults.sim.wire import Violation

if TYPE_CHECKING:
    from tests.faults.sim.node import Node
    from tests.faults.sim.world import World

CALM_S = 120.0  # how long everybody may take to agree once the weather is fine
LOOK_EVERY_S = 0.5


class Calm:
    """Waits for rest, then compares."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def settle(self) -> None:
        """Returns when all is at rest. Raises Violation if that takes too long, or what broke meanwhile."""
        world = self._world
        until = world.loop.time() + CALM_S
        while True:
            if world.failed is not None:
                raise world.failed
            if self._quiet() and not self._unrest():
                return
            if world.loop.time() > until:
                raise Violation(f"no rest {CALM_S:.0f} s after the last fault: {self._unrest() or 'still busy'}")
            await asyncio.sleep(LOOK_EVERY_S)

    def agree(self) -> None:
        """Raises Violation unless all replicas, rooms, the log and what a load gives are the same."""
        world = self._world
        stored = {document: self._stored(document) for document in world.disk.synced}
        people: list[Tab | Poller] = [*self._open_tabs(), *world.pollers]
        for person in people:
            if person.replica.content() != stored.get(person.document, Replica().content()):
                raise Violation(f"{type(person).__name__} and the log of {person.document} differ at rest")
            self._waits_in_vain(person)
        for node in world.nodes.values():
            for document, slot in node.hub.slots.items():
                if content_of(slot.room.history.parts()) != stored.get(document, Replica().content()):
                    raise Violation(f"the room of {document} on {node.name} and its log differ at rest")
        authors: list[Author] = [*world.tabs, *world.rest]
        for author in authors:
            for number in range(author.saved):
                world.must_be_safe(author.document, author.mine[number], f"edit {number} of client {author.client}")

    # ------------------------------------------------------------------ rest

    def _open_tabs(self) -> list[Tab]:
        return [tab for tab in self._world.tabs if not tab.closed]

    def _quiet(self) -> bool:
        """Every node is up and nothing is under way, from a server that has died meanwhile either."""
        nodes = self._world.nodes.values()
        if len(nodes) < self._world.plan.nodes or any(self._works(node) for node in nodes):
            return False
        live = [c for c in self._world.connections if c.tab.server is c.server]
        return not any(c.up or c.server.down for c in live)

    @staticmethod
    def _works(node: Node) -> bool:
        rooms = [slot.room for slot in node.hub.slots.values()]
        return bool(node.journal.waiting_bytes) or any(room.dirty or room.authors.contests for room in rooms)

    def _unrest(self) -> list[str]:
        world = self._world
        wrong = [
            f"tab {t.client}: saved {t.saved} of {len(t.mine)}, synced {t.synced}, answered {t.answered}"
            for t in self._open_tabs()
            if not t.at_rest
        ]
        for tab in self._open_tabs():
            here = {other.client for other in self._open_tabs() if other.document == tab.document}
            if tab.presence.states.keys() != here:
                wrong.append(f"tab {tab.client} sees {sorted(tab.presence.states)} of {sorted(here)}")
        wrong += [f"rest {r.client}: {r.saved} of {len(r.mine)}" for r in world.rest if r.saved < len(r.mine)]
        heads = {document: kept.seq for document, kept in world.disk.synced.items()}
        for poller in world.pollers:
            if poller.seq < heads.get(poller.document, 0):
                wrong.append(f"poller at {poller.seq} of {heads[poller.document]}")
        for node in world.nodes.values():
            for document, slot in node.hub.slots.items():
                if slot.room.ledger.seq < heads.get(document, 0):
                    wrong.append(f"{document} on {node.name} at {slot.room.ledger.seq} of {heads[document]}")
        return wrong

    # ------------------------------------------------------------------ agreement

    def _waits_in_vain(self, person: Tab | Poller) -> None:
        """What a replica still holds back may only wait for what died with a closed tab."""
        kept = self._world.disk.synced.get(person.document)
        for update in person.replica.pending:
            if (kept.clocks if kept else Clocks()).is_ready(known(update)):
                raise Violation(f"a {type(person).__name__} waits for what the log of {person.document} holds")

    def _stored(self, document: str) -> str:
        """The content of the whole log, and of what a load gives: they must be the same."""
        whole, loaded = Replica(), Replica()
        for row in self._world.disk.read(document, 0, 1_000_000):
            for entry in row.entries:
                whole.apply(entry.update)
        found = self._world.disk.load(document)
        assert found is not None
        if found.checkpoint is not None:
            loaded.apply(found.checkpoint.state)
        for row in found.rows:
            for entry in row.entries:
                loaded.apply(entry.update)
        if whole.pending or loaded.pending:
            raise Violation(f"the log of {document} holds updates whose dependencies it does not hold")
        if whole.content() != loaded.content():
            raise Violation(f"a load of {document} is not what its log says")
        return whole.content()
