"""What other nodes have committed and shown, taken into a room: not stored, not acknowledged, not published again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from collab.core.awareness import decode_entries, encode_entries
from collab.core.nudges import nudge
from collab.core.room import Room
from collab.crdt.checked import Checked
from collab.crdt.decode import STORED
from collab.crdt.gate import check
from collab.errors import BadUpdate
from collab.limits import DEFAULT

EVERYONE = replace(DEFAULT, awareness_clients_max=DEFAULT.clock_max)
"""A node speaks for all of its sockets; what each of them may say was checked there."""


def take_updates(room: Room, updates: Iterable[bytes], first_seq: int, last_seq: int, now: float) -> None:
    """Takes a commit that follows on what the room has (`first_seq` is at most `room.ledger.seq` + 1).

    Raises BadUpdate if an update builds on what is not here: the room should then be loaded afresh.
    """
    take_checked(room, (check(update, STORED) for update in updates), first_seq, last_seq, now)


def take_checked(room: Room, updates: Iterable[Checked], first_seq: int, last_seq: int, now: float) -> None:
    """The same for what has been checked elsewhere."""
    for checked in updates:
        take_one(room, checked, last_seq)
    have_taken(room, first_seq, last_seq, now)


def take_one(room: Room, checked: Checked, last_seq: int) -> None:
    """The same for one of a commit's updates; after the last one `have_taken` is to be called."""
    clocks = room.history.clocks
    adds = not clocks.adds_nothing(checked)
    if adds and not clocks.is_ready(checked):
        raise BadUpdate("another node's update builds on what is not here")
    if adds or room.unsaved:
        # It may repeat what this node has shown but not committed. The log has it now, so history gets it as such.
        clocks.advance(checked)
        if adds and not room.elsewhere:
            room.shown_to = room.history.position
        room.history.add(checked.raw).seq = last_seq
    if adds:
        room.elsewhere.append(checked)


def have_taken(room: Room, first_seq: int, last_seq: int, now: float) -> None:
    """All of a commit is in the room."""
    room.ledger.reach(first_seq, last_seq)
    room.release(now)


def take_presence(room: Room, node: str, body: bytes) -> bytes | None:
    """Takes presence of a node's people; returns a body of those who should announce themselves again, or None."""
    nudges, _ = room.awareness.receive(node, decode_entries(body, EVERYONE))
    return encode_entries(nudges) if nudges else None


def pass_nudge(room: Room, body: bytes) -> None:
    """Tells those of our clients whom another node does not see; each answers by announcing itself."""
    for entry in decode_entries(body, EVERYONE):
        owner = room.awareness.owner(entry[0])
        if owner is not None:
            nudge(room.awareness, owner, [entry])
