"""A text as its author sees it: edited by code points, kept in a pycrdt document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pycrdt import Doc, Text, TransactionEvent

from collab.errors import BadRequest
from collab.replay.trace import Patch


@dataclass(frozen=True, slots=True)
class Typed:
    """What one transaction made: the update, the state vector after it, the delete set, all encoded."""

    update: bytes
    vector: bytes
    deletes: bytes


class Screen:
    """One root text. pycrdt counts UTF-8 bytes; patches count code points: the same thing while all is ASCII."""

    def __init__(self, root: str, ascii_only: bool, client_id: int | None = None) -> None:
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get(root, type=Text)
        self._ascii_only = ascii_only
        self._mirror: str | None = ""  # what the text reads, for offsets; None after a merge
        self._length = 0
        self._typed: Typed | None = None
        self._merging = False
        self._watch = self.doc.observe(self._keep)

    def type(self, patches: Iterable[Patch]) -> Typed | None:
        """Makes the edits in one transaction; None if they change nothing.

        Raises BadRequest if a patch lies outside the text.
        """
        self._typed = None
        edit = self._edit_ascii if self._ascii_only else self._edit
        with self.doc.transaction():
            if self._mirror is None:
                self._look()
            for patch in patches:
                edit(*patch)
        return self._typed

    def merge(self, update: bytes) -> None:
        """Takes in what others did."""
        self._merging = True
        try:
            self.doc.apply_update(update)
        finally:
            self._merging = False
        self._mirror = None

    def __str__(self) -> str:
        return str(self.text)

    def _keep(self, event: TransactionEvent) -> None:
        if not self._merging:  # the event can be read only while its transaction is open
            self._typed = Typed(event.update, *clocks_and_deletes(event))

    def _look(self) -> None:
        self._mirror = "" if self._ascii_only else str(self.text)
        self._length = len(self.text) if self._ascii_only else len(self._mirror)

    def _edit_ascii(self, position: int, deleted: int, inserted: str) -> None:
        _check(position, deleted, self._length)
        if deleted:
            del self.text[position : position + deleted]
        if inserted:
            self.text.insert(position, inserted)
        self._length += len(inserted) - deleted

    def _edit(self, position: int, deleted: int, inserted: str) -> None:
        mirror = self._mirror or ""
        _check(position, deleted, len(mirror))
        start = len(mirror[:position].encode())
        if deleted:
            del self.text[start : start + len(mirror[position : position + deleted].encode())]
        if inserted:
            self.text.insert(start, inserted)
        self._mirror = mirror[:position] + inserted + mirror[position + deleted :]


def clocks_and_deletes(event: TransactionEvent) -> tuple[bytes, bytes]:
    """The state vector after a transaction and what it deleted; pycrdt's type stub omits both."""
    return event.after_state, event.delete_set  # type: ignore[attr-defined]


def _check(position: int, deleted: int, length: int) -> None:
    # Past the end pycrdt panics, which no `except Exception` catches.
    if not 0 <= position <= position + deleted <= length:
        raise BadRequest(f"a patch at {position} deleting {deleted} lies outside a text of {length}")
