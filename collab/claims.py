"""Whose client ids are whose, over all nodes: what `core/authors.py` keeps for one node's sockets, told to the others.

A node tells which ids its sockets have typed as. Where one of those is typed as on another node, that node asks
whether the holder lives (TRY), is told that it is being asked (ASKING) and that it does (LIVES), or that the id is free
(FREE). Two nodes that took the same id before either heard of the other keep the one that took it first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from collab.bus.base import BusFrame, Kind
from collab.core.authors import ANSWER_S
from collab.core.distant import Distant
from collab.core.session import Session
from collab.errors import AuthorIdInUse, BadFrame, SlowReader
from collab.protocol.varint import read_varuint, write_varuint
from collab.slot import Slot

if TYPE_CHECKING:
    from collab.hub import Hub

LOOK_S = 0.05  # how often a socket that was asked for a sign of life is looked at
Claim = tuple[int, int]
"""(client id, Unix milliseconds at which it was taken, or 0 where that does not matter)."""


class Tell(Protocol):
    """Publishes a frame about a room."""

    def __call__(self, kind: Kind, slot: Slot, *bodies: bytes) -> None: ...


def encode_claims(claims: Iterable[Claim]) -> bytes:
    """Var-ints, two of each."""
    return b"".join(write_varuint(number) for claim in claims for number in claim)


def decode_claims(body: bytes) -> Iterator[Claim]:
    """The inverse. Raises BadFrame."""
    offset = 0
    while offset < len(body):
        client, offset = read_varuint(body, offset)
        taken_ms, offset = read_varuint(body, offset)
        yield client, taken_ms


class Claims:
    """Of all rooms of this node."""

    def __init__(self, hub: Hub, tell: Tell, clock: Callable[[], float] = time.time) -> None:
        """`clock`: Unix seconds; it decides only who of two was first."""
        self._hub = hub
        self._tell = tell
        self._clock = clock
        self._asked: dict[tuple[Slot, int], tuple[Session, float | None]] = {}  # ours; until when they may answer

    def tell_news(self, slot: Slot) -> None:
        """Ids that sessions here have taken, or whose sessions have left, since the last time."""
        news, slot.room.authors.news = slot.room.authors.news, {}
        now_ms = int(self._clock() * 1000)
        for client, taken in news.items():
            if taken:
                slot.claimed_ms.setdefault(client, now_ms)
            else:
                slot.claimed_ms.pop(client, None)
        if claimed := [(client, slot.claimed_ms[client]) for client, taken in news.items() if taken]:
            self._tell(Kind.CLAIM, slot, encode_claims(claimed))
        if freed := [(client, 0) for client, taken in news.items() if not taken]:
            self._tell(Kind.FREE, slot, encode_claims(freed))

    def tell_all(self, slot: Slot) -> None:
        """To a node that asks who is here."""
        if claims := [(client, slot.claimed_ms.get(client, 0)) for client in slot.room.authors.held_here()]:
            self._tell(Kind.CLAIM, slot, encode_claims(claims))

    def bury(self, slot: Slot, node: str) -> None:
        """The node is gone, and its sockets with it."""
        for client in slot.room.authors.held_by(node):
            self._free(slot, client, node)
        self._hub.settle(slot)

    def take(self, slot: Slot, frame: BusFrame) -> None:
        """One frame of another node. Raises BadFrame."""
        if len(frame.bodies) != 1:
            raise BadFrame(f"{frame.kind.name} with {len(frame.bodies)} bodies")
        for client, taken_ms in decode_claims(frame.bodies[0]):
            owner = slot.room.authors.owner(client)
            if frame.kind is Kind.FREE and isinstance(owner, Session):
                # Ours took it while that node still held it, and did not concede: now it can.
                self._tell(Kind.CLAIM, slot, encode_claims([(client, slot.claimed_ms.get(client, 0))]))
            elif frame.kind is Kind.FREE:
                self._free(slot, client, frame.node)
            elif frame.kind is Kind.CLAIM and not isinstance(owner, Session):
                if owner is None or owner.node != frame.node:
                    slot.room.authors.concede(client, Distant(frame.node, self._pinger(slot, client)))
            elif isinstance(owner, Session):
                self._defend(slot, owner, (client, taken_ms), frame)
            elif owner is not None and owner.node == frame.node:
                self._hear(slot, owner, client, frame.kind)
        self._hub.settle(slot)

    def _pinger(self, slot: Slot, client: int) -> Callable[[], None]:
        return lambda: self._tell(Kind.TRY, slot, encode_claims([(client, 0)]))

    def _free(self, slot: Slot, client: int, node: str) -> None:
        owner = slot.room.authors.owner(client)
        if isinstance(owner, Distant) and owner.node == node:
            slot.room.awareness.depart(node, client)
            slot.room.contests.give_way(owner, time.monotonic())

    def _hear(self, slot: Slot, owner: Distant, client: int, kind: Kind) -> None:
        if kind is Kind.ASKING:
            slot.room.authors.wait(client, time.monotonic() + ANSWER_S)
        elif kind is Kind.LIVES:
            owner.answered = True

    # ------------------------------------------------------------------ an id of ours, wanted elsewhere

    def _defend(self, slot: Slot, owner: Session, theirs: Claim, frame: BusFrame) -> None:
        """Somebody elsewhere wants, or has, the id of a session here."""
        client = theirs[0]
        ours_ms = slot.claimed_ms.get(client, 0)
        first = (ours_ms, self._hub.node) <= (theirs[1], frame.node)
        if frame.kind is Kind.TRY or (frame.kind is Kind.CLAIM and first):
            self._ask(slot, client, owner)
        elif frame.kind is Kind.CLAIM:
            self._tell(Kind.CLAIM, slot, encode_claims([(client, ours_ms)]))  # so that the first one defends it
        elif frame.kind is Kind.LIVES and not first:
            owner.outbox.close(AuthorIdInUse())

    def _ask(self, slot: Slot, client: int, owner: Session) -> None:
        self._tell(Kind.ASKING, slot, encode_claims([(client, 0)]))
        if (slot, client) not in self._asked:
            owner.outbox.answered = False
            owner.outbox.ping()
            self._asked[slot, client] = owner, time.monotonic() + ANSWER_S
            self._look_later(slot, client)

    def _look_later(self, slot: Slot, client: int) -> None:
        asyncio.get_running_loop().call_later(LOOK_S, self._look, slot, client)

    def _look(self, slot: Slot, client: int) -> None:
        owner, until = self._asked.pop((slot, client))
        if slot.room.authors.owner(client) is not owner:
            return
        if owner.outbox.answered:
            self._tell(Kind.LIVES, slot, encode_claims([(client, slot.claimed_ms.get(client, 0))]))
        elif until is not None:  # once more after the time is up: an answer may lie unread, if this node was late
            self._asked[slot, client] = owner, until if time.monotonic() < until else None
            self._look_later(slot, client)
        else:
            owner.outbox.close(SlowReader("no sign of life, and its client is back on another node"))
            slot.room.leave(owner, time.monotonic())
            self.tell_news(slot)
            self._hub.touch(slot)
