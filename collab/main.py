"""A command line whose commands are imported when they are called: `collab --help` should not load a database."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from collab import __version__


class Lazy(NamedTuple):
    """A command or a group of them: where it is (`module:name`), and its line in `--help`."""

    where: str
    help: str


HERE = "collab.cli:app"  # what works on this machine, on the database itself
LAZY = {
    "serve": Lazy(HERE, "Run the service: REST at /api, live sync at ws://HOST:PORT/sync/DOCUMENT, docs at /docs."),
    "settings": Lazy(HERE, "Print the resolved settings, secrets masked, and the variable that sets each."),
    "keys": Lazy(HERE, "API keys for your servers: create, list, revoke."),
    "db": Lazy(HERE, "The database: schema and soundness."),
    "backup": Lazy("collab.cli_backup:app", "Backups of the whole database: create, list, restore."),
    "doctor": Lazy(HERE, "Verify every stored byte, list documents that are not well."),
    "export": Lazy(HERE, "Write one document to standard output as a zip."),
    "import": Lazy(HERE, "Read an archive from standard input into a new document."),
    "replay": Lazy(HERE, "Play a recorded editing session against a running server."),
    "docs": Lazy("collab.remote.docs:app", "Documents of a running service: list, create, show, rename, remove."),
    "cat": Lazy("collab.remote.content:cat", "Print a document's content."),
    "edit": Lazy("collab.remote.content:edit", "Edit a document's content in $EDITOR, merged with what others type."),
    "watch": Lazy("collab.remote.watch:watch", "Follow a document: who types what, who comes and goes."),
    "snapshots": Lazy("collab.remote.snapshots:app", "Snapshots: take, list, compare, rename, go back, remove."),
    "tickets": Lazy("collab.remote.tickets:app", "Tickets: let somebody open one socket."),
}
HELP = """Collaborative editing backend for Yjs editors. Start with [bold]collab serve[/bold].

On the machine of the service: serve, settings, keys, db, backup, doctor, export, import. From anywhere, with
[bold]--url[/bold] and [bold]--key[/bold] or COLLAB_URL and COLLAB_KEY: docs, cat, edit, watch, snapshots, tickets.
"""


class LazyGroup(TyperGroup):
    """Shows a line of each lazy command, and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See TyperGroup."""
        return [*LAZY, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See TyperGroup; a lazy command comes without its body."""
        lazy = LAZY.get(cmd_name)
        return super().get_command(ctx, cmd_name) if lazy is None else TyperCommand(cmd_name, help=lazy.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See TyperGroup."""
        if args and args[0] in LAZY:
            return args[0], load(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """The real command."""
    module, _, attribute = LAZY[name].where.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        found, function = typer.Typer(add_completion=False, rich_markup_mode="rich"), found
        found.command(name)(function)
    command: Any = typer.main.get_command(found)
    if LAZY[name].where == HERE:
        return command.commands[name]
    command.name = name
    return command


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode="rich")


def tell_version(asked: bool) -> None:
    """Prints it and ends."""
    if asked:
        typer.echo(__version__)
        raise typer.Exit()


@app.callback(help=HELP)
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=tell_version, help="Print the version.")
    ] = False,
) -> None:
    """Makes it a group, though it has but one command that is not lazy."""


@app.command()
def version() -> None:
    """Print the version."""
    tell_version(True)


def main() -> None:
    """The console script."""
    app()
