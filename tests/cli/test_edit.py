"""`collab edit` with real editors: merged, refused, kept."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from collab_client import sync
from tests.cli.conftest import Cli
from tests.conftest import Service
from tests.patience import PATIENCE_S


@pytest.fixture
def editor(tmp_path: Path, cli: Cli, document: str) -> Edit:
    return Edit(tmp_path, cli, document)


class Edit:
    """Runs `collab edit` with an editor that does what some lines of Python say to `text`."""

    def __init__(self, folder: Path, cli: Cli, document: str) -> None:
        self.cli = cli
        self.document = document
        self._script = folder / "editor.py"

    def __call__(self, lines: str, *words: str, code: int = 0) -> str:
        """What the command said."""
        reading = "import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text()\n"
        self._script.write_text(f"{reading}{lines}\nfile.write_text(text)\n")
        command = f"{sys.executable} {self._script}"
        return self.cli("edit", self.document, *words, code=code, EDITOR=command, VISUAL="")


def test_what_others_type_meanwhile_stays(editor: Edit, cli: Cli, service: Service) -> None:
    cli("docs", "create", editor.document, "--content", "-", given="the quick fox")
    with sync.connect(service.url, editor.document, service.admin) as live:
        meanwhile = (
            "from collab_client import sync\n"
            f"with sync.connect({service.url!r}, {editor.document!r}, {service.admin!r}) as other:\n"
            "    other.rewrite('the quick red fox, jumping')\n"
            "text = text.replace('quick', 'slow 😀') + '\\n'\n"
        )
        assert re.fullmatch(r"saved at \d+\n", editor(meanwhile))
        live.until(lambda behind: "slow" in str(behind.text()), PATIENCE_S)
        assert live.read() == "the slow 😀 red fox, jumping"
    sizes = [len(update.update) for update in _log(service, editor.document)]
    assert max(sizes[1:]) < 120  # the smallest edits, not the text again


def _log(service: Service, document: str) -> list[sync.Any]:
    with sync.Documents(service.url, service.admin) as docs:
        return [*docs.updates(document)]


def test_nothing_changed_is_nothing_sent(editor: Edit, cli: Cli) -> None:
    cli("docs", "create", editor.document, "--content", "-", given="text")
    assert editor("pass") == "nothing was changed\n"
    assert editor("text += '\\n'") == "nothing was changed\n"  # what editors do by themselves
    assert editor("pass", "--json") == '{"changed": false}\n'
    assert cli.json("docs", "show", editor.document)["seq"] == 1


def test_other_kinds_and_an_empty_document(editor: Edit, cli: Cli, service: Service) -> None:
    cli("docs", "create", editor.document)
    editor("text = 'first words'")
    assert cli("cat", editor.document) == "first words"
    editor("""text = '{"todo": [1]}'""", "--root", "meta", "--type", "map")
    assert cli("cat", editor.document, "--root", "meta") == '{"todo":[1]}'
    editor("text = '<paragraph>hi</paragraph>'", "--root", "page", "--type", "xml")
    editor("text = text.replace('hi', 'ho')", "--root", "page")
    assert cli("cat", editor.document, "--root", "page") == "<paragraph>ho</paragraph>"
    assert "name one with --root" in editor("pass", code=1)


def test_what_cannot_be_taken_is_kept(editor: Edit, cli: Cli) -> None:
    cli("docs", "create", editor.document, "--content", "-", "--root", "meta", "--type", "map", given='{"n": 1}')
    said = editor("text = '{oops'", code=1)
    kept = re.search(r"your text is in (.*)\)", said)
    assert kept is not None and Path(kept[1]).read_text() == "{oops"
    cli("docs", "rm", editor.document)
    cli("edit", editor.document, code=3, EDITOR="true")


def test_an_editor_that_fails_sends_nothing(editor: Edit, cli: Cli) -> None:
    cli("docs", "create", editor.document, "--content", "-", given="text")
    assert "ended with 7" in editor("file.write_text('changed'); sys.exit(7)", code=1)
    assert "no-such-editor" in cli("edit", editor.document, code=1, EDITOR="no-such-editor", VISUAL="")
    assert cli("cat", editor.document) == "text"


def test_a_reader_keeps_the_text_too(editor: Edit, cli: Cli, service: Service) -> None:
    cli("docs", "create", editor.document, "--content", "-", given="text")
    reader = Edit(editor._script.parent, Cli({**cli.env, "COLLAB_KEY": service.reader}), editor.document)
    assert "your text is in" in reader("text += '!'", code=4)


def test_of_what_was_emptied_the_type_is_asked_for(editor: Edit, cli: Cli) -> None:
    cli("docs", "create", editor.document, "--content", "-", given="text")
    editor("text = ''")
    assert "give it by --type" in editor("pass", code=1)
    editor("text = 'again'", "--type", "text")
    assert cli("cat", editor.document) == "again"
