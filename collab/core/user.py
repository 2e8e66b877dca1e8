"""What may be shown of a user: ids, names and colors that are harmless in other people's editors and in logs."""

from __future__ import annotations

import re

from collab.errors import Unprocessable

USER_ID_CHARS_MAX = 200
USER_NAME_CHARS_MAX = 80
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_JOINERS = "\u200c\u200d"  # Persian and Indic names and family emoji are written with them


def check_user(id: str, name: str | None, color: str | None) -> None:
    """Raises Unprocessable."""
    if not id or len(id) > USER_ID_CHARS_MAX or not id.isprintable():
        raise Unprocessable(f"a user id has 1 to {USER_ID_CHARS_MAX} printable characters")
    if name is not None and (not name or len(name) > USER_NAME_CHARS_MAX or not all(map(_is_shown, name))):
        raise Unprocessable(f"a user name has 1 to {USER_NAME_CHARS_MAX} printable characters")
    if color is not None and not _COLOR.fullmatch(color):
        raise Unprocessable("a color is # and six hexadecimal digits")


def clean_name(name: str) -> str | None:
    """A name that people chose at their identity provider, cut to what is shown; None if nothing is left."""
    return "".join(filter(_is_shown, name))[:USER_NAME_CHARS_MAX].strip() or None


def _is_shown(character: str) -> bool:
    """Printable excludes control characters, line breaks and bidi overrides."""
    return character.isprintable() or character in _JOINERS
