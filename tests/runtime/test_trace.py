"""What a trace tells of a room, and what it keeps to itself."""

from __future__ import annotations

import pytest

from collab.crdt.checked import Checked
from collab.limits import DEFAULT
from collab.protocol.messages import encode_awareness, encode_status, encode_update
from collab.trace import HELD_MAX, Line, Trace, describe
from tests.runtime.conftest import Bench
from tests.updates import typed


async def test_frames_of_a_room_are_told_decoded_and_without_content(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    trace = Trace(slot, DEFAULT, content=False)
    with trace.watching():
        bench.hub.receive(slot, session, encode_update(typed(7, 0, "secret")))
        bench.hub.tick(slot)
        lines = await trace.lines()
    assert [(line.way, line.what) for line in lines][:2] == [("in", "update"), ("out", "update")]
    assert lines[0].user == "ada" and lines[0].detail["adds"] == ["7: 0-5"] and lines[1].user is None
    assert "secret" not in str(lines)
    assert not slot.taps


async def test_content_is_told_if_it_is_asked_for(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    trace = Trace(slot, DEFAULT, content=True)
    with trace.watching():
        bench.hub.receive(slot, session, encode_update(typed(7, 0, "plain")))
        (line,) = await trace.lines()
    assert line.detail["text"] == "plain"


async def test_a_slow_watcher_loses_old_lines_and_is_told_how_many(bench: Bench) -> None:
    slot, session, _ = await bench.enter()
    trace = Trace(slot, DEFAULT, content=False)
    with trace.watching():
        for number in range(HELD_MAX + 3):
            trace.pass_frame(session, encode_status(bytes([number % 100])))
        lines: list[Line] = await trace.lines()
    assert len(lines) == HELD_MAX and trace.dropped == 3


def test_what_cannot_be_decoded_is_told_as_such() -> None:
    assert describe(b"", DEFAULT, False)[0] == "undecodable"
    assert describe(encode_update(b"\xff\xff"), DEFAULT, True)[0] == "undecodable"
    assert describe(encode_awareness(b"\x00"), DEFAULT, False) == ("awareness", {"body_bytes": 1})


def test_a_large_update_is_not_read_for_who_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it would hold up the loop: it is checked elsewhere, and so is only told to be there."""

    def never(*_: object) -> Checked:
        raise AssertionError

    monkeypatch.setattr("collab.trace.check", never)
    large = typed(1, 0, "x" * DEFAULT.inline_bytes_max)
    assert describe(encode_update(large), DEFAULT, True) == ("update", {"body_bytes": len(large)})
