"""The bus port: frames between nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from collab.types import DocumentId

EVERYBODY: DocumentId = ""
"""In the place of a document: what concerns all nodes. No document has an empty id."""


class Kind(IntEnum):
    """What a frame tells."""

    UPDATES = 1  # first_seq..last_seq are committed; bodies: the updates, or none if they were too large to send
    PRESENCE = 2  # bodies: one awareness body, of people on the sender's sockets
    ASK = 3  # send me the presence of your people in this document
    NUDGE = 4  # bodies: one awareness body; whoever speaks for these ids should announce itself again
    LOOK = 5  # something about the document's head has changed: it was deleted, say; the database knows
    SNAPSHOT = 6  # a snapshot was kept
    ALIVE = 7  # to EVERYBODY, once a second
    SPENT = 9  # to EVERYBODY; bodies: what callers have taken of their rates on the sender
    BYE = 8  # to EVERYBODY: the node goes down and takes its people along
    QUESTION = 10  # to one node's channel; bodies: the question's name, what is asked, particulars
    ANSWER = 11  # to the asking node's channel; bodies: the question's name, an error's code or nothing, the answer
    CLAIM = 12  # bodies: client ids that sockets of the sender write as (claims.py, as the next four)
    FREE = 13  # bodies: client ids that none of its sockets writes as any more
    TRY = 14  # bodies: a client id that somebody on the sender wants; whoever holds it should see if the holder lives
    ASKING = 15  # bodies: a client id whose holder is being asked for a sign of life
    LIVES = 16  # bodies: a client id whose holder has given one


@dataclass(frozen=True, slots=True)
class BusFrame:
    """What one node tells the others, mostly about one document. Sequence numbers are 0 except for UPDATES."""

    kind: Kind
    node: str
    document: DocumentId
    lineage: str = ""
    first_seq: int = 0
    last_seq: int = 0
    bodies: tuple[bytes, ...] = ()


Deliver = Callable[[BusFrame], None]
"""Takes a frame of another node; must not block and must not raise."""


class Bus(Protocol):
    """At most once, unordered between nodes, may drop; never blocks the caller; own frames are not delivered.

    What is lost is found again in the log, so a bus promises speed and nothing else.
    """

    @property
    def up(self) -> bool:
        """False while frames are known not to arrive; they may be lost without that, too."""

    @property
    def losses(self) -> int:
        """Grows whenever frames of others, or our own, may have been lost, e.g. with each new connection."""

    def listen(self, deliver: Deliver) -> None:
        """Where frames go; called once, before anything else."""

    def publish(self, frame: BusFrame) -> None:
        """Hands the frame over; it leaves with the others of this tick, or not at all."""

    async def subscribe(self, document: DocumentId) -> None:
        """Returns when frames published from now on will be delivered, or when the bus cannot say so soon."""

    def unsubscribe(self, document: DocumentId) -> None:
        """No more deliveries for this document."""
