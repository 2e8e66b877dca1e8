"""Serves the pages from memory: one HTML file for all addresses, and assets that are cached for ever by their names."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC = Path(__file__).parent / "static"
ADDRESSES = ("/", "/d/{document:path}", "/contrast/{document:path}", "/console")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_EVER = "public, max-age=31536000, immutable"  # asset names hold a hash of their content


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is and, if it is worth it, packed."""

    plain: bytes
    packed: bytes | None
    media_type: str
    cache: str

    def answer(self, request: Request) -> Response:
        """Packed for clients that take it."""
        headers = {**HEADERS, "Cache-Control": self.cache, "Vary": "Accept-Encoding"}
        packs = "gzip" in request.headers.get("accept-encoding", "")
        if self.packed is not None and packs:
            return Response(self.packed, media_type=self.media_type, headers={**headers, "Content-Encoding": "gzip"})
        return Response(self.plain, media_type=self.media_type, headers=headers)


def load(folder: Path = STATIC) -> Mapping[str, File]:
    """Every file by its path; empty if the pages were not built."""
    found = {}
    for path in folder.rglob("*") if (folder / "index.html").exists() else ():
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix not in (".gz", ".sha256"):
            packed = path.with_name(path.name + ".gz")
            kind = guess_type(path.name)[0] or "application/octet-stream"
            cache = FOR_EVER if name.startswith("assets/") else "no-cache"
            found[name] = File(path.read_bytes(), packed.read_bytes() if packed.exists() else None, kind, cache)
    return found


def routes(folder: Path = STATIC) -> list[Route]:
    """The addresses of the pages; without built pages all of them show how to build them."""
    files = load(folder)
    page = files.get("index.html")
    made = [
        Route(address, page.answer if page is not None else _answer_unbuilt(folder), include_in_schema=False)
        for address in ADDRESSES
    ]
    made += [Route(f"/{name}", file.answer, include_in_schema=False) for name, file in files.items() if file != page]
    return made


def _answer_unbuilt(folder: Path) -> Callable[[Request], Response]:
    body = unbuilt(folder)
    return lambda request: Response(body, status_code=503, media_type="text/html", headers=UNBUILT_HEADERS)


def unbuilt(folder: Path) -> bytes:
    """The page that stands for those that were not built in this folder: how to build them, and why they were not."""
    reason = folder / "why-not.txt"
    why = reason.read_text() if reason.exists() else "nothing has tried to build them"
    return UNBUILT.format(style=STYLE, why=escape(why)).encode()


STYLE = """:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:44rem;margin:3rem auto;padding:0 1.25rem}h1{font-size:1.5rem;line-height:1.25}
pre{padding:.8rem 1rem;border:1px solid GrayText;border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere}"""
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
UNBUILT_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": POLICY.replace("style-src 'self'", f"style-src 'sha256-{STYLE_HASH}'"),
    "Cache-Control": "no-store",
}
UNBUILT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>collab: pages not built</title>
<meta name="viewport" content="width=device-width"><style>{style}</style></head><body><main>
<h1>collab runs; its pages were not built</h1>
<p>REST, sockets and <a href="/docs">the API's documentation</a> work without them. To build them, where npm's registry
can be reached:</p>
<pre>uv sync --reinstall-package collab
# or: pip install --force-reinstall --no-deps .</pre>
<p>and start the server again. What the last attempt said:</p>
<pre>{why}</pre>
</main></body></html>
"""
