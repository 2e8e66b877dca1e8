"""One CRDT client id, two nodes: a cloned tab is told, a client that moved takes over, whoever was first stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from collab.bus.base import BusFrame, Kind
from collab.claims import decode_claims, encode_claims
from collab.core.session import Session
from collab.errors import AuthorIdInUse, SlowReader
from collab.protocol.messages import encode_step2, encode_update
from collab.slot import Slot
from tests.fakes import Recorder
from tests.patience import PATIENCE_S
from tests.runtime.pairs import Node, Pair, until
from tests.updates import typed

HELLO = typed(1, 0, "hello")
AGAIN = typed(1, 5, " again")
Place = tuple[Node, Slot, Session, Recorder]


@pytest.fixture(autouse=True)
async def in_time(anyio_backend: str) -> AsyncIterator[None]:
    async with asyncio.timeout(PATIENCE_S):
        yield


async def settled(*places: Place) -> None:
    for node, *_ in places:
        await node.settled()


def say(place: Place, frame: bytes) -> None:
    node, slot, session, _ = place
    node.hub.receive(slot, session, frame)
    node.hub.tick(slot)


async def both(pair: Pair) -> tuple[Place, Place]:
    """A session on each node, of which the first has typed as client 1, and the second knows it."""
    a: Place = (pair.one, *await pair.one.enter())
    b: Place = (pair.two, *await pair.two.enter())
    say(a, encode_update(HELLO))
    await settled(a)
    await until(lambda: b[1].room.ledger.seq == 1)
    return a, b


def answers_pings(outbox: Recorder) -> None:
    outbox.ping = lambda: setattr(outbox, "answered", True)  # type: ignore[method-assign]


async def test_a_cloned_tab_on_another_node_is_told_and_nothing_of_it_is_taken(pair: Pair) -> None:
    a, b = await both(pair)
    answers_pings(a[3])
    say(b, encode_update(typed(1, 5, "clone")))
    await until(lambda: b[3].closed is not None)
    assert isinstance(b[3].closed, AuthorIdInUse)
    assert a[3].closed is None
    say(a, encode_update(AGAIN))
    await settled(a, b)
    await until(lambda: b[1].room.history.clocks.next == {1: 11})
    log = await pair.store.log.read("doc", 0, 10)
    assert [entry.update for row in log for entry in row.entries] == [HELLO, AGAIN]


async def test_a_client_that_moved_takes_over_from_its_half_dead_socket(pair: Pair) -> None:
    a, b = await both(pair)
    say(b, encode_step2(AGAIN))
    say(b, encode_update(typed(1, 11, "!")))
    await until(lambda: a[3].pings == 1)
    assert b[1].room.history.clocks.next == {1: 5}, "the old socket has two seconds"
    await until(lambda: a[3].closed is not None)
    assert isinstance(a[3].closed, SlowReader)
    await settled(b)
    await until(lambda: a[1].room.history.clocks.next == {1: 12})
    assert b[3].closed is None
    assert a[1].room.authors.held_here() == []
    await until(lambda: a[1].room.authors.held_by("two") == [1])


async def test_a_client_that_left_may_go_on_elsewhere_at_once(pair: Pair) -> None:
    a, b = await both(pair)
    a[0].hub.leave(a[1], a[2])
    say(b, encode_update(AGAIN))
    assert b[1].room.history.clocks.next == {1: 11}
    assert b[1].room.authors.held_here() == [1]


async def test_what_waits_is_taken_when_the_other_connection_ends(pair: Pair) -> None:
    a, b = await both(pair)
    say(b, encode_update(AGAIN))
    assert b[1].room.history.clocks.next == {1: 5}
    a[0].hub.leave(a[1], a[2])
    assert b[1].room.history.clocks.next == {1: 11}


async def test_a_relay_of_what_was_typed_elsewhere_is_no_second_writer(pair: Pair) -> None:
    a, b = await both(pair)
    answers_pings(a[3])
    say(b, encode_update(AGAIN))  # as one tab passes on what another typed
    say(a, encode_update(AGAIN))
    await settled(a, b)
    await until(lambda: b[1].room.history.clocks.next == {1: 11})
    await until(lambda: not b[1].room.authors.contests)
    assert b[3].closed is None


async def test_the_holder_on_a_node_that_is_gone_keeps_nobody_waiting(pair: Pair) -> None:
    _, b = await both(pair)
    pair.one.bus.lost = pair.two.bus.lost = True
    say(b, encode_update(AGAIN))
    assert b[1].room.history.clocks.next == {1: 5}
    began = asyncio.get_running_loop().time()
    await until(lambda: b[1].room.history.clocks.next == {1: 11})
    assert asyncio.get_running_loop().time() - began < 2.0, "a node that does not even say that it asks"
    assert b[3].closed is None


async def test_a_node_that_opens_the_document_later_learns_whose_ids_are_whose(pair: Pair) -> None:
    a: Place = (pair.one, *await pair.one.enter())
    say(a, encode_update(HELLO))
    await settled(a)
    answers_pings(a[3])
    b: Place = (pair.two, *await pair.two.enter())
    assert b[1].room.authors.held_by("one") == [1]
    say(b, encode_update(AGAIN))
    await until(lambda: isinstance(b[3].closed, AuthorIdInUse))


@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_that_took_an_id_while_the_bus_was_away_the_second_is_told(pair: Pair, first: int) -> None:
    places: list[Place] = [(node, *await node.enter()) for node in (pair.one, pair.two)]
    for bus in (pair.one.bus, pair.two.bus):
        bus.lost = True
    for at, number in enumerate((first, 1 - first)):
        places[number][0].hub.neighbours.claims._clock = lambda at=at: 1000.0 + at
        say(places[number], encode_update(typed(1, 0, f"by {number}")))
        answers_pings(places[number][3])
    for bus in (pair.one.bus, pair.two.bus):
        bus.lost = False
    for node in (pair.one, pair.two):
        node.hub.neighbours._ask_everywhere()
    await until(lambda: places[1 - first][3].closed is not None)
    assert isinstance(places[1 - first][3].closed, AuthorIdInUse)
    assert places[first][3].closed is None


async def test_a_node_that_is_buried_holds_nothing(pair: Pair) -> None:
    a, b = await both(pair)
    say(b, encode_update(AGAIN))
    a[0].hub.neighbours.goodbye()
    assert b[1].room.history.clocks.next == {1: 11}
    assert b[1].room.authors.held_by("one") == []


def test_claims_are_read_as_they_were_written() -> None:
    claims = [(1, 0), (2**32 - 1, 1_764_000_000_000)]
    assert list(decode_claims(encode_claims(claims))) == claims


@pytest.mark.parametrize("bodies", [(), (b"\x80",), (b"\x01",), (b"\x01\x00", b"")])
async def test_a_frame_that_is_none_ends_its_room_only(pair: Pair, bodies: tuple[bytes, ...]) -> None:
    a, b = await both(pair)
    other: Place = (pair.two, *await pair.two.enter("other"))
    pair.one.bus.publish(BusFrame(Kind.CLAIM, "one", "doc", a[1].room.lineage, bodies=bodies))
    assert b[3].closed is not None
    assert other[3].closed is None
