"""A real document for joins and memory: typed, corrected and reworked by several authors, always the same bytes' worth.

Generated, not downloaded: a seeded simulation of people writing in turns, with deletions and inserts in the
middle, so that the encoded state has the many short runs and deleted ranges that real documents have.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from pycrdt import Doc, Text

from collab.protocol.varint import read_varuint
from loadtests.fanout.cache import build_once

AUTHORS = 6
SITTINGS = 30  # turns at the keyboard, authors one after the other
EDITS_PER_SITTING = 220
SEED = 20_261_123
FIRST_CLIENT_ID = 0x40000000  # as in the generator: author n is writer n of room 0
LETTERS = "etaoin shrdlu cmfwyp vbgkqj xz "


@dataclass(frozen=True)
class Document:
    """An encoded document, its text, and per author the clock that a client which has all of it holds."""

    state: bytes
    text: str
    clocks: tuple[int, ...]


def real_document() -> Document:
    """The benchmark's document (over 100 KB encoded), made on first use and cached."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = build_once(f"document-{source}", _build)
    told = json.loads((folder / "document.json").read_text())
    return Document((folder / "state").read_bytes(), told["text"], tuple(told["clocks"]))


def _build(folder: Path) -> None:
    state, text = write_together(SITTINGS, EDITS_PER_SITTING, SEED)
    (folder / "state").write_bytes(state)
    (folder / "document.json").write_text(json.dumps({"text": text, "clocks": clocks_in(state)}))


def write_together(sittings: int, edits: int, seed: int) -> tuple[bytes, str]:
    """Lets the authors write in turns; returns the encoded state and the text."""
    chance = random.Random(seed)
    state, text = b"\x00\x00", ""
    for sitting in range(sittings):
        doc: Doc[Text] = Doc(client_id=FIRST_CLIENT_ID + sitting % AUTHORS)
        doc.apply_update(state)
        shared = doc.get("text", type=Text)
        for _ in range(edits):
            _edit(doc, shared, chance)
        state, text = doc.get_update(), str(shared)
    return state, text


def _edit(doc: Doc[Text], text: Text, chance: random.Random) -> None:
    """One burst: some words at a place of the document, sometimes struck out again, each change on its own."""
    size = len(text)
    at = chance.randint(0, size)
    if size > 40 and chance.random() < 0.3:
        start = min(at, size - 12)
        del text[start : start + chance.randint(1, 12)]
        return
    with doc.transaction():
        text.insert(at, "".join(chance.choices(LETTERS, k=chance.randint(1, 9))))


def clocks_in(state: bytes) -> tuple[int, ...]:
    """Per author the next clock in an encoded document; authors who have not written have 0."""
    doc: Doc[Text] = Doc()
    doc.apply_update(state)
    vector = doc.get_state()
    count, offset = read_varuint(vector, 0)
    clocks = [0] * AUTHORS
    for _ in range(count):
        client, offset = read_varuint(vector, offset)
        clocks[client - FIRST_CLIENT_ID], offset = read_varuint(vector, offset)
    return tuple(clocks)
