"""Large frames share one rate of reading over the node, however many send them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from collab.limits import KIB, Limits
from collab.sockets.arrivals import READ_BYTES, READ_COUNTS_BYTES, Arrivals
from collab.sockets.fast import FastProtocol
from collab.sockets.intake import Intake

RATE = 1024 * KIB


def arrivals_of(burst: int = READ_BYTES) -> Arrivals:
    return Arrivals(Limits(arriving_bytes_per_s=RATE, arriving_bytes_burst=burst))


def test_all_who_send_large_frames_share_one_rate() -> None:
    arrivals = arrivals_of()
    assert arrivals.read(READ_BYTES, 10.0) == 0.0
    pauses = [arrivals.read(READ_BYTES, 10.0) for _ in range(4)]
    assert pauses == pytest.approx([READ_BYTES / RATE * turn for turn in (1, 2, 3, 4)])
    assert arrivals.read(READ_BYTES, 20.0) == 0.0, "what was not used for long is there again"


def test_small_reads_cost_more_than_their_bytes() -> None:
    arrivals = arrivals_of(READ_COUNTS_BYTES)
    assert arrivals.read(1, 10.0) == 0.0
    assert arrivals.read(1, 10.0) == pytest.approx(READ_COUNTS_BYTES / RATE)


class Stand:
    """A protocol, as far as reading for it needs one."""

    def __init__(self) -> None:
        self.is_arriving = True
        self.sockets = SimpleNamespace(arrivals=arrivals_of(), hub=SimpleNamespace(turns=SimpleNamespace(spent_s=0.0)))
        self.buffer = bytearray(4 * READ_BYTES)
        self.updated: list[int] = []
        self.rests: list[float] = []
        self.counted = 0

    def get_buffer(self, hint: int) -> memoryview:
        return memoryview(self.buffer)

    def buffer_updated(self, size: int) -> None:
        self.updated.append(size)

    def count_arriving(self) -> None:
        self.counted += 1

    def rest(self, pause_s: float) -> None:
        self.rests.append(pause_s)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    cpu = iter(range(100))
    loop = SimpleNamespace(time=lambda: 10.0)
    monkeypatch.setattr("collab.sockets.intake.thread_time", lambda: float(next(cpu)))
    monkeypatch.setattr("collab.sockets.intake.asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    return Stand()


def _read(intake: Intake, size: int) -> None:
    """As a loop does."""
    assert len(intake.get_buffer(-1)) == READ_BYTES, "the rest of the buffer is for the next time"
    intake.buffer_updated(size)


def test_while_one_arrives_some_of_it_is_read_at_a_time_and_then_nothing_for_a_while(stand: Stand) -> None:
    intake = Intake(cast(FastProtocol, stand))
    _read(intake, READ_BYTES)
    _read(intake, READ_BYTES)
    assert stand.updated == [READ_BYTES, READ_BYTES] and stand.counted == 2
    assert stand.rests == pytest.approx([0.0, READ_BYTES / RATE])


def test_reading_it_spaces_no_ticks_but_what_its_end_brings_does(stand: Stand) -> None:
    intake, turns = Intake(cast(FastProtocol, stand)), stand.sockets.hub.turns
    _read(intake, READ_BYTES)
    assert turns.spent_s == 1.0, "from asking for the buffer to its bytes being put aside"
    stand.is_arriving = False
    _read(intake, 100)
    assert turns.spent_s == 1.0 and stand.counted == 1


@pytest.mark.parametrize("name", ["connection_lost", "pause_writing", "resume_writing", "eof_received"])
def test_all_else_is_the_protocols(name: str) -> None:
    seen: list[tuple[Any, ...]] = []
    intake = Intake(cast(FastProtocol, SimpleNamespace(**{name: lambda *args: seen.append(args)})))
    arguments = (None,) if name == "connection_lost" else ()
    getattr(intake, name)(*arguments)
    assert seen == [arguments]
