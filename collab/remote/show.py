"""How answers are shown: JSON for programs, tab-separated lines when piped, tables and colours on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer

Item = Mapping[str, Any]
Columns = Mapping[str, Callable[[Item], str]]
"""Heading to what stands under it."""


def on_terminal() -> bool:
    """Does a person read the output?"""
    return sys.stdout.isatty()


def as_json(value: object) -> None:
    """One line of JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def items(found: Iterable[Item], columns: Columns, in_json: bool, empty: str) -> None:
    """A list; `empty` is what a person is told if there is nothing."""
    if in_json:
        as_json([*found])
    elif on_terminal():
        _table([*found], columns, empty)
    else:
        for item in found:
            typer.echo("\t".join(plain(cell(item)) for cell in columns.values()))


def item(found: Item, columns: Columns, in_json: bool) -> None:
    """One thing, a line for each of its particulars."""
    if in_json:
        as_json(found)
        return
    width = max(map(len, columns)) + 2 if on_terminal() else 0
    for heading, cell in columns.items():
        typer.echo(f"{heading:<{width}}{plain(cell(found))}" if width else f"{heading}\t{plain(cell(found))}")


def done(sentence: str, found: object, in_json: bool) -> None:
    """Something was done: a person is told so, a program gets what came of it."""
    as_json(found) if in_json else typer.echo(sentence)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A sign of life while it takes long, on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def plain(text: str) -> str:
    """One line, whatever a title or label holds: no tab, line end or escape sequence gets through."""
    return "".join(char if char.isprintable() else " " for char in text)


def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def moment(iso: str | None) -> str:
    """To the second, in UTC."""
    return "-" if iso is None else iso[:19].replace("T", " ") + "Z"


def _table(found: list[Item], columns: Columns, empty: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not found:
        typer.echo(empty)
        return
    table = Table(*columns, box=None)
    for item in found:
        style = "dim" if item.get("deleted_at") else None
        table.add_row(*(escape(plain(cell(item))) for cell in columns.values()), style=style)
    Console().print(table)


def changes(unified: str) -> list[str]:
    """The lines of a unified diff without its two headings; what ends a line is \\n alone, whatever a text holds."""
    return unified.removesuffix("\n").split("\n")[2:]


def difference(lines: Iterable[str]) -> None:
    """Lines of a unified diff, in colours on a terminal."""
    colours = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
    for line in lines:
        shown = plain(line)
        typer.secho(shown, fg=colours.get(shown[:1])) if on_terminal() else typer.echo(shown)
