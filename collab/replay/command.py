"""`collab replay`: the command."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import uuid4

import typer

from collab.replay.address import Address
from collab.replay.pace import DEFAULT


def replay(
    trace: Annotated[str, typer.Argument(help="A trace as a file or URL, gzipped or not.", metavar="TRACE")],
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
    document: Annotated[str | None, typer.Option(help="A new document's id; made up if not given.")] = None,
    root: Annotated[str, typer.Option(help="The name of the shared text.")] = "text",
    speed: Annotated[float, typer.Option(min=0, help="Edits per second; 0 is as fast as it goes.")] = 0.0,
    per_frame: Annotated[
        int, typer.Option(min=1, max=128, help="Edits that may travel as one update; 1 is key by key.")
    ] = DEFAULT.per_frame,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N edits.")] = None,
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds between the REST client's polls.")] = DEFAULT.poll_s,
    token: Annotated[str | None, typer.Option(envvar="COLLAB_TOKEN", help="An API key or token.")] = None,
    ticket: Annotated[str | None, typer.Option(help="A ticket for the sockets.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Type nothing: only compare DOCUMENT with the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on standard output.")] = False,
) -> None:
    """Play a recorded editing session against a running server, and check that everyone ends with the same text.

    Each author of TRACE types on an own WebSocket, having seen exactly what the original author had seen; another
    client watches over a socket and one more polls by REST. At the end all must hold the trace's last text, and a
    snapshot of it is stored. Exit status 0 if they do, 1 if not. Traces: https://github.com/josephg/editing-traces
    """
    from collab.replay.console import run  # brings an HTTP client and a CRDT engine: not for `collab serve` to import

    if check and document is None:
        raise typer.BadParameter("--check needs --document")
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url} is not an http(s) address")
    address = Address(url, document or _made_up_id(trace), token, ticket)
    pace = replace(DEFAULT, edits_per_s=speed, per_frame=per_frame, poll_s=poll)
    raise typer.Exit(0 if run(trace, limit, address, root, None if check else pace, as_json) else 1)


def _made_up_id(source: str) -> str:
    name = source.split("?")[0].replace("\\", "/").rsplit("/", 1)[-1].split(".", 1)[0]
    return f"{name or 'trace'}-{uuid4().hex[:8]}"
