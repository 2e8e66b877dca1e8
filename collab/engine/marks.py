"""Names of marks as y-prosemirror keeps them in formatting attributes."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from collab.engine.nodes import Attributes, canonical

HASHED = re.compile(r"(.*)--[a-zA-Z0-9+/=]{8}", re.DOTALL)
"""Marks that may overlap are kept as the mark's name and a hash of its attributes."""


def mark_name(key: str) -> str:
    """The mark that a formatting attribute stands for."""
    hashed = HASHED.fullmatch(key)
    return hashed[1] if hashed else key


def mark_attributes(value: Any) -> Attributes:
    """A mark's attributes; some editors write `true` where it has none."""
    return value if isinstance(value, dict) else {}


def overlapping(name: str, attributes: Attributes) -> str:
    """The key for a further mark of one name on the same text. Editors only look at the name in it."""
    digest = hashlib.sha256(canonical(attributes)).digest()[:6]
    return f"{name}--{base64.b64encode(digest).decode()}"
