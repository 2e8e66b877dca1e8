"""What schemathesis cannot learn from the OpenAPI: our string formats, and Yjs bytes."""

from __future__ import annotations

import base64

import schemathesis
from hypothesis import strategies as st

from tests.updates import deleted, typed, vector

printable = st.characters(exclude_categories=("C", "Zl", "Zp", "Zs"), include_characters=" ")
ids = st.one_of(st.sampled_from(["notes", "a/b", "50%"]), st.text(printable, min_size=1, max_size=200))
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=50)
updates = st.one_of(
    st.builds(typed, st.integers(1, 5), st.just(0), st.text("ab", min_size=1, max_size=5)),
    st.just(b"\x00\x00"),
)
broken = st.one_of(st.binary(max_size=40), st.builds(deleted, st.integers(1, 5), st.just(0), st.integers(1, 9)))
clocks = st.dictionaries(st.integers(1, 2**53 - 1), st.integers(0, 2**31 - 1), max_size=4)


def as_query(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


schemathesis.openapi.format("document-id", ids.filter(lambda name: name not in (".", "..")))
schemathesis.openapi.format("text", texts)
schemathesis.openapi.format("cursor", ids.map(str.encode).map(as_query))
schemathesis.openapi.format("state-vector", clocks.map(vector).map(as_query))
schemathesis.openapi.format("snapshot-id", st.one_of(st.just("latest"), st.uuids().map(str)))
schemathesis.openapi.media_type("application/octet-stream", st.one_of(updates, broken))


@schemathesis.hook
def filter_query(context: schemathesis.HookContext, query: dict[str, object] | None) -> bool:
    """Query parameters that no call knows are ignored, as everywhere on the web: sending one is no error."""
    known = {parameter.name for parameter in context.operation.query}
    return not query or known.issuperset(query)
