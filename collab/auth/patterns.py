"""Document patterns: `*` stands for any run of characters, `/` and the empty run too; all else is literal.

Characters are compared as code points: case matters, nothing is normalised, ids are not paths, `..` means nothing.
`team-a/*` covers `team-a/x` and `team-a/x/y`, not `team-a` and not `Team-A/x`. There is no escape; a grant for one id
that contains `*` is made with `exact` (types.Grant). Matching takes linear time: each piece is found once, leftmost.
"""

from __future__ import annotations

from collab.errors import Unprocessable

PATTERN_CHARS_MAX = 200  # as long as a document id
STARS_MAX = 8  # more says nothing that a person could check by eye


def check_pattern(pattern: str) -> str:
    """Returns it. Raises Unprocessable if it is empty, too long, not printable or has too many stars."""
    if not pattern or len(pattern) > PATTERN_CHARS_MAX or not pattern.isprintable():
        raise Unprocessable(f"a document pattern has 1 to {PATTERN_CHARS_MAX} printable characters")
    if pattern.count("*") > STARS_MAX:
        raise Unprocessable(f"a document pattern has at most {STARS_MAX} stars")
    return pattern


def literal_prefix(pattern: str) -> str:
    """What every id that the pattern covers begins with."""
    return pattern.partition("*")[0]


def matches(pattern: str, document: str) -> bool:
    """True if the pattern covers the document id."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == document
    last = rest.pop()
    if len(document) < len(first) + len(last) or not document.startswith(first) or not document.endswith(last):
        return False
    offset, end = len(first), len(document) - len(last)
    for piece in rest:
        found = document.find(piece, offset, end)
        if found < 0:
            return False
        offset = found + len(piece)
    return True
