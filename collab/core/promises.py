"""Who asked "is it saved?" (message 102) and may not be told yes yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collab.core.ledger import Ledger
from collab.protocol.frames import frame
from collab.protocol.messages import encode_status

if TYPE_CHECKING:
    from collab.core.session import Session


class Promises:
    """A status payload is echoed when all that its session sent before it is on disk, and never after a refusal."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._owing: dict[Session, None] = {}

    def ask(self, session: Session, payload: bytes) -> None:
        """The newest question stands for those before it."""
        session.owes_status = payload
        self.answer(session)

    def answer(self, session: Session) -> None:
        """Echoes the newest question if that is true by now; else its turn comes with a commit."""
        payload = session.owes_status
        if payload is None or session.behind is not None:
            return
        if self._all_saved(session):
            session.saved, session.owes_status = payload, None
            self._owing.pop(session, None)
            session.write(frame(encode_status(payload)))
        else:
            self._owing[session] = None

    def answered(self, session: Session, taken: bool) -> None:
        """It has sent a step 2: all that it has whole. What is held of it still waits for what it does not have either;
        what was refused before is in it, so if it was `taken` nothing is refused any more.

        yjs puts such pending structs into every step 2; those that died with somebody else's tab will never be whole.
        """
        if session.asked or session.owes_step2 or (session.refused and taken):
            session.asked, session.owes_step2, session.refused = False, False, session.refused and not taken
            self.answer(session)

    def _all_saved(self, session: Session) -> bool:
        waits = (session.asked and session.held) or session.contested  # for dependencies, or for whose id it is
        waits = waits or session.owes_step2 or session.refused
        return not waits and self._ledger.is_durable(session.entered)

    def answer_all(self) -> None:
        """After a commit."""
        for session in list(self._owing):
            self.answer(session)

    def forget(self, session: Session) -> None:
        """It has left."""
        self._owing.pop(session, None)

    def heartbeat(self) -> None:
        """Repeats to everyone who waits the newest echo that was true: a sign of life that promises nothing new.

        A y-sweet client that hears nothing within 3 s of asking would drop its connection.
        """
        for session in self._owing:
            if session.saved is not None:
                session.write(frame(encode_status(session.saved)))
