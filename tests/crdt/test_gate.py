"""What the gate tells the room, and what only a look at several structs can refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.gate import check, check_state_vector
from collab.errors import BadUpdate
from collab.limits import Limits
from collab.protocol.varint import write_varuint as uint
from tests.crdt.grammar import Made, MadeUpdate, updates


@given(updates())
def test_runs_needs_and_deletes(made: MadeUpdate) -> None:
    """As the grammar knows them."""
    data = made.encode()
    checked = check(data)
    assert checked.raw is data
    assert list(checked.runs) == made.runs()
    assert list(checked.deletes) == [(c, at, at + n) for c, pairs in made.deletes.items() for at, n in pairs]
    needs: dict[int, int] = {}
    for client, (_, structs) in made.sections.items():
        for struct in structs:
            for reference in (struct.origin, struct.right, struct.parent):
                if isinstance(reference, tuple) and reference[0] != client:
                    needs[reference[0]] = max(needs.get(reference[0], 0), reference[1] + 1)
    assert dict(checked.needs) == needs
    assert checked.count == sum(len(structs) for _, structs in made.sections.values())


def text(length: int = 1, **place: object) -> Made:
    return Made(4, length, uint(length) + b"x" * length, **place)  # type: ignore[arg-type]


def test_circles_are_refused() -> None:
    """Two clients' structs that wait for each other would wait in every reader for ever."""
    circle = MadeUpdate({2: (5, [text(origin=(1, 8))]), 1: (8, [text(right=(2, 5))])})
    with pytest.raises(BadUpdate, match="circle"):
        check(circle.encode())


def test_what_only_looks_like_a_circle_passes() -> None:
    """References across clients, to what the update brings before or after, or does not bring at all."""
    crossing = MadeUpdate(
        {
            3: (0, [text(origin=(2, 0)), text(origin=(2, 9))]),
            2: (0, [text(parent=b"t"), text(origin=(3, 0)), text(origin=(1, 0))]),
            1: (0, [text(origin=(3, 4))]),
        }
    )
    assert check(crossing.encode()).needs == {1: 1, 2: 10, 3: 5}


def test_a_long_zigzag_between_two_clients_is_no_circle() -> None:
    """Each struct hangs on the other client's last one."""
    structs = {client: [text(origin=(3 - client, at)) for at in range(500)] for client in (1, 2)}
    structs[1][0] = text(parent=b"t")
    structs[1][1:] = [text(origin=(2, at)) for at in range(499)]
    assert check(MadeUpdate({2: (0, structs[2]), 1: (0, structs[1])}).encode()).count == 1000


@pytest.mark.parametrize("holder, passes", [(Made(7, 1, b"\x01"), True), (Made(1, 1, b"\x01"), True), (text(), False)])
def test_only_types_have_children(holder: Made, passes: bool) -> None:
    """A deleted type may have some left; a string never had."""
    holder.parent = b"a"
    update = MadeUpdate({1: (0, [holder, text(parent=(1, 0))])}).encode()
    if passes:
        check(update)
    else:
        with pytest.raises(BadUpdate, match="no type"):
            check(update)


@pytest.mark.parametrize("value", [Made(6, 1, b"\x01b\x04true"), text(2), Made(8, 2, b"\x02\x78\x78")])
def test_a_key_holds_one_value(value: Made) -> None:
    """yrs cannot read a map with a format in it; yjs throws when it collects half of several values."""
    value.parent, value.key = b"m", b"k"
    with pytest.raises(BadUpdate, match="key"):
        check(MadeUpdate({1: (0, [value])}, {1: [(0, value.length - 1)] if value.length > 1 else []}).encode())


def test_deleted_values_of_a_key_may_be_several() -> None:
    """That is how yjs keeps a key that was set often."""
    check(MadeUpdate({1: (0, [Made(1, 5, b"\x05", parent=b"m", key=b"k")])}).encode())
    several = Made(8, 2, b"\x02\x78\x78", parent=b"m", key=b"k")
    check(MadeUpdate({1: (0, [several])}, {1: [(0, 2)]}).encode())


@pytest.mark.parametrize("depth, passes", [(256, True), (257, False)])
def test_types_nest_so_far(depth: int, passes: bool) -> None:
    """Within one client or from client to client."""
    for clients in (1, 2):
        structs: dict[int, list[Made]] = {client: [] for client in range(1, clients + 1)}
        parent: object = b"a"
        for at in range(depth + 1):
            client = at % clients + 1
            structs[client].append(Made(7, 1, b"\x01", parent=parent))  # type: ignore[arg-type]
            parent = (client, len(structs[client]) - 1)
        update = MadeUpdate({client: (0, row) for client, row in structs.items()}).encode()
        if passes:
            check(update)
        else:
            with pytest.raises(BadUpdate, match="nested"):
                check(update)


CLOCKS = st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**31 - 1), max_size=8)


def vector(pairs: list[tuple[int, int]]) -> bytes:
    return uint(len(pairs)) + b"".join(uint(client) + uint(clock) for client, clock in pairs)


@given(CLOCKS)
def test_state_vectors_are_read(clocks: dict[int, int]) -> None:
    """Client to clock."""
    assert check_state_vector(vector(list(clocks.items()))) == clocks


@given(CLOCKS, st.data())
def test_a_part_of_a_state_vector_is_none(clocks: dict[int, int], data: st.DataObject) -> None:
    """Neither is more than one."""
    whole = vector(list(clocks.items()))
    for bad in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\x00"):
        with pytest.raises(BadUpdate):
            check_state_vector(bad)


@pytest.mark.parametrize(
    "bad",
    [b"", vector([(1, 5), (1, 5)]), vector([(2**53, 1)]), vector([(1, 2**31)]), b"\xff\xff\xff\xff\x0f", b"\x01\x01"],
)
def test_bad_state_vectors_are_refused(bad: bytes) -> None:
    """Empty bytes, twice the same client, too large, a bomb, too short."""
    with pytest.raises(BadUpdate):
        check_state_vector(bad)


def test_a_state_vector_has_a_size() -> None:
    """Whatever it says."""
    with pytest.raises(BadUpdate, match="bytes"):
        check_state_vector(vector([(n, n) for n in range(100)]), Limits(state_vector_bytes_max=100))
