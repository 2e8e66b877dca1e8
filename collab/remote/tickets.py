"""`collab tickets`: what lets somebody open one socket."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from collab.remote import show
from collab.remote.options import HERE, AsJson, Id, Key, Url
from collab.remote.service import calling, document_path

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="rich", help="Tickets: let somebody open one socket."
)


@app.callback()
def group() -> None:
    """Keeps `create` a command of its own while it is the only one."""


@app.command()
def create(
    document: Id,
    user: Annotated[str, typer.Option(help="Id of the person whom the socket speaks for.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="How others see them.")] = None,
    color: Annotated[str | None, typer.Option(help="Of their cursor, like #dd3333.")] = None,
    access: Annotated[str, typer.Option(help="read, comment or write.")] = "write",
    session_s: Annotated[float | None, typer.Option(help="Seconds that the session may last.")] = None,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Makes a ticket, good for one socket within a minute, and prints it; on a terminal, the address to open as well.

    Needs a key with the scope tickets:create.

    [bold]collab tickets create notes --user ada --name Ada --access read[/bold]
    """
    person = {field: value for field, value in (("id", user), ("name", name), ("color", color)) if value is not None}
    body: dict[str, Any] = {"access": access, "user": person}
    if session_s is not None:
        body["expires_in_s"] = session_s
    with calling(url, key) as service:
        made = service.json("POST", document_path(document, "tickets"), json=body)
        if as_json or not show.on_terminal():
            show.done(made["ticket"], made, as_json)
            return
        address = f"{service.url.replace('http', 'ws', 1)}/sync/{quote(document, safe='')}?ticket={made['ticket']}"
        for heading, text in (
            ("ticket", made["ticket"]),
            ("open", address),
            ("before", show.moment(made["opens_until"])),
        ):
            typer.echo(f"{heading:<8}{text}")
