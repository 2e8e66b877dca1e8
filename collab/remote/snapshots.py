"""`collab snapshots`: named states that are kept."""

from __future__ import annotations

from typing import Annotated

import typer

from collab.remote import show
from collab.remote.options import HERE, AsJson, Id, Key, Metadata, Root, Url, metadata_of
from collab.remote.service import calling, document_path

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Snapshots: take, list, compare, rename, go back, remove.",
)

Snapshot = Annotated[str, typer.Argument(help="The snapshot's id, or [bold]latest[/bold].")]
COLUMNS: show.Columns = {
    "id": lambda s: s["id"],
    "label": lambda s: s["label"] or "",
    "taken": lambda s: show.moment(s["created_at"]),
    "by": lambda s: s["created_by"],
    "at update": lambda s: str(s["seq"]),
    "size": lambda s: show.size(s["bytes"]),
}


@app.command("list")
def list_snapshots(document: Id, as_json: AsJson = False, url: Url = HERE, key: Key = None) -> None:
    """Lists a document's snapshots, newest first."""
    with calling(url, key) as service, show.working("listing snapshots"):
        found = service.each(document_path(document, "snapshots"))
        show.items(found, COLUMNS, as_json, "no snapshots; take one: collab snapshots take")


@app.command()
def take(
    document: Id,
    label: Annotated[str | None, typer.Option("--label", "-l", help="What to call it.")] = None,
    metadata: Metadata = None,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Keeps a document as it is now. Prints the snapshot's id.

    [bold]collab snapshots take notes --label "before the review"[/bold]
    """
    body = {"label": label, "metadata": metadata_of(metadata)}
    with calling(url, key) as service, show.working("taking a snapshot"):
        given = {name: value for name, value in body.items() if value is not None}
        made = service.json("POST", document_path(document, "snapshots"), json=given)
        show.done(made["id"], made, as_json)


@app.command("show")
def show_snapshot(
    document: Id, snapshot: Snapshot = "latest", as_json: AsJson = False, url: Url = HERE, key: Key = None
) -> None:
    """Shows a snapshot's particulars; its content is what [bold]collab cat ID --snapshot[/bold] prints."""
    with calling(url, key) as service:
        show.item(service.json("GET", document_path(document, "snapshots", snapshot)), COLUMNS, as_json)


@app.command()
def rename(
    document: Id,
    snapshot: Snapshot,
    label: Annotated[str, typer.Argument(help='What to call it; "" for nothing.', show_default=False)],
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Gives a snapshot another label; what it holds never changes.

    [bold]collab snapshots rename notes latest "as it was signed"[/bold]
    """
    with calling(url, key) as service:
        found = service.json("PATCH", document_path(document, "snapshots", snapshot), json={"label": label or None})
        show.done(f"{found['id']} is called {found['label'] or 'nothing'}", found, as_json)


@app.command()
def diff(
    document: Id,
    snapshot: Snapshot = "latest",
    to: Annotated[str, typer.Option(help="Another snapshot's id, or [bold]now[/bold].")] = "now",
    root: Root = None,
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Shows what changed since a snapshot, as a unified diff; nothing is printed if nothing changed.

    [bold]collab snapshots diff notes[/bold]   [bold]collab snapshots diff notes ID --to latest[/bold]
    """
    with calling(url, key) as service:
        with show.working("comparing"):
            path = document_path(document, "snapshots", snapshot, "diff")
            found = service.json("GET", path, params={"to": to, "root": root})
        if as_json:
            show.as_json(found)
            return
        for name, difference in found["roots"].items():
            headings = [f"--- {name} ({snapshot})", f"+++ {name} ({to})"]
            show.difference([*headings, *show.changes(difference["unified"])])


@app.command()
def restore(
    document: Id, snapshot: Snapshot = "latest", as_json: AsJson = False, url: Url = HERE, key: Key = None
) -> None:
    """Goes back to a snapshot by an edit that everyone sees; what was there is kept as a snapshot first."""
    with calling(url, key) as service:
        with show.working("going back"):
            done = service.json("POST", document_path(document, "snapshots", snapshot, "restore"))
        show.done(f"back at {snapshot}; what was there is snapshot {done['before']}", done, as_json)


@app.command("rm")
def remove(
    document: Id,
    snapshots: Annotated[list[str], typer.Argument(help="Ids.", show_default=False)],
    as_json: AsJson = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Removes snapshots for good; the document stays what it is."""
    with calling(url, key) as service:
        for snapshot in snapshots:
            service.call("DELETE", document_path(document, "snapshots", snapshot))
        show.done(f"removed {', '.join(snapshots)}", {"removed": snapshots}, as_json)
