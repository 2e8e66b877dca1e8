"""The parser reads what the grammar says, refuses everything else with one error, and takes linear time."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.decode import decode, read_structs
from collab.errors import BadUpdate
from collab.limits import Limits
from tests.crdt import corpus
from tests.crdt.grammar import MadeUpdate, updates


@given(updates())
def test_it_reads_what_was_written(made: MadeUpdate) -> None:
    """Every struct's place, clocks, neighbours and parent, and all deletions."""
    data = made.encode()
    decoded = decode(data)
    assert [section.client for section in decoded.sections] == list(made.sections)
    for section, (clock, structs) in zip(decoded.sections, made.sections.values(), strict=True):
        assert section.clock == clock and len(section.structs) == len(structs)
        assert section.start == section.structs[0].start and section.stop == section.structs[-1].stop
        for found, wanted in zip(section.structs, structs, strict=True):
            assert data[found.start : found.stop] == wanted.encode()
            assert data[found.body : found.stop] == wanted.content
            assert (found.clock, found.end) == (clock, clock + wanted.length)
            assert (found.origin, found.right) == (wanted.origin, wanted.right)
            if wanted.origin is None and wanted.right is None:
                assert (found.parent, found.key) == (wanted.parent, wanted.key)
            clock = found.end
    wanted_deletes = [(c, clock, clock + n) for c, pairs in made.deletes.items() for clock, n in pairs]
    assert decoded.deletes == wanted_deletes


@given(updates(), st.data())
def test_structs_can_be_read_from_the_middle(made: MadeUpdate, data: st.DataObject) -> None:
    """That is how an index is used."""
    update = made.encode()
    for section in decode(update).sections:
        at = data.draw(st.integers(0, len(section.structs) - 1))
        struct = section.structs[at]
        rest = len(section.structs) - at
        assert read_structs(update, struct.start, rest, section.client, struct.clock) == section.structs[at:]


@given(updates(), st.data())
def test_a_part_of_an_update_is_none(made: MadeUpdate, data: st.DataObject) -> None:
    """Cut anywhere, or with anything behind it, it is refused."""
    update = made.encode()
    with pytest.raises(BadUpdate):
        decode(update[: data.draw(st.integers(0, len(update) - 1))])
    with pytest.raises(BadUpdate):
        decode(update + data.draw(st.binary(min_size=1, max_size=3)))


@given(updates(), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_is_refused_or_read_but_never_raises_otherwise(made: MadeUpdate, pokes: list[tuple[int, int]]) -> None:
    """There is one exception for bad bytes."""
    update = bytearray(made.encode())
    for at, byte in pokes:
        update[at % len(update)] = byte
    try:
        decode(bytes(update))
    except BadUpdate as refused:
        assert refused.offset is None or 0 <= refused.offset <= len(update)


@given(st.binary(max_size=60))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    """Bytes from nowhere."""
    try:
        decode(noise)
    except BadUpdate:
        pass


GOLDEN = {
    "a struct without clocks": "01 01 01 00 04 01 01 74 00 00",
    "a client without structs": "01 00 01 00 00",
    "a client twice": "02 01 01 00 04 01 01 74 01 61 01 01 01 04 01 01 74 01 62 00",
    "a gap first": "01 02 01 00 0a 01 04 01 01 74 01 61 00",
    "a gap last": "01 02 01 00 04 01 01 74 01 61 0a 01 00",
    "a GC with flags": "01 01 01 00 80 01 00",
    "a GC of 2^24 + 1 clocks": "01 01 01 00 00 81 80 80 08 00",
    "a clock that ends above 2^31 - 1": "01 01 01 ff ff ff ff 07 04 01 01 74 01 61 00",
    "an origin that is itself": "01 01 01 00 84 01 00 01 61 00",
    "an own parent that is younger": "01 01 01 00 04 00 01 05 01 61 00",
    "a parent that is neither name nor id": "01 01 01 00 04 02 01 74 01 61 00",
    "a hook": "01 01 01 00 07 01 01 78 05 01 68 00",
    "a type that does not exist": "01 01 01 00 07 01 01 78 07 00",
    "content that does not exist": "01 01 01 00 0b 01 01 78 00",
    "a string that is not UTF-8": "01 01 01 00 04 01 01 74 01 ff 00",
    "a lone surrogate": "01 01 01 00 04 01 01 74 03 ed a0 80 00",
    "an integer of nine bytes": "01 01 ff ff ff ff ff ff ff ff 0f 00 04 01 01 74 01 61 00",
    "a client of 2^53": "01 01 80 80 80 80 80 80 80 10 00 04 01 01 74 01 61 00",
    "NaN in JSON": "01 01 01 00 05 01 01 74 03 4e 61 4e 00",
    "JSON that is open": "01 01 01 00 05 01 01 74 01 7b 00",
    "options that are no map": "01 01 01 00 09 01 01 61 01 67 7e 00",
    "an integer value above 2^53": "01 01 01 00 08 01 01 61 01 7d bf ff ff ff ff ff ff 7f 00",
    "a value of no kind": "01 01 01 00 08 01 01 61 01 73 00",
    "an empty deletion": "00 01 01 01 00 00",
    "deletions that overlap": "00 01 01 02 00 05 04 02",
    "deletions out of order": "00 01 01 02 05 01 00 01",
    "deletions of a client twice": "00 02 01 01 00 01 01 01 05 01",
    "a deletion of 2^24 + 1 clocks": "00 01 01 01 00 81 80 80 08",
    "a delete set that announces 127 clients": "00 7f 01 01 00 01",
    "nothing": "",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_refused(name: str) -> None:
    """Each rule by its smallest offender."""
    with pytest.raises(BadUpdate):
        decode(bytes.fromhex(GOLDEN[name]))


def test_an_update_has_so_many_structs() -> None:
    """A GC takes two bytes of an update, and a hundred times as much of the memory of whoever parses it."""
    gcs = b"\x02\x64\x01\x00" + b"\x00\x01" * 100 + b"\x64\x02\x00" + b"\x00\x01" * 100 + b"\x00"
    assert decode(gcs, Limits(structs_max=200)).sections
    with pytest.raises(BadUpdate, match="structs"):
        decode(gcs, Limits(structs_max=199))


@pytest.mark.parametrize(
    "text", ["0", "-1", "1e5", '"a b"', '"\\u00e9\\n"', "[ ]", '{"a": [1, {}]}', " true", "1234567890123456789"]
)
def test_json_that_parses(text: str) -> None:
    """The short way and the long way."""
    assert decode(b"\x01\x01\x01\x00\x05\x01\x01t" + bytes((len(text),)) + text.encode() + b"\x00").sections


@pytest.mark.parametrize("text", ["01", "-", "+1", "'a'", '"\\x"', '"a\nb"', "[1,]", "{a:1}", "tru", "1 2", "\ufeff1"])
def test_json_that_does_not(text: str) -> None:
    """Python's reader and JavaScript's agree on these."""
    written = text.encode()
    with pytest.raises(BadUpdate, match="JSON"):
        decode(b"\x01\x01\x01\x00\x05\x01\x01t" + bytes((len(written),)) + written + b"\x00")


@pytest.mark.parametrize("levels, passes", [(32, True), (33, False)])
def test_values_nest_so_far(levels: int, passes: bool) -> None:
    """Arrays, maps and JSON alike."""
    for content in (
        b"\x08\x01\x01a\x01" + b"\x75\x01" * levels + b"\x7e",
        b"\x08\x01\x01a\x01" + b"\x76\x01\x01k" * levels + b"\x7e",
        b"\x05\x01\x01t" + bytes((2 * levels + 5,)) + b"[" * levels + b'"[[["' + b"]" * levels,
    ):
        update = b"\x01\x01\x01\x00" + content + b"\x00"
        if passes:
            assert decode(update).sections
        else:
            with pytest.raises(BadUpdate, match="nested"):
                decode(update)


def calls_of(data: bytes) -> int:
    """How many calls, of Python or C, the parser makes of these bytes: its cost, without a clock."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        decode(data)
    except BadUpdate:
        pass
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("item", corpus.items("update"), ids=lambda item: item.name)
def test_bombs_cost_no_more_than_their_bytes(item: corpus.Item) -> None:
    """Announced counts and lengths are never believed."""
    assert calls_of(item.data) <= 12 * len(item.data) + 100


def test_whoever_sends_format_v2_is_told_so() -> None:
    """What `Y.encodeStateAsUpdateV2` of yjs 13.6 gives for a map with one key."""
    written = bytes.fromhex("000002a50300000104060100020002026d6103010100000101010001017d0100")
    with pytest.raises(BadUpdate) as refused:
        decode(written)
    assert "V2" in refused.value.detail
