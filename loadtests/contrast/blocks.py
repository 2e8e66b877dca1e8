"""A report as a list of blocks, written as Markdown and as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """Level 1 is the title."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; `code` and **strong** as in Markdown."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Columns after the first `left` are figures and right-aligned."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


@dataclass(frozen=True)
class Picture:
    """A plot beside the report."""

    file: str
    title: str


@dataclass(frozen=True)
class Code:
    """Shown as it is."""

    text: str


Block = Heading | Text | Bullets | Table | Picture | Code


def markdown(blocks: Iterable[Block]) -> str:
    """One string, ending with a line end."""
    return "\n\n".join(map(_markdown, blocks)) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Text(text):
            return text
        case Bullets(items):
            return "\n".join(f"- {item}" for item in items)
        case Table(head, rows, left):
            rule = ["---" if column < left else "---:" for column in range(len(head))]
            return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
        case Picture(file, title):
            return f"![{title}]({file})"
        case Code(text):
            return "\n".join("    " + line for line in text.splitlines())


STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1,h2,h3{line-height:1.2;margin-top:2em}table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}
th,td{padding:.3em .7em;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
th{border-bottom:2px solid #888}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
img{max-width:100%;height:auto}code,pre{background:#f4f4f4;border-radius:3px;padding:.1em .3em;font-size:.9em}
pre{padding:.8em;overflow-x:auto}
"""


def page(blocks: Sequence[Block]) -> str:
    """A whole HTML page that needs nothing but the plots beside it."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(map(_html, blocks))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_inline(title)}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n'


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{_inline(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
        case Table(head, rows, left):
            lines = [_row("th", head, left), *(_row("td", row, left) for row in rows)]
            return "<table>" + "\n".join(lines) + "</table>"
        case Picture(file, title):
            return f'<p><img src="{html.escape(file)}" alt="{html.escape(title)}"></p>'
        case Code(text):
            return f"<pre>{html.escape(text)}</pre>"


def _row(tag: str, cells: Sequence[str], left: int) -> str:
    marked = (f"<{tag}{'' if n < left else ' class=n'}>{_inline(cell)}</{tag}>" for n, cell in enumerate(cells))
    return f"<tr>{''.join(marked)}</tr>"


def _inline(text: str) -> str:
    safe = html.escape(text, quote=False)
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)
