"""One client in one room: access, promises owed, rates."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from collab.core.allowance import Allowance
from collab.core.bucket import NEVER, Bucket
from collab.crdt.streak import Streak
from collab.errors import CollabError
from collab.limits import Limits
from collab.types import Access, Principal

FRAMES_AT_ONCE = 50  # paid for together


class Outbox(Protocol):
    """The socket's side of a session: bounded output, plain calls.

    Every frame of the peer is a sign of life, pongs included, and sets both flags. Each has one who clears it and then
    asks: with one flag for both, a look round would take from a contest the answer that had just come in.
    """

    answered: bool
    """Since a contest for its client id asked (`core/authors.py`)."""
    heard: bool
    """Since upkeep last looked round."""

    def write(self, wire: bytes) -> None:
        """Sends ready-made WebSocket frames. Never blocks, never raises for a connection that is gone."""

    def close(self, error: CollabError) -> None:
        """Ends the connection with the error's close code."""

    def ping(self) -> None:
        """Asks the peer for a sign of life."""

    def refuse(self, error: CollabError) -> None:
        """Counts the error, then closes with it."""

    def hold(self) -> None:
        """Reads nothing more from the peer until `go_on`; what was read already may still come."""

    def go_on(self) -> None:
        """Reads again."""

    def renew(self, token: bytes) -> None:
        """The peer presents a fresh ticket or token; it is answered over the connection."""

    def waiting_bytes(self) -> int:
        """What was written and not yet taken by the system."""


class Session:
    """State of one connection; the room is its only writer."""

    __slots__ = (
        "access",
        "allowance",
        "aside",
        "asked",
        "awareness_bytes",
        "awareness_rate",
        "behind",
        "contested",
        "denied_at",
        "entered",
        "frame_rate",
        "frames_at_once",
        "frames_left",
        "held",
        "id",
        "is_silent",
        "new_clients",
        "outbox",
        "owes_answer",
        "owes_status",
        "owes_step2",
        "people_mark",
        "principal",
        "refused",
        "renewing",
        "resuming",
        "returning",
        "saved",
        "silent_spans",
        "slow_since",
        "streak",
        "told_slow",
    )

    def __init__(
        self,
        id: str,
        principal: Principal,
        access: Access,
        outbox: Outbox,
        limits: Limits,
        allowance: Allowance | None = None,
    ) -> None:
        self.id = id
        self.principal = principal
        self.access = access
        self.outbox = outbox
        self.renewing = False
        self.entered = 0  # number of its newest update in the room's ledger
        self.held = 0  # its updates that wait for their dependencies
        self.asked = False  # for those dependencies, and it has not answered yet
        self.contested = 0  # client ids whose holder must first be known dead before its updates are taken
        self.refused = False  # something it wrote was not taken: it must never be told "saved"
        self.saved: bytes | None = None  # the newest status payload that was answered
        self.owes_status: bytes | None = None  # the newest status payload not yet answered
        self.denied_at = NEVER
        self.behind: tuple[int, dict[int, int]] | None = None  # what it last had (history mark, state vector), if slow
        self.owes_answer: dict[int, int] | None = None  # a step 1 that came while its outbox was full
        self.slow_since: float | None = None
        self.people_mark = 0  # of the presence that it had been told of by then
        self.resuming = False  # its outbox has drained, and what it missed is being gathered
        self.silent_spans = 0  # how often in a row it was not heard
        self.owes_step2 = False  # its questions are about what it will send with its first step 2, too (y-sweet)
        self.returning = False  # its step 1 said that it has been in this document before
        self.told_slow = False
        self.is_silent = (
            False  # told that it is gone, its client takes a newer clock but announces nothing (core/nudges)
        )
        self.streak: Streak | None = None  # what it types, while each keystroke goes on where the last one ended
        self.frame_rate = Bucket(limits.frames_per_s, limits.frames_burst)
        self.frames_at_once = max(1, min(FRAMES_AT_ONCE, limits.frames_burst // 8))
        self.frames_left = 0  # that are paid for: one subtraction for each, and the bucket once for many
        self.allowance = Allowance(limits) if allowance is None else allowance
        self.aside: deque[bytes] | None = None  # frames in line behind one that is being checked elsewhere
        self.awareness_rate = Bucket(limits.awareness_per_s, limits.awareness_burst)
        self.awareness_bytes = Bucket(limits.awareness_bytes_per_s, limits.awareness_bytes_burst)
        self.new_clients = Bucket(limits.new_clients_per_s, limits.new_clients_per_session)

    def pay_frames(self, now: float) -> float:
        """Pays for the frame that there was nothing left for, and some more; returns the seconds that are owed."""
        self.frames_left += self.frames_at_once
        return self.frame_rate.take(now, self.frames_at_once)

    def write(self, wire: bytes) -> None:
        """Replies unless the outbox is full; a full one gets one diff when it drains."""
        if self.behind is None:
            self.outbox.write(wire)
