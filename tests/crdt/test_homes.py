"""Which value of a key is the last: against the list that yjs' integration builds, item by item."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.block import Block, read_blocks
from collab.crdt.decode import decode
from collab.crdt.homes import NOWHERE, Homes, replaced
from tests.crdt.grammar import Id, Made, MadeUpdate


def integrate(values: list[tuple[Id, Id | None]]) -> list[Id]:
    """The list of (id, origin) items without right origins, as `Item.integrate` of yjs orders it."""
    row: list[tuple[Id, Id | None]] = []
    for item, origin in values:
        ids = [each for each, _ in row]
        left = ids.index(origin) if origin is not None else -1
        conflicting: set[Id] = set()
        before: set[Id] = set()
        for at in range(left + 1, len(row)):
            other, other_origin = row[at]
            before.add(other)
            conflicting.add(other)
            if other_origin == origin:
                if other[0] < item[0]:
                    left = at
                    conflicting.clear()
                else:
                    break
            elif other_origin in before:
                if other_origin not in conflicting:
                    left = at
                    conflicting.clear()
            else:
                break
        row.insert(left + 1, (item, origin))
    return [each for each, _ in row]


@st.composite
def values(draw: st.DrawFn) -> list[tuple[Id, Id | None]]:
    """Items of up to four clients, in causal order; each replaces any older one, or none."""
    clocks = dict.fromkeys((1, 2, 3, 4), 0)
    out: list[tuple[Id, Id | None]] = []
    for _ in range(draw(st.integers(1, 12))):
        client = draw(st.sampled_from(sorted(clocks)))
        origin = draw(st.sampled_from([None, *(item for item, _ in out)]))
        out.append(((client, clocks[client]), origin))
        clocks[client] += 1
    return out


def homes_of(items: list[tuple[Id, Id | None]], joined: bool) -> Homes:
    """The items as blocks; with `joined` deleted ones that follow each other are one block, as folding leaves them."""
    sections: dict[int, tuple[int, list[Made]]] = {}
    for (client, clock), origin in sorted(items, key=lambda item: item[0]):
        row = sections.setdefault(client, (0, []))[1]
        if joined and row and origin == (client, clock - 1):
            row[-1].length += 1
            row[-1].content = bytes((row[-1].length,))
        else:
            place = {"origin": origin} if origin else {"parent": b"m", "key": b"k"}
            row.append(Made(1, 1, b"\x01", **place))
    update = MadeUpdate(sections).encode()
    return Homes({section.client: read_blocks(update, section) for section in decode(update).sections})


@given(values(), st.booleans())
def test_the_last_of_the_list_stays(items: list[tuple[Id, Id | None]], joined: bool) -> None:
    """Every block but that of the last item has been replaced."""
    last = integrate(items)[-1]
    homes = homes_of(items, joined)
    blocks = [block for row in homes.rows.values() for block in row]
    (held,) = homes.keyed.values()
    assert sorted(map(id, held)) == sorted(map(id, blocks))
    kept = [block for block in blocks if block not in replaced(held)]
    assert len(kept) == 1
    assert kept[0].client == last[0] and kept[0].clock <= last[1] < kept[0].end


def rows(update: MadeUpdate) -> Homes:
    data = update.encode()
    return Homes({section.client: read_blocks(data, section) for section in decode(data).sections})


def block(homes: Homes, client: int, clock: int) -> Block:
    return homes.block_at(client, clock)


def test_homes_are_inherited_from_neighbours() -> None:
    """From the left one, else from the right one, over any number of them."""
    homes = rows(
        MadeUpdate(
            {
                2: (0, [Made(4, 1, b"\x01c", right=(1, 2)), Made(4, 1, b"\x01d", origin=(2, 0))]),
                1: (0, [Made(7, 1, b"\x02", parent=b"a"), Made(4, 2, b"\x02ab", parent=(1, 0))]),
            }
        )
    )
    holder = block(homes, 1, 0)
    assert homes.of(holder).root == b"a" and homes.types == [holder]
    for place in ((1, 1), (1, 2), (2, 0), (2, 1)):
        assert homes.of(block(homes, *place)).type is holder


def test_beside_the_collected_is_nowhere() -> None:
    """A GC has no place to hand on."""
    homes = rows(
        MadeUpdate(
            {
                2: (0, [Made(8, 1, b"\x01\x78", origin=(1, 0)), Made(8, 1, b"\x01\x78", origin=(2, 0))]),
                1: (
                    0,
                    [Made(0, 1, b"\x01"), Made(7, 1, b"\x01", parent=(1, 0)), Made(8, 1, b"\x01\x78", parent=(1, 1))],
                ),
            }
        )
    )
    assert all(homes.of(each) is NOWHERE for row in homes.rows.values() for each in row)


def test_a_right_neighbour_under_a_key_says_nothing() -> None:
    """Nobody writes such items; nothing is concluded from them."""
    homes = rows(
        MadeUpdate(
            {
                2: (0, [Made(8, 1, b"\x01\x78", right=(1, 0))]),
                1: (0, [Made(8, 1, b"\x01\x78", parent=b"m", key=b"k")]),
            }
        )
    )
    assert [replaced(held) for held in homes.keyed.values()] == [[]]
