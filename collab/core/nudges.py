"""Presence that must be announced again: its client is told that it is gone, which it is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from collab.core.awareness import GONE, Awareness, Entry, encode_entries
from collab.protocol.frames import frame
from collab.protocol.messages import encode_awareness

if TYPE_CHECKING:
    from collab.core.session import Session


def nudge(awareness: Awareness, session: Session, nudges: list[Entry], announced: Iterable[Entry] = ()) -> None:
    """Sends the nudges (id, clock, null); `announced` are states that were refused as stale.

    A client that holds the state at this clock, or an older one, takes the next clock and announces itself. Hocuspocus
    4 takes the next clock, too, but answers nothing that came from the server: for it that is done here.
    """
    session.write(frame(encode_awareness(encode_entries(nudges))))
    if session.is_silent:
        states = {client: state for client, _, state in announced}
        for client, clock, _ in nudges:
            state = awareness.state(client) or states.get(client, GONE)
            if state != GONE:
                awareness.receive(session, [(client, clock + 1, state)])
