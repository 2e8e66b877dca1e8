"""A socket of the Hocuspocus dialect on the fast shell: what is read goes to a switchboard."""

from __future__ import annotations

from collab.errors import CollabError
from collab.sockets.admission import Lobby, Sockets
from collab.sockets.connection import FastConnection
from collab.sockets.switchboard import Switchboard


class FastSwitchboard(FastConnection):
    """Satisfies `Line`."""

    __slots__ = ("_board", "signs")

    def __init__(self, sockets: Sockets, lobby: Lobby) -> None:
        self.signs = 0
        super().__init__(sockets)
        self._board: Switchboard | None = Switchboard(sockets, lobby, self)

    @property
    def heard(self) -> bool:
        """Each document asks on its own, by `signs`."""
        return True

    @heard.setter
    def heard(self, heard: bool) -> None:
        self.signs += 1

    @property
    def is_over(self) -> bool:
        """Whether nothing that comes is looked at any more."""
        return self._board is None

    def _leave(self, error: CollabError | None = None) -> None:
        board, self._board = self._board, None
        if board is not None:
            board.leave(error)

    def _join(self) -> None:
        """Its documents will, one by one."""

    def pause_writing(self) -> None:
        self.full = True
        if self._board is not None:
            self._board.pause()

    def resume_writing(self) -> None:
        self.full = False
        if self._board is not None:
            self._board.resume()

    def _receive(self, message: bytes) -> None:
        if self._board is None:
            return
        try:
            pause_s = self._board.receive(message)
        except CollabError as error:
            self.refuse(error)
            return
        if pause_s > 0.0:
            self.rest(pause_s)

    def _pay(self) -> float:
        return 0.0 if self._board is None else self._board.count()
