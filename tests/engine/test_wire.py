"""Frames survive any socket: cut anywhere, and as large as they like."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.engine import wire
from collab.errors import TooLarge

HEADS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(0, 2**53), max_size=4
)
BYTES_MAX = 64 * 1024 * 1024


@settings(deadline=None)
@given(HEADS, st.lists(st.binary(max_size=300), max_size=40), st.integers(1, 500))
def test_a_frame_arrives_as_it_was_sent_however_it_is_cut(head: dict[str, int], blobs: list[bytes], step: int) -> None:
    data = b"".join(wire.pieces(head, blobs))
    incoming = wire.Incoming(BYTES_MAX)
    while (space := incoming.space()) is not None:
        with space:
            part, data = data[: min(step, len(space))], data[min(step, len(space)) :]
            space[: len(part)] = part
        assert part
        incoming.filled(len(part))
    assert incoming.frame() == (head, blobs)
    assert not data


@pytest.mark.parametrize("sizes", [[], [0], [10_000_000], [300_000, 0, 5, 262_144, 262_145], [1] * 30_000])
def test_both_ends_speak_the_same(sizes: list[int]) -> None:
    ours, theirs = socket.socketpair()
    blobs = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    sender = threading.Thread(target=wire.send_blocking, args=(ours, {"n": 1}, blobs))
    with ours, theirs:
        sender.start()
        assert wire.receive_blocking(theirs, BYTES_MAX) == ({"n": 1}, blobs)
        sender.join()


def test_an_announced_size_beyond_the_bound_costs_no_memory() -> None:
    incoming = wire.Incoming(BYTES_MAX)
    announced = wire.PREFIX.pack(2, 1) + (2**40).to_bytes(8, "little")
    space = incoming.space()
    assert space is not None
    space[: len(announced)] = announced
    space.release()
    with pytest.raises(TooLarge):
        incoming.filled(len(announced))


async def test_an_end_in_the_middle_of_a_frame_is_none() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(b"".join(wire.pieces({}, [b"abc"]))[:-1])
    theirs.close()
    with ours:
        assert await wire.receive(asyncio.get_running_loop(), ours, BYTES_MAX) is None
