"""Hypothesis strategies for logs that a room would store: several clients type into one another, and delete."""

from __future__ import annotations

from hypothesis import strategies as st

from collab.protocol.varint import write_varuint as uint
from tests.crdt.grammar import Id, Made, MadeUpdate, sized, units

TEXTS = st.sampled_from(["a", "bc", "hello", "ü", "漢字", "😀", "x😀y"])


@st.composite
def logs(draw: st.DrawFn, clients: tuple[int, ...] = (1, 300, 2**40), size_max: int = 12) -> list[bytes]:
    """Updates, each ready once those before it are known: strings, values, map entries, deletions; some come twice."""
    clocks: dict[int, int] = {}
    inline: list[Id] = []
    keyed: list[Id] = []
    log: list[bytes] = []
    for _ in range(draw(st.integers(0, size_max))):
        kind = draw(st.sampled_from(["type", "type", "type", "values", "key", "delete", "again"]))
        if kind == "again" and log:
            log.append(draw(st.sampled_from(log)))
        elif kind == "delete" and clocks:
            client = draw(st.sampled_from(sorted(clocks)))
            start = draw(st.integers(0, clocks[client] - 1))
            length = draw(st.integers(1, clocks[client] - start))
            log.append(MadeUpdate(deletes={client: [(start, length)]}).encode())
        else:
            client = draw(st.sampled_from(clients))
            clock = clocks.get(client, 0)
            made = _keyed(keyed) if kind == "key" else _inline(draw, kind, inline)
            log.append(MadeUpdate({client: (clock, [made])}).encode())
            clocks[client] = clock + made.length
            (keyed if kind == "key" else inline).append((client, clocks[client] - 1))
    return log


def _keyed(before: list[Id]) -> Made:
    """A value under the one key there is; it replaces the last one."""
    place = {"origin": before[-1]} if before else {"parent": b"m", "key": b"k"}
    return Made(8, 1, b"\x01\x78", **place)


def _inline(draw: st.DrawFn, kind: str, before: list[Id]) -> Made:
    """A string or some values between any two of those that are there."""
    if kind == "values":
        count = draw(st.integers(1, 3))
        made = Made(8, count, uint(count) + b"".join(b"\x7d" + bytes((n,)) for n in range(count)))
    else:
        text = draw(TEXTS)
        made = Made(4, units(text), sized(text.encode()))
    known = st.sampled_from([None, *before])
    made.origin, made.right = draw(known), draw(known)
    if made.origin == made.right:
        made.right = None
    if made.origin is None and made.right is None:
        made.parent = b"t"
    return made
