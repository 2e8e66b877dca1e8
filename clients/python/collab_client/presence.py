"""Who is here, and where: shown while one is connected, never stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pycrdt import Awareness, Doc

log = logging.getLogger("collab_client")
Listener = Callable[[], None]


class Presence:
    """This client's state, and everybody else's by CRDT client id.

    Editors show `user: {name, color}`; anything else that is JSON may stand beside it, up to 4 KiB.
    """

    def __init__(self, doc: Doc[Any]) -> None:
        self._awareness = Awareness(doc)
        self._awareness.set_local_state(None)  # nobody is announced who has not said who they are
        self._awareness.observe(self._changed)
        self._listeners: list[Listener] = []
        self._send: Callable[[bytes], None] | None = None

    @property
    def mine(self) -> dict[str, Any] | None:
        """What others are shown of this client; None if nothing."""
        return self._awareness.get_local_state()

    @property
    def others(self) -> dict[int, dict[str, Any]]:
        """What they show, by client id."""
        return {
            client: state for client, state in self._awareness.states.items() if client != self._awareness.client_id
        }

    def show(self, **state: Any) -> None:
        """Sets what others see: `presence.show(user={"name": "Ada", "color": "#dd3333"})`; replaces what was shown."""
        self._awareness.set_local_state(state)

    def hide(self) -> None:
        """Leaves the list of those who are here."""
        self._awareness.set_local_state(None)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Calls the listener whenever somebody came, went or moved; returns what takes it off again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- for the connection

    def attach(self, send: Callable[[bytes], None]) -> None:
        """The connection is open: tell it what this client shows, now and from now on. `send` takes entries."""
        self._send = send
        if self.mine is not None:
            self._awareness.set_local_state(self.mine)  # with a newer clock: the server saw the old one go

    def detach(self) -> None:
        """The connection is gone, and nobody is known to be here."""
        self._send = None
        self._awareness.remove_awareness_states(list(self.others), "disconnected")

    def receive(self, entries: bytes) -> None:
        """Takes what others show."""
        self._awareness.apply_awareness_update(entries, self)

    async def keep_fresh(self) -> None:
        """Until cancelled: says again what is shown, before the others think this client is gone."""
        await self._awareness.start()

    def _changed(self, topic: str, event: tuple[Mapping[str, Any], Any]) -> None:
        _, origin = event
        if topic == "update" and self._send is not None and origin == "local":
            self._send(self._awareness.encode_awareness_update([self._awareness.client_id]))
        if topic == "change":
            for listener in tuple(self._listeners):
                try:
                    listener()
                except Exception:  # a listener's fault must not end the connection
                    log.exception("a presence listener failed")
