"""Options that several commands take."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

HERE = "http://127.0.0.1:8000"

Id = Annotated[str, typer.Argument(help="The document's id, as it is, not percent-encoded.", show_default=False)]
Url = Annotated[str, typer.Option("--url", envvar="COLLAB_URL", help="The service.")]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", envvar="COLLAB_KEY", help="API key or token; the variable keeps it out of `ps`.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
Root = Annotated[str | None, typer.Option("--root", help="Root type by name; may be left out if there is only one.")]
Type = Annotated[str | None, typer.Option("--type", help="text, map, array or xml, if it cannot be told.")]
Format = Annotated[str | None, typer.Option("--format", help="text, json or xml; without it the type's own.")]
Metadata = Annotated[
    list[str] | None, typer.Option("--metadata", "-m", help="KEY=VALUE; a VALUE that is JSON is kept as JSON. Repeat.")
]


def metadata_of(pairs: list[str] | None) -> dict[str, Any] | None:
    """KEY=VALUE pairs as an object; None without any."""
    return None if pairs is None else {name: _value(text) for name, text in map(_split, pairs)}


def strings_of(pairs: list[str] | None) -> dict[str, str]:
    """The same, every value as the string that it is."""
    return dict(map(_split, pairs or []))


def _split(pair: str) -> tuple[str, str]:
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{pair!r} is not KEY=VALUE")
    return name, text


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
