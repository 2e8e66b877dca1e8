"""Authors on a simulated server that joins, delays and repeats frames as it likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, merge_updates

from collab.replay.author import Author
from collab.replay.flight import Flight
from collab.replay.schedule import Schedule
from collab.replay.screen import Screen, Typed
from collab.replay.trace import Patch, Trace
from tests.replay.lanes import lanes_trace


class Wire:
    """One author's link: what it sends lies at the server, what it shall get lies in `inbound`."""

    def __init__(self, receive: Callable[[bytes], None], server: Server) -> None:
        self.live, self.saved = True, 0
        self.inbound: list[bytes] = []
        self.receive = receive
        self._server = server

    def send(self, update: bytes) -> None:
        self._server.gathered.append((self, update))


class Server:
    """Joins what came in one turn into one frame, like a room's tick."""

    def __init__(self) -> None:
        self.gathered: list[tuple[Wire, bytes]] = []
        self.wires: list[Wire] = []

    def connect(self, replica: Doc[Any], receive: Callable[[bytes], None]) -> Wire:
        self.wires.append(Wire(receive, self))
        return self.wires[-1]

    def tick(self) -> None:
        if self.gathered:
            frame = merge_updates(*(update for _, update in self.gathered))
            sole = self.gathered[0][0] if len({id(wire) for wire, _ in self.gathered}) == 1 else None
            self.gathered.clear()
            for wire in self.wires:
                if wire is not sole:
                    wire.inbound.append(frame)


class WatchedScreen(Screen):
    """Remembers what was on it before each transaction."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__("text", ascii_only=False)
        self._seen = seen

    def type(self, patches: Iterable[Patch]) -> Typed | None:
        self._seen.append(str(self))
        return super().type(patches)


def play(trace: Trace, seed: int, per_turn: int, per_frame: int) -> tuple[list[Author], list[list[str]]]:
    random, server, schedule, flight = Random(seed), Server(), Schedule(trace), Flight(trace.agent_count)
    authors = [Author(agent, trace, schedule, flight, "text", server.connect) for agent in range(trace.agent_count)]
    seen: list[list[str]] = [[] for _ in authors]
    for author, notes in zip(authors, seen, strict=True):
        author.screen = WatchedScreen(notes)
    for _ in range(200 * len(trace) + 1000):
        author = random.choice(authors)
        match random.randrange(4):
            case 0:
                server.tick()
            case 1:
                wire = random.choice(server.wires)
                if wire.inbound:
                    frame = wire.inbound.pop(0)
                    wire.receive(frame)
                    if random.random() < 0.1:
                        wire.receive(frame)  # an echo
            case _:
                author.turn(per_turn, per_frame)
        author.link.saved = author.sent
        if all(author.done for author in authors):
            break
    return authors, seen


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32), st.integers(2, 4), st.integers(1, 20))
def test_each_types_key_by_key_on_exactly_the_text_that_the_original_saw(
    seed: int, luck: int, agents: int, per_turn: int
) -> None:
    trace, before = lanes_trace(seed, agents, 40)
    authors, seen = play(trace, luck, per_turn, per_frame=1)
    assert [str(author.screen) for author in authors] == [trace.end] * agents
    schedule = Schedule(trace)
    assert seen == [[before[index] for index in own] for own in schedule.own]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32), st.integers(1, 4), st.integers(2, 50))
def test_many_edits_in_one_frame_end_in_the_same_text(seed: int, luck: int, agents: int, per_frame: int) -> None:
    trace, _ = lanes_trace(seed, agents, 60)
    authors, seen = play(trace, luck, 50, per_frame)
    assert [str(author.screen) for author in authors] == [trace.end] * agents
    assert sum(map(len, seen)) <= len(trace)
