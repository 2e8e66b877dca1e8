"""Who a client sees: y-protocols' awareness, as y-websocket uses it (awareness.js, y-websocket.js)."""

from __future__ import annotations

from collab.core.awareness import GONE, decode_entries, encode_entries
from collab.limits import DEFAULT

RENEW_S = 15.0
OUTDATED_S = 30.0
HERE = b'{"x":1}'


class Presence:
    """One client's table: clocks are remembered for ever, states only while the connection lasts."""

    def __init__(self, client: int) -> None:
        self.client = client
        self.states: dict[int, bytes] = {client: HERE}
        self._clocks: dict[int, int] = {client: 1}
        self._heard: dict[int, float] = {client: 0.0}

    def current(self) -> bytes:
        """What is said on connecting: oneself, with the clock as it is."""
        return self._tell([self.client])

    def announce(self, now: float) -> bytes:
        """The caret has moved."""
        self._clocks[self.client] += 1
        self._heard[self.client] = now
        return self.current()

    def receive(self, body: bytes, now: float) -> bytes | None:
        """Takes what is newer; returns what y-websocket says to it: all that has changed, whoever told it."""
        changed = []
        for client, clock, state in decode_entries(body, DEFAULT):
            known = self._clocks.get(client, 0)
            if clock < known or (clock == known and not (state == GONE and client in self.states)):
                continue
            if state != GONE:
                self.states[client] = state
            elif client == self.client:
                clock += 1  # nobody else may say that we are gone
            else:
                self.states.pop(client, None)
            self._clocks[client], self._heard[client] = clock, now
            changed.append(client)
        return self._tell(changed) if changed else None

    def lost(self) -> None:
        """The connection is gone, and with it everybody else."""
        self.states = {self.client: HERE}

    def pass_time(self, now: float) -> bytes | None:
        """Forgets who has not been heard for long; returns a renewal when it is time for one."""
        for client in [c for c in self.states if c != self.client and now - self._heard[c] >= OUTDATED_S]:
            del self.states[client]
        return self.announce(now) if now - self._heard[self.client] >= RENEW_S else None

    def _tell(self, clients: list[int]) -> bytes:
        return encode_entries((c, self._clocks[c], self.states.get(c, GONE)) for c in clients)
