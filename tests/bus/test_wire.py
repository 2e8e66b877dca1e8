"""Bus messages: what is written is read, and what is not one is refused whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.bus.base import BusFrame, Kind
from collab.bus.wire import VERSION, decode, encode
from collab.errors import BadFrame

numbers = st.integers(0, 2**53 - 1)
frames = st.builds(
    BusFrame,
    kind=st.sampled_from(Kind),
    node=st.text(max_size=12),
    document=st.just("doc"),
    lineage=st.text(max_size=16),
    first_seq=numbers,
    last_seq=numbers,
    bodies=st.lists(st.binary(max_size=200), max_size=4).map(tuple),
)


@given(st.lists(frames, max_size=5))
def test_a_message_gives_back_its_frames(sent: list[BusFrame]) -> None:
    assert list(decode(VERSION + b"".join(map(encode, sent)), "doc")) == sent


@given(frames, st.data())
def test_a_message_that_was_cut_is_refused(frame: BusFrame, data: st.DataObject) -> None:
    message = VERSION + encode(frame)
    cut = data.draw(st.integers(2, len(message) - 1))
    with pytest.raises(BadFrame):
        list(decode(message[:cut], "doc"))


@given(st.binary(max_size=60))
def test_any_bytes_are_frames_or_a_bad_frame(message: bytes) -> None:
    try:
        list(decode(message, "doc"))
    except BadFrame:
        pass
