"""Whatever is sent is taken or refused, never more than that; and hunks lead from what was to what is.

COLLAB_EXAMPLES says how many documents of each kind (60 if it is not set).
"""

from __future__ import annotations

import copy
import os
import random
from typing import Any

import orjson
import pytest

from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.engine.differences import diff, json_hunks
from collab.engine.patch import patch
from collab.engine.restore import restore
from collab.engine.views import show
from collab.engine.write import write
from collab.errors import CollabError

ROUNDS = int(os.environ.get("COLLAB_EXAMPLES", "60"))
SCALARS = [None, True, 0, -1, 1.5, 2**53, -(2**60), 2**64 - 1, 1e300, "", "a", "é😀", "\n", "\ud7ff", "\ufffe"]
ATTRIBUTES: list[dict[str, Any]] = [{}, {"a": 1}, {"a": None}, {"b": {"c": [1]}}]


class Author:
    """Makes up what callers may send, odd things included."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def few(self, most: int) -> range:
        return range(self.rng.randint(0, most))

    def value(self, depth: int = 0) -> Any:
        roll = self.rng.random()
        if depth > 2 or roll < 0.5:
            return self.rng.choice(SCALARS)
        if roll < 0.65:
            return [self.value(depth + 1) for _ in self.few(3)]
        if roll < 0.8:
            odd = [{"$binary": "AAEC"}, {"$binary": "AAB="}, {"$binary": 5}, {"$document": "g"}, {"$document": 5}]
            return self.rng.choice([*odd, {"type": "doc", "content": [self.node()]}, {"type": "doc", "content": 5}])
        return {self.rng.choice(["a", "b", "", "k/~", "type", "$binary"]): self.value(depth + 1) for _ in self.few(3)}

    def node(self, depth: int = 0) -> dict[str, Any]:
        roll = self.rng.random()
        if roll < 0.4:
            kinds = [self.rng.choice(["bold", "link", "code", "x y"]) for _ in self.few(2)]
            marks = [{"type": kind, "attrs": self.rng.choice(ATTRIBUTES)} for kind in kinds]
            return {"type": "text", "text": self.rng.choice(["", "a", "b c", "😀", "\n", "<&>"]), "marks": marks}
        if roll < 0.45:
            return {"type": "embed", "embed": self.value(2)}
        attrs = {self.rng.choice("xyz"): self.value(2) for _ in self.few(2)}
        inside = [self.node(depth + 1) for _ in self.few(3 if depth < 3 else 0)]
        return {"type": self.rng.choice(["p", "h", "b:c", "text"]), "attrs": attrs, "content": inside}

    def body(self, kind: str) -> Any:
        if kind == "map":
            return {self.rng.choice("abc"): self.value() for _ in self.few(3)}
        if kind == "array":
            return [self.value() for _ in self.few(4)]
        if kind == "xml":
            nodes = [self.node() for _ in self.few(4)]
            return self.rng.choice([nodes, {"type": "doc", "content": nodes}])
        inserts = ["a", "bc", "😀", "\n", {"image": "x"}, self.value(2)]
        attributes = {self.rng.choice("xyz"): self.value(1) for _ in self.few(2)}
        return [{"insert": self.rng.choice(inserts), "attributes": attributes} for _ in self.few(4)]

    def operation(self, kind: str, shown: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"op": self.rng.choice(["set", "insert", "remove", "replace", "delete"])}
        made |= {"root": "r", "type": kind}
        members = {"pointer": self.pointer(shown), "value": self.rng.choice([self.value(), self.node()]), "text": "T"}
        members |= {"find": self.rng.choice(["a", "b", "😀"]), "index": 1, "length": 2}
        for name, likely in zip(members, (0.7, 0.7, 0.3, 0.3, 0.2, 0.2), strict=True):
            if self.rng.random() < likely:
                made[name] = members[name]
        return made

    def pointer(self, shown: Any) -> str:
        pointer = ""
        while self.rng.random() < 0.8 and isinstance(shown, dict | list) and shown:
            key = self.rng.choice(list(shown) if isinstance(shown, dict) else range(len(shown)))
            pointer += "/" + str(key).replace("~", "~0").replace("/", "~1")
            shown = shown[key]
        return pointer + self.rng.choice(["", "", "", "/-", "/a", "/content"])


def shown(parts: list[bytes], kind: str) -> Any:
    return orjson.loads(show(parts, "r", kind, "json")[1])


def edited(author: Author, kind: str, parts: list[bytes], before: list[bytes]) -> bytes | None:
    """The update that some call makes. Raises CollabError and nothing else."""
    client, roll = 100 + len(parts), author.rng.random()
    if roll < 0.6:
        return write(parts, client, "r", kind, "json", orjson.dumps(author.body(kind)))
    if roll < 0.9:
        now = shown(parts, kind)
        return patch(parts, client, [author.operation(kind, now) for _ in range(author.rng.randint(1, 3))])
    return restore(parts, client, author.rng.choice(before))


def led(value: Any, hunks: list[dict[str, Any]]) -> Any:
    """What the hunks make of a value, done one after the other."""
    top = {"": copy.deepcopy(value)}
    for hunk in hunks:
        holder: Any = top
        *path, last = [token.replace("~1", "/").replace("~0", "~") for token in ("/" + hunk["pointer"])[1:].split("/")]
        for token in path:
            holder = holder[int(token) if isinstance(holder, list) else token]
        key: Any = int(last) if isinstance(holder, list) else last
        if hunk["op"] == "add" and isinstance(holder, list):
            holder.insert(key, hunk["to"])
        elif hunk["op"] == "remove":
            assert holder.pop(key) == hunk["from"]
        else:
            assert hunk["op"] == "add" or holder[key] == hunk["from"]
            holder[key] = hunk["to"]
    return top[""]


@pytest.mark.parametrize("kind", ["map", "array", "text", "xml"])
def test_whatever_is_sent_is_taken_or_refused(kind: str) -> None:
    for seed in range(ROUNDS):
        author, parts, states = Author(seed), [b"\0\0"], [b"\0\0"]
        for _ in range(4):
            try:
                update = edited(author, kind, parts, states)
            except CollabError:
                continue
            if update is None:
                continue
            check(update)
            parts.append(update)
            states.append(fold(None, parts))
            was, now = (shown([state], kind) for state in states[-2:])
            assert led(was, list(json_hunks("", was, now))) == now
            diff([states[-2]], [states[-1]], None)
