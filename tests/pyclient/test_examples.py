"""The examples and the README of the Python client, run as they stand."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from collab_client import Documents, sync
from tests.conftest import Service
from tests.patience import PATIENCE_S

CLIENT = Path(__file__).parents[2] / "clients" / "python"
README = (CLIENT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def example(name: str, *words: str) -> subprocess.Popen[str]:
    """Starts one."""
    command = [sys.executable, str(CLIENT / "examples" / f"{name}.py"), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def output(process: subprocess.Popen[str]) -> str:
    """What it printed; it must have gone well."""
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    return said


def test_a_bot_types_while_a_notebook_reads_and_both_are_exported(
    service: Service, document: str, tmp_path: Path
) -> None:
    with sync.Documents(service.url, service.admin) as docs:
        docs.create(document, content={"text": {"type": "text", "value": "Dear all, "}})
        reading = example("notebook", service.url, document, "--key", service.reader, "--until", "done")
        typing = example("bot", service.url, document, "we are done", "--key", service.admin, "--pause", "0.001")
        assert "11 characters are on disk" in output(typing)
        assert output(reading).splitlines()[-1].startswith("5 words, 21 characters")
        words = [service.url, str(tmp_path), "--prefix", document, "--key", service.admin]
        assert output(example("export", *words)) == "1 written, 0 unchanged, 0 failed\n"
        assert output(example("export", *words)) == "0 written, 1 unchanged, 0 failed\n"
        kept = json.loads((tmp_path / f"{quote(document, safe='')}.json").read_text())
        assert kept["content"] == {"text": {"type": "text", "content": "Dear all, we are done"}}
        assert [snapshot.label for snapshot in docs.snapshots.list(document)] == ["nightly export"]


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
async def test_the_readme_runs(block: str, service: Service, document: str) -> None:
    """Each block, with this service in place of those it names, and what it leaves out put in."""
    code = re.sub(r'"https?://[^"]+"(, key="[^"]*")?', f'"{service.url}"', block)
    code = re.sub(r"(Documents\(\"[^\"]+\")\)", rf'\1, "{service.admin}")', code)
    code = re.sub(r'(connect\("[^"]+", )"[^"]+"\)', rf'\1"{document}", "{service.admin}")', code)
    code = code.replace('"minutes"', f'"{document} minutes"').replace('"notes/today"', f'"{document}"')
    code = code.replace("        ...\n", "        stop.append(live.status)\n")
    async with Documents(service.url, service.admin) as docs:
        await docs.create(document, content={"text": {"type": "text", "value": "stop teh press"}})
    stop: list[str] = []
    compiled = compile(code, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(compiled, {"connect": __import__("collab_client").connect, "Documents": Documents, "stop": stop})
    if running is not None:
        await running
    assert ("stop.append" in code) == bool(stop)
