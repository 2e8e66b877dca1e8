"""The generator's reader of Yjs updates, held against pycrdt on documents of every kind, whole, cut and damaged."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText, merge_updates

from collab.protocol.varint import write_varbytes, write_varuint
from collab.replay.arrivals import read_vector
from loadtests.fanout import compiler
from loadtests.fanout.document import write_together
from loadtests.fanout.replay import ROOT, typed

SANITIZED = [*compiler.FLAGS, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ONE_AT_A_TIME_S = 20


def keystroke(client: int, clock: int) -> bytes:
    """The update that the generator sends as a client's edit number `clock`, as Yjs V1 bytes."""
    place = b"\x04\x01" + write_varbytes(ROOT.encode())
    if clock:
        place = b"\x84" + write_varuint(client) + write_varuint(clock - 1)
    letter = bytes([ord("a") + clock % 26])
    return b"\x01\x01" + write_varuint(client) + write_varuint(clock) + place + write_varbytes(letter) + b"\x00"


@pytest.fixture(scope="session")
def walker() -> Path:
    """The generator with the compiler's own checks of memory and arithmetic, where its libraries are installed."""
    try:
        return compiler.generator(SANITIZED)
    except compiler.NoCompiler:
        return compiler.generator()


def walk(walker: Path, updates: list[bytes]) -> list[dict[str, Any]]:
    """What the generator says of each update."""
    fed = b"".join(struct.pack("<I", len(update)) + update for update in updates)
    done = subprocess.run([walker, "--run", "walk"], input=fed, capture_output=True, timeout=ONE_AT_A_TIME_S)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def vector(doc: Doc[Any]) -> dict[int, int]:
    """The state vector of a document."""
    return read_vector(doc.get_state())


def rich_document() -> Doc[Any]:
    """Every kind of content that pycrdt can make: formats, embeds, nested types, any values, bytes, deletions."""
    doc: Doc[Any] = Doc(client_id=77)
    text, array, fields, xml = (
        doc.get("text", type=Text),
        doc.get("array", type=Array),
        doc.get("map", type=Map),
        doc.get("xml", type=XmlFragment),
    )
    text.insert(0, "plain 😀 wide", {"bold": True})
    text.insert_embed(3, {"image": "x"})
    text.format(0, 4, {"italic": None})
    array.extend([1, -5, 2.5, 2**40, True, None, "s", b"\x00\x01", [1, [2]], {"k": {"n": 1}}, Text("inner")])
    fields["nested"] = Map({"a": Array([1, 2])})
    fields["n"] = 1.0
    paragraph = xml.children.append(XmlElement("p", {"class": "x"}))
    paragraph.children.append(XmlText("words"))
    del text[2:6]
    del array[0]
    return doc


def covered(runs: list[list[int]]) -> dict[int, int]:
    """Per client how many clocks the runs cover."""
    clocks: dict[int, int] = {}
    for client, start, end in runs:
        clocks[client] = clocks.get(client, 0) + end - start
    return clocks


def test_whole_documents_cover_their_state_vector(walker: Path) -> None:
    rich = rich_document()
    state, _ = write_together(sittings=8, edits=60, seed=5)
    written: Doc[Any] = Doc()
    written.apply_update(state)
    for doc in (rich, written):
        (told,) = walk(walker, [doc.get_update()])
        assert told["valid"]
        assert covered(told["runs"]) == vector(doc)


def test_a_merged_update_with_a_hole_is_two_runs(walker: Path) -> None:
    first, third = keystroke(9, 0), keystroke(9, 2)
    (told,) = walk(walker, [merge_updates(first, third)])
    assert told == {"runs": [[9, 0, 1], [9, 2, 3]], "valid": True}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 2**53 - 1), st.integers(1, 40)), min_size=1, max_size=6, unique_by=lambda t: t[0])
)
def test_merged_keystrokes_cover_what_was_typed(walker: Path, people: list[tuple[int, int]]) -> None:
    updates = [keystroke(client, clock) for client, edits in people for clock in range(edits)]
    (told,) = walk(walker, [merge_updates(*updates)])
    assert told["valid"]
    assert covered(told["runs"]) == dict(people)


def test_what_a_replay_takes_for_typed_is_what_the_keystrokes_give() -> None:
    one_by_one, at_once = Doc[Text](), Doc[Text]()
    for client, edits in ((7, 60), (2**40, 1), (5, 27)):
        for clock in range(edits):
            one_by_one.apply_update(keystroke(client, clock))
        at_once.apply_update(typed(client, edits))
    assert at_once.get_state() == one_by_one.get_state()
    assert str(at_once.get(ROOT, type=Text)) == str(one_by_one.get(ROOT, type=Text))


RICH = rich_document().get_update()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(RICH) - 1))
def test_a_cut_update_is_invalid_and_harmless(walker: Path, size: int) -> None:
    (told,) = walk(walker, [RICH[:size]])
    assert not told["valid"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(RICH) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.binary(max_size=64),
)
def test_damaged_updates_never_break_the_reader(walker: Path, damage: list[tuple[int, int]], noise: bytes) -> None:
    broken = bytearray(RICH)
    for place, byte in damage:
        broken[place] = byte
    assert len(walk(walker, [bytes(broken), noise])) == 2
