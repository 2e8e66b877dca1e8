"""Presence: who is here and where, per client id; never stored.

Body: varUint count, then per entry varUint client id, varUint clock, varString JSON; `null` means gone
(y-protocols `awareness.js`). An entry is news if its clock is above the known one, or equal to it and a removal of a
state that is held. Clocks are remembered after a removal, so that a late echo cannot bring a ghost back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NoReturn

import orjson

from collab.errors import BadFrame, TooLarge
from collab.limits import DEFAULT, Limits
from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes, write_varuint

if TYPE_CHECKING:
    from collab.core.session import Session

GONE = b"null"
REMEMBERED_MAX = 10_000  # clocks of people who left; the oldest are forgotten first

Entry = tuple[int, int, bytes]
"""(client id, clock, JSON bytes)."""


def decode_entries(body: bytes, limits: Limits) -> list[Entry]:
    """Raises BadFrame or TooLarge; JSON is checked but kept as the bytes that came."""
    count, offset = read_varuint(body, 0)
    if count > limits.awareness_clients_max:
        raise TooLarge(f"presence for {count} clients in one message, {limits.awareness_clients_max} are allowed")
    entries = []
    for _ in range(count):
        client, offset = read_varuint(body, offset)
        clock, offset = read_varuint(body, offset)
        state, offset = read_varbytes(body, offset)
        if len(state) > limits.awareness_bytes_max:
            raise TooLarge(f"presence of {len(state)} bytes, {limits.awareness_bytes_max} are allowed")
        _check_state(state)
        entries.append((client, clock, state))
    if offset != len(body):
        raise BadFrame("bytes after the presence entries")
    return entries


def encode_entries(entries: Iterable[Entry]) -> bytes:
    """The inverse of decode_entries."""
    parts = [b""]
    for client, clock, state in entries:
        parts += (write_varuint(client), write_varuint(clock), write_varbytes(state))
    parts[0] = write_varuint((len(parts) - 1) // 3)
    return b"".join(parts)


def _check_state(state: bytes) -> None:
    """An object or null. Strict, because every JavaScript client parses it and throws if it cannot."""
    if state == GONE:
        return
    try:
        value = orjson.loads(state)
    except orjson.JSONDecodeError:
        value = _loads_strict(state)  # JavaScript legally escapes lone surrogates, which orjson refuses
    if not isinstance(value, dict):
        raise BadFrame("a presence state must be a JSON object or null")


def _loads_strict(state: bytes) -> object:
    try:
        return json.loads(state.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadFrame("a presence state is not valid JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


class Awareness:
    """The presence table of one room: known clocks, live states, and which session speaks for which client id."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self._clocks: dict[int, int] = {}
        self._states: dict[int, bytes] = {}
        self._owners: dict[int, Session | str] = {}  # a session here, or the name of another node
        self._spoken: dict[Session | str, set[int]] = {}  # the owners the other way round
        self._changed: dict[int, bool] = {}  # whether one of our sessions did it
        self._left: dict[int, int] = {}  # who was here, and how many roll calls there had been when they left
        self._departures: dict[int, int] = {}  # who is gone: the how-manieth to leave, oldest first
        self._departed = 0
        self._drained = self._told = 0  # departures up to the last drain, and to the one before it
        self._roll_calls = 0
        self._wanted = False
        self._wanted_elsewhere = False
        self._bytes = 0  # of all states

    def __len__(self) -> int:
        return len(self._states)

    @property
    def dirty(self) -> bool:
        """True if drain has something to tell."""
        return bool(self._changed)

    def receive(self, who: Session | str, entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Takes what is news from a session or, by name, from another node; returns (nudges, foreign claims).

        A foreign claim is news about somebody who is here on another connection; it is not taken, unless one node says
        it of another's: then the person has moved. A nudge (id, known clock, null) answers a state that was refused as
        stale while none is held: the client then announces itself again with a higher clock at once, instead of
        staying invisible until its 15 s renewal. So is nudged who is new here but knows the document: after a restart,
        the others remember the very clock that it comes back with. Raises TooLarge if the session would speak for too
        many; states beyond what a document's may hold are not taken.
        """
        nudges, foreign = [], []
        for client, clock, state in entries:
            owner = self._owners.get(client)
            known = self._clocks.get(client, 0)
            if owner is not None and owner != who:
                if clock > known and state != GONE:
                    if isinstance(owner, str) and isinstance(who, str):
                        self._set(who, client, clock, state)
                    else:
                        foreign.append((client, clock, state))
                continue
            held = client in self._states
            if not held and state != GONE and self._left.pop(client, -1) == self._roll_calls:
                self._wanted |= not isinstance(who, str)  # another node calls the roll itself
            if clock > known or (clock == known and held and state == GONE):
                if not known and state != GONE and not isinstance(who, str) and who.returning:
                    nudges.append((client, clock, GONE))
                self._set(who, client, clock, state)
            elif not held and state != GONE:
                nudges.append((client, known, GONE))
        return nudges, foreign

    def owner(self, client: int) -> Session | None:
        """Who speaks for this id here; None if nobody does, or another node."""
        owner = self._owners.get(client)
        return None if isinstance(owner, str) else owner

    def state(self, client: int) -> bytes | None:
        """What is held of it: JSON bytes; None if it is not here."""
        return self._states.get(client)

    def elsewhere(self) -> Iterator[tuple[str, int, int]]:
        """(node, client id, clock) of everybody whom another node speaks for."""
        return ((owner, c, self._clocks[c]) for c, owner in self._owners.items() if isinstance(owner, str))

    def roll_call(self, session: Session) -> list[tuple[Session, Entry]]:
        """Whom to nudge, and with what, after `session` has brought back somebody who was here before.

        Such a client remembers everyone's clock from then, shows nobody, and takes no state that is not newer: all
        others must announce themselves again. Once is enough for all who left before it. Those on other nodes are
        told by `drain_calls`.
        """
        if not self._wanted:
            return []
        self._wanted, self._wanted_elsewhere = False, True
        self._roll_calls += 1
        first = {owner: client for client, owner in reversed(self._owners.items()) if owner is not session}
        return [
            (owner, (client, self._clocks[client], GONE))
            for owner, client in first.items()
            if not isinstance(owner, str)
        ]

    def drain_calls(self) -> bytes | None:
        """The nudges for everyone on other nodes, if there has been a roll call since the last time."""
        if not self._wanted_elsewhere:
            return None
        self._wanted_elsewhere = False
        others = [client for client, owner in self._owners.items() if isinstance(owner, str)]
        return encode_entries((c, self._clocks[c], GONE) for c in others) if others else None

    def _set(self, who: Session | str, client: int, clock: int, state: bytes) -> None:
        before = len(self._states.get(client, b""))
        if state == GONE:
            self._forget_state(client)
            self._left[client] = self._roll_calls
            self._departed += 1
            self._departures.pop(client, None)
            self._departures[client] = self._departed
        else:
            if self._bytes - before + len(state) > self._limits.awareness_document_bytes_max:
                return
            self._own(who, client)
            self._departures.pop(client, None)
            self._states[client] = state
            self._bytes += len(state) - before
        self._clocks[client] = clock
        self._changed[client] = not isinstance(who, str)

    def _own(self, who: Session | str, client: int) -> None:
        spoken = self._spoken.setdefault(who, set())
        if client not in spoken:
            if not isinstance(who, str) and len(spoken) >= self._limits.awareness_clients_max:
                raise TooLarge(f"presence for more than {len(spoken)} clients on one connection")
            before = self._owners.get(client)
            if before is not None:
                self._spoken[before].discard(client)
            spoken.add(client)
            self._owners[client] = who

    def _forget_state(self, client: int) -> None:
        self._bytes -= len(self._states.pop(client, b""))
        owner = self._owners.pop(client, None)
        if owner is not None:
            self._spoken[owner].discard(client)

    def leave(self, who: Session | str) -> None:
        """Everyone this session, or this node, spoke for is gone."""
        for client in list(self._spoken.get(who, ())):
            self._set(who, client, self._clocks[client], GONE)
        self._spoken.pop(who, None)

    def depart(self, node: str, client: int) -> None:
        """The connection on that node which wrote as this id has ended."""
        if self._owners.get(client) == node:
            self._set(node, client, self._clocks[client], GONE)

    def drain_own(self) -> bytes | None:
        """What `drain` will tell of our own sessions' people, for the other nodes; to be asked before it."""
        own = [client for client, ours in self._changed.items() if ours]
        return encode_entries((c, self._clocks[c], self._states.get(c, GONE)) for c in own) if own else None

    def drain(self) -> bytes | None:
        """The body that tells what changed since the last drain, or None; the newest state per client only."""
        if not self._changed:
            return None
        self._told, self._drained = self._drained, self._departed
        changed, self._changed = self._changed, {}
        body = encode_entries((c, self._clocks[c], self._states.get(c, GONE)) for c in changed)
        self._forget()
        return body

    def _forget(self) -> None:
        excess = len(self._clocks) - len(self._states) - REMEMBERED_MAX
        if excess > 0:
            for client in [c for c in self._clocks if c not in self._states][:excess]:
                del self._clocks[client]
                self._left.pop(client, None)
                self._departures.pop(client, None)

    @property
    def mark(self) -> int:
        """For `caught_up`. What was drained last may not have reached every session yet."""
        return self._told

    def caught_up(self, mark: int) -> bytes:
        """The body for a session that was told nothing since the mark: everyone here, and those who have left."""
        left = takewhile(lambda item: item[1] > mark, reversed(self._departures.items()))
        gone = [(c, self._clocks[c], GONE) for c, _ in left]
        return encode_entries([*gone, *self.people()])

    def present(self) -> bytes | None:
        """The body with everyone here, for a joiner; None if nobody is."""
        if not self._states:
            return None
        return encode_entries((c, self._clocks[c], s) for c, s in self._states.items())

    def present_own(self) -> bytes | None:
        """The body with everyone on our own sockets, for a node that asks; None if nobody is."""
        own = [client for client, owner in self._owners.items() if not isinstance(owner, str)]
        return encode_entries((c, self._clocks[c], self._states[c]) for c in own) if own else None

    def people(self) -> list[Entry]:
        """Everyone here, for REST."""
        return [(c, self._clocks[c], s) for c, s in self._states.items()]
