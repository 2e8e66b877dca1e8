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
CONTENT = "/api/documents/notes%2Ftoday/content?root=text&format=text"


def pasted(pattern: str, server: Place) -> str:
    """A snippet, at this server."""
    found = re.search(pattern, README, re.DOTALL)
    assert found, "the README has no such snippet any more"
    return found[1].replace("127.0.0.1:8000", server.url.removeprefix("http://"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, which the commands are made for")
def test_python_and_curl_write_in_one_document(server: Place) -> None:
    """Python over the socket, then curl by REST; the snapshot holds both."""
    script = pasted(r"```python\n(.*?)```", server)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S)
    assert (run.returncode, run.stderr) == (0, "")
    assert httpx2.get(server.url + CONTENT).text == "typed from Python. "
    commands = pasted(r"And by REST:\n\n(.*?)\n\nThe API", server).replace("curl ", "curl -sS --fail-with-body ")
    run = subprocess.run(["bash", "-ec", commands], capture_output=True, text=True, timeout=PATIENCE_S)
    assert (run.returncode, run.stderr) == (0, "")
    assert "typed by curl" in run.stdout and "first draft" in run.stdout
    assert httpx2.get(server.url + CONTENT).text == "typed by curl"
