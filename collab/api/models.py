"""Bodies that more than one call takes or gives."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field, JsonValue

from collab.errors import Unprocessable
from collab.limits import DEFAULT

METADATA_DEPTH_MAX = 32


def _storable_text(text: str) -> str:
    """NUL is refused because Postgres cannot hold it; lone surrogates never get here."""
    if "\x00" in text:
        raise ValueError("text must not contain NUL")
    return text


def _storable_metadata(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        packed = orjson.dumps(metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not JSON that can be kept: {error}") from None
    if len(packed) > DEFAULT.metadata_bytes_max:
        raise ValueError(f"metadata of {len(packed)} bytes, {DEFAULT.metadata_bytes_max} are allowed")
    if b"\\u0000" in packed:
        raise ValueError("metadata must not contain NUL")
    _check_depth(metadata, METADATA_DEPTH_MAX)
    return metadata


def _finite(value: JsonValue) -> JsonValue:
    """Python reads NaN and Infinity as JSON, and numbers that no double holds as Infinity."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("no JSON: a number that is not finite")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _finite(child)
    return value


Json = Annotated[JsonValue, AfterValidator(_finite)]
"""Any value of JSON."""


def _check_depth(value: JsonValue, levels: int) -> None:
    if levels < 0:
        raise ValueError(f"metadata is nested deeper than {METADATA_DEPTH_MAX} levels")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("metadata holds a number that is not finite")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(child, levels - 1)


STORABLE = r"^[^\u0000]*$"  # Postgres keeps no NUL; a pattern, since nobody can check a format of our own
Title = Annotated[
    str,
    AfterValidator(_storable_text),
    Field(max_length=DEFAULT.title_chars_max, examples=["Minutes of May"], json_schema_extra={"pattern": STORABLE}),
]
Label = Annotated[
    str,
    AfterValidator(_storable_text),
    Field(max_length=DEFAULT.title_chars_max, examples=["before the review"], json_schema_extra={"pattern": STORABLE}),
]
Metadata = Annotated[
    dict[str, JsonValue],
    AfterValidator(_storable_metadata),
    Field(
        description=f"Anything of yours, up to {DEFAULT.metadata_bytes_max // 1024} KiB of JSON.",
        examples=[{"team": "a"}],
    ),
]

Cursor = Annotated[
    str | None, Query(description="The `cursor` of the page before.", json_schema_extra={"format": "cursor"})
]


def changes_of(patch: BaseModel) -> dict[str, Any]:
    """What a merge patch changes; metadata are merged with what is there when it is written."""
    changes = patch.model_dump(include=patch.model_fields_set)
    if "metadata" in changes:
        given = changes["metadata"]
        changes["metadata"] = lambda before: merged(before, given)
    return changes


def merged(before: Mapping[str, Any], patch: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metadata with a merge patch applied (RFC 7396); None empties it. Raises Unprocessable if it cannot be kept."""
    if patch is None:
        return {}
    try:
        return _storable_metadata(_merge(before, patch))
    except ValueError as error:
        raise Unprocessable(str(error)) from None


def _merge(before: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    after = dict(before) if isinstance(before, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = _merge(after.get(name), value)
    return after


def merge_patch_body(model: str) -> dict[str, Any]:
    """Declares that the body may also be sent under the media type of RFC 7396."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"requestBody": {"content": {"application/merge-patch+json": {"schema": schema}}}}
