"""Frames for the wire: what is written once can be taken apart again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.errors import BadFrame
from collab.protocol.frames import frame, messages
from collab.protocol.messages import Kind, decode, decode_large, encode_step1, encode_step2, encode_update
from collab.protocol.varint import VARUINT_MAX, read_varbytes, read_varuint, write_varbytes, write_varuint


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_joined_frames_come_apart_into_the_same_messages(parts: list[bytes]) -> None:
    assert list(messages(b"".join(frame(part) for part in parts))) == parts


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_every_length_form_of_the_header(size: int) -> None:
    wire = frame(b"x" * size)
    assert wire[0] == 0x82
    assert list(messages(wire)) == [b"x" * size]


@given(st.integers(0, VARUINT_MAX))
def test_integers_survive(value: int) -> None:
    data = write_varuint(value)
    assert read_varuint(data, 0) == (value, len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\x80" * 100 + b"\x01"])
def test_integers_that_javascript_would_misread_are_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        read_varuint(data, 0)


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_byte_strings_survive_and_never_read_past_the_end(data: bytes, rest: bytes) -> None:
    wire = write_varbytes(data)
    assert read_varbytes(wire + rest, 0) == (data, len(wire))
    if data:
        with pytest.raises(BadFrame):
            read_varbytes(wire[:-1], 0)


@given(st.binary(max_size=300))
def test_messages_survive(body: bytes) -> None:
    assert decode(encode_step1(body)) == (Kind.STEP1, body)
    assert decode(encode_step2(body)) == (Kind.STEP2, body)
    assert decode(encode_update(body)) == (Kind.UPDATE, body)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_a_bad_frame(data: bytes) -> None:
    try:
        kind, body = decode(data)
    except BadFrame:
        return
    assert isinstance(kind, Kind)
    assert len(body) < len(data)


@given(st.sampled_from([b"\0\0", b"\0\1", b"\0\2", b"\0\3", b"\0"]), st.binary(max_size=300), st.integers(-1, 1))
def test_a_large_sync_message_is_the_same_without_a_copy(head: bytes, body: bytes, off: int) -> None:
    data = head + write_varuint(max(0, len(body) + off)) + body
    try:
        kind, expected = decode(data)
    except BadFrame as refused:
        with pytest.raises(BadFrame, match=refused.detail):
            decode_large(data)
    else:
        read, view = decode_large(data)
        assert (read, bytes(view)) == (kind, expected) and view.obj is data
