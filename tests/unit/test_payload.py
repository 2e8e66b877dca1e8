"""The bytes of a log row: what goes in comes out, and nothing else passes for a row."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from collab.store.payload import CHECKSUM_BYTES, checksum, decode_entries, encode_entries
from collab.types import Entry

name = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
few_names = st.sampled_from(["", "ann", "böb 😀", "a" * 200])
entries = st.lists(
    st.builds(Entry, few_names | name, few_names | name, st.binary(max_size=300)), min_size=1, max_size=8
)


@given(entries=entries)
def test_entries_come_back_as_they_were(entries: list[Entry]) -> None:
    assert decode_entries(encode_entries(entries)) == entries


@given(entries=entries, cut=st.integers(1, 50))
def test_a_payload_that_was_cut_is_refused(entries: list[Entry], cut: int) -> None:
    payload = encode_entries(entries)
    with pytest.raises(ValueError):
        decode_entries(payload[:-cut])


@given(entries=entries, extra=st.binary(min_size=1, max_size=20))
def test_a_payload_with_bytes_after_it_is_refused(entries: list[Entry], extra: bytes) -> None:
    with pytest.raises(ValueError):
        decode_entries(encode_entries(entries) + extra)


@given(data=st.binary(max_size=60))
@example(b"")
@example(b"\x01\x00")  # no entry
@example(b"\x01\x01\x00\x00")  # "as before", but there is none before
@example(b"\x01\xff\xff\xff\xff\xff\xff\xff\x0f")  # 2^53 entries announced
@example(b"\x01\x01\xff\xff\xff\xff\xff\xff\xff\x0f")  # an author of 2^53 bytes
@example(b"\x02" + encode_entries([Entry("a", "b", b"c")])[1:])  # a later format
@example(b"\x01\x01\x02\xff\x00\x00")  # an author that is no text
def test_bytes_from_elsewhere_are_refused_or_are_a_payload(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        try:
            found = decode_entries(candidate)
        except ValueError:
            continue
        assert found and decode_entries(encode_entries(found)) == found


def test_a_burst_of_one_author_names_them_once() -> None:
    burst = [Entry("somebody", "session", b"x") for _ in range(100)]
    assert len(encode_entries(burst)) < 100 * 3 + 30


def test_nothing_is_no_row() -> None:
    with pytest.raises(ValueError):
        encode_entries([])


@given(data=st.binary(min_size=1, max_size=400), bit=st.integers(0, 10_000))
def test_a_flipped_bit_changes_the_checksum(data: bytes, bit: int) -> None:
    flipped = bytearray(data)
    flipped[bit // 8 % len(data)] ^= 1 << bit % 8
    assert checksum("L1", data) != checksum("L1", bytes(flipped))
    assert len(checksum("L1", data)) == CHECKSUM_BYTES


@given(data=st.binary(max_size=50), lineages=st.tuples(st.text("0123456789abcdef"), st.text("0123456789abcdef")))
def test_a_checksum_holds_for_one_lineage(data: bytes, lineages: tuple[str, str]) -> None:
    assume(lineages[0] != lineages[1])
    assert checksum(lineages[0], data) != checksum(lineages[1], data)


@given(one=st.binary(max_size=20), two=st.binary(max_size=20), cut=st.integers(0, 40))
def test_state_and_index_cannot_be_shifted_into_each_other(one: bytes, two: bytes, cut: int) -> None:
    whole = one + two
    assume(cut != len(one) and cut <= len(whole))
    assert checksum("L1", one, two) != checksum("L1", whole[:cut], whole[cut:])
