"""The corpus of malformed messages, each with what it does to pycrdt 0.14.13 and yjs 13.6.33."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parent.parent / "data" / "malformed.json"


class Item(NamedTuple):
    """One message; `base` is an update that the reader had applied before."""

    name: str
    kind: str
    data: bytes
    base: bytes | None
    pycrdt: str
    yjs: str


def items(kind: str) -> list[Item]:
    """All of a kind: update, state_vector, message, awareness, sticky_index or snapshot."""
    return [_item(each) for each in json.loads(FILE.read_text()) if each["kind"] == kind]


def _item(each: dict[str, str]) -> Item:
    data = zlib.decompress(base64.b64decode(each["zlib"])) if "zlib" in each else bytes.fromhex(each["hex"])
    base = bytes.fromhex(each["base"]) if "base" in each else None
    return Item(each["name"], each["kind"], data, base, each.get("pycrdt", ""), each.get("yjs", ""))
