"""The page at /docs: every call with a command to paste, and every error code. No scripts, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse

from collab.api import problems
from collab.api.samples import SAMPLES, curl

ORDER = list(SAMPLES)
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8884; --soft: #8881; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 0.875rem/1.45 ui-monospace, monospace; }
pre { padding: 0.75rem; overflow-x: auto; background: var(--soft); border-radius: 6px; user-select: all; }
nav ul { columns: 2 20rem; padding: 0; list-style: none; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
article { margin: 2rem 0; }
h3 { margin-bottom: 0.25rem; }
h3 .method { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid var(--line); }
:target { background: var(--soft); }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-{_DIGEST}'"


def router(app: FastAPI) -> APIRouter:
    """The route of the page; it is drawn from the application's OpenAPI."""
    made = APIRouter(include_in_schema=False)

    @made.get("/docs", response_class=HTMLResponse)
    async def docs(request: Request) -> HTMLResponse:
        page = render(app.openapi(), str(request.base_url).rstrip("/"))
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    return made


def render(schema: dict[str, Any], base: str) -> str:
    """The whole page."""
    calls = [(method, path, call) for path, methods in schema["paths"].items() for method, call in methods.items()]
    calls.sort(key=lambda call: ORDER.index(call[2]["operationId"]))
    tags = [(tag, [call for call in calls if tag["name"] in call[2]["tags"]]) for tag in schema["tags"]]
    title = escape(f"{schema['info']['title']} {schema['info']['version']}")
    body = [
        f"<h1>{title}</h1><p>{escape(schema['info']['summary'])}</p>",
        _text(schema["info"]["description"]),
        f'<p>The same for programs: <a href="{base}/api/openapi.json">openapi.json</a>. With authentication on, add '
        "<code>-H 'Authorization: Bearer &lt;key or token&gt;'</code> to each command.</p>",
        f"<nav aria-label='Calls'><ul>{''.join(_links(calls))}</ul></nav>",
        *(_section(tag, inside, base) for tag, inside in tags),
        _errors(),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{"".join(body)}</body></html>'
    )


def _links(calls: Iterable[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    for _, _, call in calls:
        yield f'<li><a href="#{call["operationId"]}">{escape(call["summary"])}</a></li>'


def _section(tag: dict[str, str], calls: Iterable[tuple[str, str, dict[str, Any]]], base: str) -> str:
    inside = "".join(_call(method, path, call, base) for method, path, call in calls)
    return f"<section><h2>{escape(tag['name'].capitalize())}</h2>{_text(tag['description'])}{inside}</section>"


def _call(method: str, path: str, call: dict[str, Any], base: str) -> str:
    name = call["operationId"]
    refusals = sorted({(status, code) for status, answer in call["responses"].items() for code in _codes(answer)})
    return "".join(
        (
            f'<article id="{name}"><h3>{escape(call["summary"])}</h3>',
            f"<p><code><b>{method.upper()}</b> {escape(path)}</code></p>",
            _text(call.get("description", "")),
            f"<pre>{escape(curl(name, method, path, base))}</pre>",
            _parameters(call.get("parameters", [])),
            f"<p>Answers {', '.join(status for status in call['responses'] if status < '400')}",
            "; refusals: " if refusals else "",
            ", ".join(f'{status} <a href="#{code}">{code}</a>' for status, code in refusals),
            "</p></article>",
        )
    )


def _codes(answer: dict[str, Any]) -> Iterable[str]:
    examples: dict[str, Any] = answer.get("content", {}).get(problems.MEDIA_TYPE, {}).get("examples", {})
    return examples


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td>"
        f"<td>{_spans(one.get('description', ''))}</td></tr>"
        for one in parameters
        if one["name"] not in ("document", "snapshot")
    ]
    head = "<thead><tr><th>parameter</th><th>in</th><th>meaning</th></tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>" if rows else ""


def _errors() -> str:
    rows = [
        f'<tr id="{kind.code}"><td><code>{kind.code}</code></td><td>{kind.http_status}</td><td>{kind.close_code}</td>'
        f"<td>{'yes' if kind.may_retry else 'no'}</td><td>{escape(problems.title(kind))}</td></tr>"
        for kind in problems.table()
    ]
    head = "<tr><th>code</th><th>HTTP</th><th>socket</th><th>may retry</th><th>meaning</th></tr>"
    return f"<section><h2>Errors</h2><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></section>"


def _text(markdown: str) -> str:
    """Paragraphs, lists, code and links: all of Markdown that our descriptions use."""
    blocks = []
    for block in markdown.strip().split("\n\n"):
        if block.startswith("* "):
            items = [_spans(item.strip()) for item in block[2:].split("\n* ")]
            blocks.append(f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>")
        else:
            blocks.append(f"<p>{_spans(block)}</p>")
    return "".join(blocks)


def _spans(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\[([^\]]+)\]\((https://[^)]+)\)", r'<a href="\2">\1</a>', text)
