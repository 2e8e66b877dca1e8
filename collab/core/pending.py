"""Updates that came ahead of their dependencies, held in a bounded place and not acknowledged until whole."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING

from collab.crdt.clocks import Clocks
from collab.crdt.gate import Checked
from collab.errors import TooLarge
from collab.limits import Limits

if TYPE_CHECKING:
    from collab.core.session import Session


class Held:
    """One held update, whose it is, and what it waits for: client to the first clock that brings it further."""

    __slots__ = ("checked", "session", "typed", "waits_for")

    def __init__(self, checked: Checked, session: Session, typed: bool, waits_for: Mapping[int, int]) -> None:
        self.checked = checked
        self.session = session
        self.typed = typed
        self.waits_for = waits_for

    def is_due(self, next: Mapping[int, int]) -> bool:
        """Whether some of it can be taken now."""
        for client, clock in self.waits_for.items():
            if next.get(client, 0) >= clock:
                return True
        return False


class Pending:
    """Bounded by count and bytes. An item is looked at again only when a clock is reached that it waits for."""

    def __init__(self, limits: Limits, present: Container[Session]) -> None:
        """`present`: the sessions that are here. What others left behind gives way when there is no more room."""
        self._limits = limits
        self._present = present
        self.items: list[Held] = []  # nearly always empty, and asked with every keystroke
        self._bytes = 0
        self._releasing = False

    def __len__(self) -> int:
        return len(self.items)

    def hold(self, checked: Checked, session: Session, typed: bool, waits_for: Mapping[int, int]) -> None:
        """Raises TooLarge when the bounds are reached; what is held stays."""
        size, limits = len(checked.raw), self._limits
        if session.held and (  # three quarters are the most that one may take
            4 * session.held >= 3 * limits.pending_structs_max
            or 4 * (self._bytes_of(session) + size) > 3 * limits.pending_bytes_max
        ):
            raise TooLarge("too many updates of one connection ahead of what they depend on")
        if self._is_full(size):
            self._remove([h for h in self.items if h.session not in self._present])
        if self._is_full(size):
            raise TooLarge("too many updates ahead of what they depend on")
        self.items.append(Held(checked, session, typed, waits_for))
        self._bytes += size
        session.held += 1

    def release(self, clocks: Clocks) -> Iterator[Held]:
        """Takes out the items of which a missing dependency has arrived, then those that these set free, and so on.

        Asked again from within, by whoever takes what it gives, it gives nothing: the outer one goes on with that. So
        a chain of a thousand is a loop and no recursion.
        """
        if self._releasing:
            return
        self._releasing = True
        try:
            while due := [held for held in self.items if held.is_due(clocks.next)]:
                for held in due:
                    if held in self.items:  # or it has given way to others meanwhile
                        self._remove([held])
                        yield held
        finally:
            self._releasing = False

    def _bytes_of(self, session: Session) -> int:
        return sum(len(held.checked.raw) for held in self.items if held.session is session) if session.held else 0

    def _is_full(self, more_bytes: int) -> bool:
        limits = self._limits
        return len(self.items) >= limits.pending_structs_max or self._bytes + more_bytes > limits.pending_bytes_max

    def _remove(self, items: list[Held]) -> None:
        gone = set(items)
        self.items = [h for h in self.items if h not in gone]
        self._bytes -= sum(len(h.checked.raw) for h in items)
        for held in items:
            held.session.held -= 1
