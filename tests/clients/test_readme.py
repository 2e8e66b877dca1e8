"""The README's snippets, as a stranger pastes them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.front import Place
from tests.patience import PATIENCE_S

README = (Path(__file__).parents[2] / "README.md").read_text()
CURL = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, which the commands are made for")


def pasted(pattern: str, server: Place, document: str) -> str:
    """A snippet, at this server and about this document."""
    found = re.search(pattern, README, re.DOTALL)
    assert found, "the README has no such snippet any more"
    snippet = found[1].replace("127.0.0.1:8000", server.url.removeprefix("http://"))
    return snippet.replace("notes/today", f"notes/{document}").replace("notes%2Ftoday", f"notes%2F{document}")


def run(*command: str) -> str:
    """What it prints; it must end well and complain of nothing."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def curls(server: Place, document: str, *options: str) -> str:
    """The lines for REST."""
    return pasted(r"And by REST:\n\n(.*?)\n\nThe API", server, document).replace("curl ", f"curl {' '.join(options)} ")


def text(server: Place, document: str) -> str:
    return httpx2.get(f"{server.url}/api/documents/notes%2F{document}/content?root=text&format=text").text


@CURL
def test_python_and_curl_write_in_one_document(server: Place) -> None:
    """Python over the socket, then curl by REST; the snapshot holds both."""
    run(sys.executable, "-c", pasted(r"```python\n(.*?)```", server, "both"))
    assert text(server, "both") == "typed from Python. "
    printed = run("bash", "-c", curls(server, "both", "-sS"))
    assert '"code": "conflict"' in printed and "typed by curl" in printed and "first draft" in printed
    assert text(server, "both") == "typed by curl"


@CURL
def test_curl_needs_nobody_who_wrote_before(server: Place) -> None:
    printed = run("bash", "-ec", curls(server, "alone", "-sS", "--fail-with-body"))
    assert "typed by curl" in printed and "first draft" in printed
