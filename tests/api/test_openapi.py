"""The description of the API: complete, true, and of use to a newcomer."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from collab.api.keys import EXAMPLE_KEY
from collab.api.problems import table
from collab.api.samples import SAMPLES
from tests.api.fuzz import fuzz, operations
from tests.api.service import Service
from tests.patience import PATIENCE_S
from tests.server import command, running_server


async def test_every_call_is_described(api: Service) -> None:
    """A summary, a text, a tag that is explained, a command, a schema or type for what it answers."""
    schema = (await api.client.get("/api/openapi.json")).json()
    tags = {tag["name"] for tag in schema["tags"]}
    operations = {call["operationId"]: call for methods in schema["paths"].values() for call in methods.values()}
    for name, call in operations.items():
        assert call["summary"], name
        assert call["description"], name
        assert set(call["tags"]) <= tags, name
        assert call["x-codeSamples"][0]["source"].startswith(("curl", "echo")), name
        assert "HTTPValidationError" not in str(call), name
    assert sorted(operations) == sorted(SAMPLES)


async def test_the_page_needs_nothing_from_elsewhere(api: Service) -> None:
    """No script, no image, no font; the policy would stop them."""
    answer = await api.client.get("/docs")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<(script|img|link|iframe)|@import|url\(", answer.text)


async def test_problems_lead_to_their_explanation(api: Service) -> None:
    """The `type` of every problem is an anchor of the page."""
    page = (await api.client.get("/docs")).text
    problem = (await api.client.get("/api/documents/x")).json()
    assert f'id="{problem["type"].partition("#")[2]}"' in page
    for kind in table():
        assert f'<tr id="{kind.code}">' in page


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, which the commands are made for")
def test_every_command_of_the_page_works_when_pasted(tmp_path: Path) -> None:
    """Top to bottom into a shell, on a fresh server; each ends as its call's first answer says.

    With an admin's key in curl's settings, since an open server makes no keys.
    """
    made = command("keys", "create", "test", "--scope", "admin", "--data", str(tmp_path / "data"), "--json")
    (tmp_path / ".curlrc").write_text(f'header = "Authorization: Bearer {orjson.loads(made)["key"]}"')
    with running_server(tmp_path / "data") as server:
        page = subprocess.run(["curl", "-s", f"{server.url}/docs"], capture_output=True, text=True, check=True).stdout
        commands = [html.unescape(sample) for sample in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)]
        assert len(commands) == len(SAMPLES)
        answers: list[str] = []
        for sample in commands:
            run = pasted(sample.replace(EXAMPLE_KEY, _made_key(answers)), tmp_path)
            assert run.returncode == 0, f"{sample}\n{run.stdout}"
            answers.append(run.stdout)


def _made_key(answers: list[str]) -> str:
    """The id of the key that an earlier command has made."""
    return next((orjson.loads(text)["id"] for text in answers if '"key":"ck_' in text), EXAMPLE_KEY)


def pasted(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs it in a shell, failing if the answer is a refusal; a stream is ended after its first event."""
    script = command.replace("curl ", "curl --fail-with-body ")
    if "curl -sN" in command:  # ended by hand: behind a closed pipe it would wait for something more to say
        script = f"exec 3< <({script}); grep -m 1 event <&3; found=$?; kill $!; exit $found"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "CURL_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.mark.timeout(600)
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """A small run of `python -m tests.api.fuzz`, which takes all operations: all checks on, no 5xx, no undocumented
    answer."""
    with running_server(tmp_path) as server:
        outcome = fuzz(server.url, requests=100, seed=1, only=operations(server.url)[::3])
    assert outcome.passed, outcome.output[-6000:]
    assert outcome.cases > 150
