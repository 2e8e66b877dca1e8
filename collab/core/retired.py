"""Authors of a document that was purged: its bytes must not come back under its id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import chain, islice

from collab.crdt.checked import Checked
from collab.crdt.clocks import AT_ONCE
from collab.errors import LineageRetired


def refusing(retired: Set[int], brought: Checked | Iterable[int]) -> Iterator[None]:
    """Looks for them in an update or in a state vector's clients, some in each step. Raises LineageRetired."""
    if not retired:
        return
    if isinstance(brought, Checked):
        brought = (client for client, *_ in chain(brought.runs, brought.deletes))
    clients = iter(brought)
    while some := list(islice(clients, AT_ONCE)):
        if not retired.isdisjoint(some):
            raise LineageRetired()
        yield
