"""Documents by pycrdt, an implementation of its own: all that it sends passes, and it reads a fold as the original."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, UndoManager, XmlElement, XmlFragment, XmlText, merge_updates

from collab.crdt.fold import fold, verify
from collab.crdt.gate import check

PLAIN = (None, True, 7, -2.5, "word", "ü😀", [1, [2]], {"a": {"b": None}}, b"\0\1")


class Peer:
    """One document with all kinds of roots; what it changes by itself goes to `sent`."""

    def __init__(self, rng: random.Random, sent: list[bytes]) -> None:
        self.rng = rng
        self.doc: Doc[Any] = Doc(client_id=rng.randrange(2**32))
        self.text, self.map = self.doc.get("t", type=Text), self.doc.get("m", type=Map)
        self.array, self.body = self.doc.get("a", type=Array), self.doc.get("x", type=XmlFragment)
        self.undo = UndoManager(scopes=[self.text, self.map, self.array], capture_timeout_millis=0)
        self.listening = self.doc.observe(lambda event: sent.append(event.update))

    def value(self) -> Any:
        if self.rng.random() < 0.6:
            return self.rng.choice(PLAIN)
        return self.rng.choice((lambda: Map({"x": 1}), lambda: Array([1, 2]), lambda: Text("abc")))()

    def act(self) -> None:
        """Edits a little, or takes it back."""
        roll = self.rng.random()
        if roll < 0.15:
            (self.undo.undo if roll < 0.1 else self.undo.redo)()
            return
        with self.doc.transaction():
            for _ in range(self.rng.randint(1, 3)):
                self.rng.choice((self.edit_text, self.edit_text, self.edit_map, self.edit_array, self.edit_body))()

    def edit_text(self) -> None:
        length = len(self.text)
        if length and self.rng.random() < 0.4:
            at = self.rng.randrange(length)
            del self.text[at : min(length, at + self.rng.randint(1, 4))]
        else:
            attributes = {"bold": True} if self.rng.random() < 0.2 else None
            self.text.insert(self.rng.randint(0, length), self.rng.choice(("a", "bc", "hello")), attributes)

    def edit_map(self) -> None:
        key = self.rng.choice("kl")
        if key in self.map and self.rng.random() < 0.3:
            del self.map[key]
        else:
            self.map[key] = self.value()

    def edit_array(self) -> None:
        if len(self.array) and self.rng.random() < 0.4:
            del self.array[self.rng.randrange(len(self.array))]
        else:
            self.array.insert(self.rng.randint(0, len(self.array)), self.value())

    def edit_body(self) -> None:
        children = self.body.children
        if len(children) and self.rng.random() < 0.3:
            del children[self.rng.randrange(len(children))]
        else:
            paragraph = XmlElement("p", {"class": "x"}, [XmlText("hi")])
            children.append(paragraph if self.rng.random() < 0.6 else XmlText("z"))

    def shown(self) -> tuple[Any, ...]:
        return str(self.text), self.map.to_py(), self.array.to_py(), str(self.body)


def applied(updates: list[bytes]) -> Peer:
    reader = Peer(random.Random(0), [])
    for update in updates:
        reader.doc.apply_update(update)
    return reader


@pytest.mark.parametrize("seed", range(40))
def test_pycrdt_reads_the_fold_of_what_it_sent(seed: int) -> None:
    """Three peers edit at once; updates, answers to state vectors, states and merges all pass the gate."""
    rng = random.Random(seed)
    sent: list[bytes] = []
    peers = [Peer(rng, sent) for _ in range(3)]
    for _ in range(40):
        rng.choice(peers).act()
        one, other = rng.sample(peers, 2)
        if rng.random() < 0.3:
            sent.append(one.doc.get_update(other.doc.get_state()))
            other.doc.apply_update(sent[-1])
    sent += (peer.doc.get_update() for peer in peers)
    for update in [*sent, merge_updates(*rng.sample(sent, 12))]:
        check(update)
    folded = fold(None, sent)
    verify(folded, None, sent)
    original = applied(sent)
    assert applied([folded]).shown() == original.shown()
    assert len(folded) <= len(original.doc.get_update())
