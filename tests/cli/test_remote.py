"""`collab docs`, `cat`, `snapshots`, `tickets` against a real service: done, refused, for people and for programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collab.main import app
from collab_client import sync
from tests.cli.conftest import Cli
from tests.conftest import Service
from tests.patience import PATIENCE_S


def test_a_document_from_birth_to_purge(cli: Cli, document: str, tmp_path: Path) -> None:
    content = tmp_path / "first.txt"
    content.write_text("hello 😀")
    words = ("docs", "create", document, "--title", "Minutes", "-m", "team=a", "-m", "n=1", "--content", str(content))
    assert cli(*words) == f"{document}\n"
    assert cli("docs", "create", document, code=5).startswith("collab: ")
    shown = cli.json("docs", "show", document)
    assert (shown["title"], shown["metadata"], shown["seq"]) == ("Minutes", {"team": "a", "n": 1}, 1)
    assert dict(line.split("\t") for line in cli("docs", "show", document).splitlines())["title"] == "Minutes"
    assert cli("cat", document) == "hello 😀"
    assert cli("docs", "rename", document, "June", "-m", "n=null") == f"{document} is called June\n"
    assert cli.json("docs", "rename", document, "")["title"] is None
    assert cli.json("docs", "show", document)["metadata"] == {"team": "a"}
    assert cli("docs", "rm", document) == f"deleted {document}\n"
    assert "deleted" in cli("docs", "show", document, code=3)
    assert cli("docs", "undelete", document) == f"{document} is back\n"
    assert cli.json("docs", "rm", document, "--purge", "--yes") == {"removed": [document], "purged": True}
    cli("docs", "undelete", document, code=3)


def test_a_purge_asks_first(cli: Cli, document: str) -> None:
    cli("docs", "create", document)
    result = CliRunner().invoke(app, ["docs", "rm", document, "--purge"], env=cli.env, input="n\n")
    assert result.exit_code == 1 and "for good?" in result.stderr
    assert cli.json("docs", "show", document)["id"] == document


def test_lists_for_programs_and_pipes(cli: Cli, document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collab.remote.service.PAGE", 2)
    ids = [f"{document} {number}" for number in range(5)]
    for number, one in enumerate(ids):
        cli("docs", "create", one, "--title", f"tab\there {number}", "-m", f"odd={number % 2}x")
    assert [found["id"] for found in cli.json("docs", "list", document)] == ids
    rows = [line.split("\t") for line in cli("docs", "list", document).splitlines()]
    assert [row[:2] for row in rows] == [[one, f"tab here {number}"] for number, one in enumerate(ids)]
    assert [found["id"] for found in cli.json("docs", "list", document, "-m", "odd=1x")] == [ids[1], ids[3]]
    cli("docs", "rm", ids[0])
    assert len(cli.json("docs", "list", document)) == 4
    assert len(cli.json("docs", "list", document, "--deleted")) == 5


def test_a_chosen_id_and_content_from_standard_input(cli: Cli) -> None:
    words = ("docs", "create", "--content", "-", "--root", "meta", "--type", "map")
    made = cli(*words, given='{"todo": ["milk"]}').strip()
    assert json.loads(cli("cat", made)) == {"todo": ["milk"]}
    assert "Expecting" in cli(*words, given="{", code=1)
    assert "No such file" in cli("docs", "create", "--content", "/nowhere", code=1)


def test_cat_shows_each_kind_as_people_read_it(cli: Cli, service: Service, document: str) -> None:
    cli("docs", "create", document)
    assert cli("cat", document) == ""
    with sync.Documents(service.url, service.admin) as docs:
        docs.write(document, "<paragraph>hi</paragraph>", "page", type="xml", format="xml")
        assert cli("cat", document) == "<paragraph>hi</paragraph>"
        docs.snapshots.take(document)
        docs.write(document, {"n": 1}, "meta", type="map")
    assert "meta, page" in cli("cat", document, code=1)
    assert cli("cat", document, "--root", "meta") == '{"n":1}'
    assert cli("cat", document, "--root", "page", "--format", "text").strip() == "hi"
    assert cli("cat", document, "--snapshot", "latest") == "<paragraph>hi</paragraph>"
    assert [*cli.json("cat", document)] == ["meta", "page"]
    cli("cat", document + "?", code=3)
    cli("cat", document, "--root", "none", code=3)


def test_snapshots(cli: Cli, service: Service, document: str) -> None:
    cli("docs", "create", document, "--content", "-", given="one")
    first = cli("snapshots", "take", document, "--label", "first", "-m", "by=test").strip()
    assert cli("snapshots", "diff", document) == ""
    with sync.Documents(service.url, service.admin) as docs:
        docs.write(document, "two", "text")
    lines = cli("snapshots", "diff", document).splitlines()
    assert lines == ["--- text (latest)", "+++ text (now)", "@@ -1 +1 @@", "-one", "+two"]
    assert cli.json("snapshots", "diff", document, first)["roots"]["text"]["type"] == "text"
    assert cli.json("snapshots", "show", document)["metadata"] == {"by": "test"}
    assert cli("snapshots", "restore", document, first).startswith(f"back at {first}; what was there is snapshot ")
    assert cli("cat", document) == "one"
    listed = cli.json("snapshots", "list", document)
    assert [one["label"] for one in listed] == ["before going back", "first"]
    assert cli("snapshots", "list", document).splitlines()[1].split("\t")[:2] == [first, "first"]
    assert cli("snapshots", "rename", document, first, "one") == f"{first} is called one\n"
    assert cli.json("snapshots", "rename", document, first, "")["label"] is None
    assert cli.json("snapshots", "rm", document, first) == {"removed": [first]}
    cli("snapshots", "show", document, first, code=3)


def test_a_ticket_opens_a_socket(cli: Cli, service: Service, document: str) -> None:
    cli("docs", "create", document)
    ticket = cli("tickets", "create", document, "--user", "ada", "--access", "read").strip()
    with sync.connect(service.url, document, ticket) as live:
        assert live.status == "live"
    made = cli.json("tickets", "create", document, "--user", "ada", "--name", "Ada", "--session-s", "60")
    assert (made["user"]["name"], made["access"]) == ("Ada", "write")
    cli("tickets", "create", document, "--user", "ada", "--color", "red", code=1)
    cli("tickets", "create", document, "--user", "ada", code=4, COLLAB_KEY=service.reader)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["docs", "create"], 4),
        (["docs", "rm", "d"], 4),
        (["snapshots", "take", "d"], 4),
    ],
)
def test_a_reader_may_not_write(cli: Cli, service: Service, words: list[str], code: int) -> None:
    cli(*words, code=code, COLLAB_KEY=service.reader)


def test_whoever_has_no_key_is_told_where_to_give_it(cli: Cli) -> None:
    assert "COLLAB_KEY" in cli("docs", "list", code=4, COLLAB_KEY="")
    assert "does not answer" in cli("docs", "list", "--url", "http://127.0.0.1:9", code=6)
    assert "not the address" in cli("docs", "list", "--url", "localhost:8000", code=2)


@pytest.mark.parametrize("given", [{"COLLAB_KEY": "ck_é"}, {"COLLAB_URL": "http://127.0.0.1:80a"}])
def test_a_key_or_an_address_that_is_none_is_told_in_one_line(cli: Cli, given: dict[str, str]) -> None:
    cli("docs", "list", code=2, **given)


@pytest.mark.parametrize("words", [["docs", "rename", "d"], ["docs", "list", "-m", "team"], ["docs", "nonsense"]])
def test_wrong_usage_ends_with_2(cli: Cli, words: list[str]) -> None:
    result = CliRunner().invoke(app, words, env=cli.env)
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_a_person_sees_a_table(cli: Cli, document: str) -> None:
    """On a terminal: headings, no tabs, an empty list in words, a title that cannot send escape sequences."""
    cli("docs", "create", document, "--title", "red \x1b[31m alert")
    shown, code = on_terminal(["docs", "list", document], cli)
    assert code == 0 and "title" in shown.splitlines()[0] and "red  [31m alert" in shown and "\t" not in shown
    shown, code = on_terminal(["docs", "list", document + "?"], cli)
    assert (shown.strip(), code) == ("no documents; make one: collab docs create", 0)


def on_terminal(words: list[str], cli: Cli) -> tuple[str, int]:
    """Output and exit code of a command that writes to a terminal of 200 columns."""
    ours, theirs = pty.openpty()
    env = {**os.environ, **cli.env, "COLUMNS": "200", "TERM": "dumb"}
    command = [sys.executable, "-m", "collab", *words]
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=env)
    os.close(theirs)
    shown = b""
    try:
        while found := os.read(ours, 65536):
            shown += found
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return shown.decode(), process.wait(PATIENCE_S)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from collab.main import main; sys.argv = ['collab', '--help']\n"
        "heavy = {'sqlalchemy', 'pycrdt', 'fastapi', 'httpx2', 'pydantic', 'orjson'}\n"
        "try: main()\n"
        "finally: print(*heavy.intersection(sys.modules), 'loaded')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "loaded"), done.stderr
    for command in ("serve", "docs", "edit", "watch", "snapshots", "tickets", "keys", "doctor"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("words", [[], ["docs"], ["edit"], ["watch"], ["snapshots"], ["tickets"], ["keys"], ["db"]])
def test_help_teaches(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output
    assert "[bold]" not in result.output


class Elsewhere(BaseHTTPRequestHandler):
    """Something that is not the service."""

    def do_GET(self) -> None:
        moved = "moved" in self.path
        self.send_response(301 if moved else 200)
        if moved:
            self.send_header("Location", "https://new.example.com/api/")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    ("path", "said"), [("", "not the address of a service"), ("/moved", "https://new.example.com")]
)
def test_something_else_at_the_address_is_told_in_one_line(cli: Cli, path: str, said: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert said in cli("docs", "list", "--url", f"http://127.0.0.1:{server.server_port}{path}", code=2)


def test_a_line_of_a_diff_ends_where_the_text_ends_it(cli: Cli, service: Service, document: str) -> None:
    cli("docs", "create", document, "--content", "-", given="")
    cli("snapshots", "take", document)
    with sync.Documents(service.url, service.admin) as docs:
        docs.write(document, "one\u2028still one\x0bstill", "text", type="text")
    lines = cli("snapshots", "diff", document).removesuffix("\n").split("\n")
    assert lines[3:] == ["-", "+one still one still"]
