"""`collab cat` and `collab edit`: a document's content, out and in."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import randbelow
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from collab.remote import show
from collab.remote.options import HERE, AsJson, Format, Id, Key, Root, Type, Url
from collab.remote.service import Refusal, Service, calling, document_path

if TYPE_CHECKING:
    from collab.engine.client import Engine

T = TypeVar("T")
OWN_FORMAT = {"text": "text", "xml": "xml"}  # as people read it; all other types are JSON
SUFFIX = {"text": ".txt", "xml": ".xml", "json": ".json"}
FIRST = ("text", "text")  # root and type of a document in which nothing is yet
EMPTIED = "unknown"  # the type of a root of which nothing is left


class Draft(NamedTuple):
    """What is edited: the parts of the document that it was made from, and one root of it as a file's bytes."""

    state: bytes
    root: str
    type: str
    format: str
    body: bytes


def cat(
    document: Id,
    root: Root = None,
    type: Type = None,
    format: Format = None,
    snapshot: Annotated[str | None, typer.Option("--snapshot", "-s", help="As it was then; an id, or latest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All roots as one JSON object.")] = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Prints a document's content: text as text, rich text as XML, maps and arrays as JSON.

    [bold]collab cat notes --root meta | jq .todo[/bold]   [bold]collab cat notes --snapshot latest[/bold]
    """
    path = document_path(document, *(("snapshots", snapshot) if snapshot else ()), "content")
    with calling(url, key) as service:
        if as_json:
            show.as_json(service.json("GET", path))
            return
        if root is None or (type is None and format is None):
            root, type = _chosen(service.json("GET", path), root, type)
        if root is None:
            return  # nothing is in it
        params = {
            "root": root,
            "type": type,
            "format": format or OWN_FORMAT.get(type or "", None if type is None else "json"),
        }
        _print(service.call("GET", path, params=params).content)


def _chosen(roots: dict[str, Any], root: str | None, type: str | None) -> tuple[str | None, str | None]:
    """The root that is meant, and its type. Raises Refusal if it cannot be told."""
    if root is None and len(roots) > 1:
        raise Refusal(f"it has several roots; name one with --root: {', '.join(sorted(roots))}")
    root = next(iter(roots), None) if root is None else root
    return root, type or roots.get(root or "", {}).get("type")


def _print(body: bytes) -> None:
    """The bytes as they are; a person's prompt begins on a line of its own."""
    end = b"\n" if show.on_terminal() and not body.endswith(b"\n") else b""
    sys.stdout.buffer.write(body + end)
    sys.stdout.flush()


def edit(
    document: Id,
    root: Root = None,
    type: Type = None,
    format: Format = None,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Opens a document's content in $VISUAL or $EDITOR, and sends back what you changed, as the smallest edits.

    What others type meanwhile stays: your edits are merged with theirs, like everyone's. If they cannot be taken, your
    file is kept and you are told where.

    [bold]collab edit notes[/bold]   [bold]EDITOR="code --wait" collab edit notes --format xml[/bold]
    """
    with calling(url, key) as service:
        with show.working(f"reading {document}"):
            state = service.call("GET", document_path(document, "state")).content
            draft = with_engine(lambda engine: _draft(engine, state, root, type, format))
        changed = _edited(draft, document, service)
        show.done(f"saved at {changed['seq']}" if changed["changed"] else "nothing was changed", changed, as_json)


async def _draft(engine: Engine, state: bytes, root: str | None, type: str | None, form: str | None) -> Draft:
    roots = {name: {"type": kind} for name, kind in (await engine.roots([state])).items()}
    root, type = _chosen(roots, root, type)
    if type == EMPTIED:
        raise Refusal(f"nothing is left in the root {root!r} that tells its type: give it by --type")
    root, type = FIRST[0] if root is None else root, type or FIRST[1]
    form = form or OWN_FORMAT.get(type, "json")
    if root not in roots:
        return Draft(state, root, type, form, b"" if form == "text" else b"{}" if type == "map" else b"")
    shown = await engine.read([state], root, type, form)
    return Draft(state, root, type, form, shown.body)


def _edited(draft: Draft, document: str, service: Service) -> dict[str, Any]:
    """Lets the person edit until it can be taken or they give up. Raises Refusal; their file is kept then."""
    name = tempfile.mkdtemp(prefix="collab-edit-")
    file = Path(name) / f"content{SUFFIX[draft.format]}"
    file.write_bytes(draft.body)
    while True:
        _open_editor(file)
        body = _read_back(file, draft.body)
        try:
            done = _send(draft, body, document, service) if body != draft.body else {"changed": False}
        except Refusal as error:
            if sys.stdin.isatty() and typer.confirm(f"{error}\nEdit again?", default=True, err=True):
                continue
            raise Refusal(f"{error} (your text is in {file})", error.exit_code) from None
        file.unlink()
        Path(name).rmdir()
        return done


def _open_editor(file: Path) -> None:
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        code = subprocess.run([*command, str(file)], check=False).returncode
    except OSError as error:
        raise Refusal(f"{command[0]}: {error.strerror}; say which editor in $EDITOR") from None
    if code != 0:
        raise Refusal(f"{command[0]} ended with {code}; nothing was sent (your text is in {file})")


def _read_back(file: Path, before: bytes) -> bytes:
    """Editors end a file with a line end, whether or not the text had one."""
    body = file.read_bytes()
    return body[:-1] if body.endswith(b"\n") and not before.endswith(b"\n") else body


def _send(draft: Draft, body: bytes, document: str, service: Service) -> dict[str, Any]:
    """Your edits of the document as you saw it, as one update: the server merges it with all that came since."""
    client_id = randbelow(2**32 - 1) + 1
    with show.working("sending your edits"):
        update = with_engine(
            lambda engine: engine.write([draft.state], client_id, body, draft.root, draft.type, draft.format)
        )
        if update is None:
            return {"changed": False}
        headers = {"Content-Type": "application/octet-stream"}
        done = service.json("POST", document_path(document, "updates"), content=update, headers=headers)
        return {**done, "changed": True}


def with_engine(work: Callable[[Engine], Awaitable[T]]) -> T:
    """CRDT work in a child process, as the server does it. Raises Refusal."""
    from collab import logs
    from collab.engine.client import Engine
    from collab.errors import CollabError

    logs.quiet()

    async def there() -> T:
        engine = Engine(workers=1)
        try:
            return await work(engine)
        finally:
            await engine.close()

    try:
        return asyncio.run(there())
    except CollabError as error:
        raise Refusal(error.detail) from None
