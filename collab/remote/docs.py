"""`collab docs`: documents as things with a name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from collab.remote import history, show
from collab.remote.options import HERE, AsJson, Id, Key, Metadata, Url, metadata_of, strings_of
from collab.remote.service import Refusal, calling, document_path, ending

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Documents: list, create, show, rename, remove.",
)

LISTED: show.Columns = {
    "id": lambda d: d["id"],
    "title": lambda d: d["title"] or "",
    "online": lambda d: str(d["online"]),
    "updates": lambda d: str(d["seq"]),
    "size": lambda d: show.size(d["bytes"]),
    "updated": lambda d: show.moment(d["updated_at"]),
    "state": lambda d: _state(d),
}
SHOWN: show.Columns = {
    **LISTED,
    "version": lambda d: d["version"],
    "created": lambda d: show.moment(d["created_at"]),
    "metadata": lambda d: ", ".join(f"{name}={value}" for name, value in d["metadata"].items()) or "-",
}


def _state(document: show.Item) -> str:
    if document["quarantine"]:
        return f"quarantined: {document['quarantine']}"
    return "deleted" if document["deleted_at"] else "well"


@app.command("list")
def list_documents(
    prefix: Annotated[str, typer.Argument(help="Only ids that begin like this.")] = "",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", help="Only those with KEY=VALUE in their metadata. Repeat.")
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones as well.")] = False,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Lists documents by id.

    [bold]collab docs list team-a/[/bold]   [bold]collab docs list -m team=a --json | jq -r '.[].id'[/bold]
    """
    wanted = {f"metadata.{name}": value for name, value in strings_of(metadata).items()}
    with calling(url, key) as service, show.working("listing documents"):
        found = service.each("documents", {"prefix": prefix, "deleted": str(deleted).lower(), **wanted})
        show.items(found, LISTED, as_json, "no documents; make one: collab docs create")


@app.command()
def create(
    document: Annotated[
        str | None, typer.Argument(help="Its id; without one, one is chosen.", show_default=False)
    ] = None,
    title: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    metadata: Metadata = None,
    content: Annotated[
        str | None, typer.Option("--content", help="First content: a file, or [bold]-[/bold] for standard input.")
    ] = None,
    root: Annotated[str, typer.Option("--root", help="Root type that the content goes into.")] = "text",
    type: Annotated[str, typer.Option("--type", help="text, map, array or xml.")] = "text",
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Creates a document; fails with 5 if the id is taken. Prints the id.

    [bold]collab docs create minutes --title "Minutes of May" --content minutes.txt[/bold]
    """
    body: dict[str, Any] = {"id": document, "title": title, "metadata": metadata_of(metadata)}
    with ending():
        if content is not None:
            body["content"] = {root: {"type": type, **_first(content, type)}}
    with calling(url, key) as service:
        made = service.json(
            "POST", "documents", json={name: value for name, value in body.items() if value is not None}
        )
        show.done(made["id"], made, as_json)


def _first(source: str, type: str) -> dict[str, Any]:
    """Content of a file, in the format of its type. Raises Refusal."""
    import json

    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
        if type == "text":
            return {"value": text}
        return {"format": "xml", "value": text} if type == "xml" else {"format": "json", "value": json.loads(text)}
    except (OSError, ValueError) as error:
        raise Refusal(f"{source}: {error}") from None


@app.command("show")
def show_document(document: Id, as_json: AsJson = False, url: Url = HERE, key: Key = None) -> None:
    """Shows a document's particulars; its content is what [bold]collab cat[/bold] prints."""
    with calling(url, key) as service:
        show.item(service.json("GET", document_path(document)), SHOWN, as_json)


@app.command()
def rename(
    document: Id,
    title: Annotated[str | None, typer.Argument(help="Its new title.", show_default=False)] = None,
    metadata: Metadata = None,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Gives a document another title (or [bold]""[/bold] for none), or other metadata; its id never changes.

    [bold]collab docs rename minutes "Minutes of June" -m team=b -m old=null[/bold]   null removes a key.
    """
    patch: dict[str, Any] = {} if title is None else {"title": title or None}
    if metadata is not None:
        patch["metadata"] = metadata_of(metadata)
    if not patch:
        raise typer.BadParameter("give a title, or --metadata KEY=VALUE")
    with calling(url, key) as service:
        found = service.json("PATCH", document_path(document), json=patch)
        show.done(f"{document} is called {found['title'] or 'nothing'}", found, as_json)


@app.command("rm")
def remove(
    documents: Annotated[list[str], typer.Argument(help="Ids.", show_default=False)],
    purge: Annotated[bool, typer.Option("--purge", help="Erase: log, checkpoints, snapshots, for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Deletes documents, so that [bold]undelete[/bold] brings them back; with [bold]--purge[/bold], for good.

    Open editors are closed. A purge asks first, unless [bold]--yes[/bold] is given.
    """
    if purge and not yes:
        typer.confirm(f"Erase {', '.join(documents)} for good?", abort=True, err=True)
    with calling(url, key) as service:
        for document in documents:
            service.call("DELETE", document_path(document), params={"purge": str(purge).lower()})
            if not as_json:
                typer.echo(f"{'purged' if purge else 'deleted'} {document}")
        if as_json:
            show.as_json({"removed": documents, "purged": purge})


app.command("restore")(history.restore)


@app.command()
def undelete(document: Id, as_json: AsJson = False, url: Url = HERE, key: Key = None) -> None:
    """Brings a deleted document back."""
    with calling(url, key) as service:
        found = service.json("POST", document_path(document, "undelete"))
        show.done(f"{document} is back", found, as_json)
