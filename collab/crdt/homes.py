"""Which type each struct lies in, and which values of a key have been replaced.

An item with an origin does not say where it lies; it is where its neighbour is. Homes are found in causal order, as
yjs finds them (`Item.js`, `getMissing`), without ever building the lists that the items form.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collab.crdt.block import Block
from collab.crdt.content import GC, SKIP, TYPE
from collab.crdt.decode import Id
from collab.crdt.order import Settling


class Home(NamedTuple):
    """Where an item lies: in the root type of this name or in the type that a block holds; under a key, or in line."""

    root: bytes | None
    type: Block | None
    key: bytes | None


NOWHERE = Home(None, None, None)
"""What holds or neighbours the item has been collected, or is no type: yjs puts a GC struct in its place."""


class Homes:
    """Homes of all blocks that can be integrated; the others are pending and have none.

    `rows` are the blocks of each client, ascending. `settled` tells how many of each can be integrated.
    """

    def __init__(self, rows: Mapping[int, Sequence[Block]]) -> None:
        self.rows = rows
        self._starts = {client: [block.clock for block in row] for client, row in rows.items()}
        self._homes: dict[Block, Home] = {}
        self._shared: dict[tuple[bytes | Id, bytes | None], Home] = {}
        self.keyed: dict[Home, list[Block]] = {}
        """What each key has held."""
        self.types: list[Block] = []
        """Blocks that hold types, each after the one that it lies in."""
        settling = Settling(rows, {})
        for client, first, last in settling.steps():
            for block in rows[client][first:last]:
                if block.info not in (GC, SKIP):
                    self._settle(block)
        self.settled = settling.taken

    def of(self, block: Block) -> Home:
        """The block's home; NOWHERE also for GC."""
        return self._homes.get(block, NOWHERE)

    def block_at(self, client: int, clock: int) -> Block:
        """The block that holds an element."""
        return self.rows[client][bisect_right(self._starts[client], clock) - 1]

    def _settle(self, block: Block) -> None:
        home = self._home(block)
        self._homes[block] = home
        if home.key is not None:
            self.keyed.setdefault(home, []).append(block)
            block.is_value = True
        if block.kind == TYPE:
            self.types.append(block)

    def _home(self, block: Block) -> Home:
        """The home of a block whose neighbours and parent have theirs."""
        left = None if block.origin is None else self.of(self.block_at(*block.origin))
        right = None if block.right is None else self.of(self.block_at(*block.right))
        if left is NOWHERE or right is NOWHERE:
            return NOWHERE
        if block.parent is None:
            return left or right or NOWHERE
        shared = self._shared.get((block.parent, block.key))
        if shared is None:
            shared = self._shared[block.parent, block.key] = self._explicit(block.parent, block.key)
        return shared

    def _explicit(self, parent: bytes | Id, key: bytes | None) -> Home:
        if isinstance(parent, bytes):
            return Home(parent, None, key)
        holder = self.block_at(*parent)
        return Home(None, holder, key) if holder.kind == TYPE and self.of(holder) is not NOWHERE else NOWHERE


def replaced(values: list[Block]) -> list[Block]:
    """Of the values that one key has had, those that another has replaced: all but the last of yjs' list.

    Nothing is said of a list in which an item names a right neighbour; no writer of keys does that.
    """
    if len(values) < 2 or any(block.right is not None for block in values):
        return []
    winner = _Descent(values).winner()
    return [block for block in values if block is not winner]


class _Descent:
    """Walks to the end of the list of a key's values.

    Items of one origin stand in the order of their clients, each followed by those that have it as their origin; of
    one client the older stands behind (yjs `Item.js`, `integrate`). So the last item is found by going from the start
    to the highest client's oldest item, again and again. A block of several elements is a chain of them.
    """

    def __init__(self, values: list[Block]) -> None:
        self._after: dict[Id | None, Block] = {}
        forks: dict[int, set[int]] = {}
        for block in values:
            rival = self._after.get(block.origin)
            if rival is None or (block.client, -block.clock) > (rival.client, -rival.clock):
                self._after[block.origin] = block
            if block.origin is not None:
                forks.setdefault(block.origin[0], set()).add(block.origin[1])
        self._forks = {client: sorted(clocks) for client, clocks in forks.items()}

    def winner(self) -> Block | None:
        """The block that holds the last item."""
        block, found = None, self._after.get(None)
        while found is not None:
            block, found = found, self._behind(found)
        return block

    def _behind(self, block: Block) -> Block | None:
        """What stands behind the block: hangs on its last element, or on one before with a higher client."""
        forks = self._forks.get(block.client, [])
        for clock in forks[bisect_left(forks, block.clock) : bisect_left(forks, block.end)]:
            rival = self._after[block.client, clock]
            if clock == block.end - 1 or rival.client > block.client:
                return rival
        return None
