"""`collab export`, `import` and `doctor`, as an operator types them."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from typer.testing import CliRunner

from collab.cli import app
from collab.crdt.fold import fold
from collab.store.base import Append, Entry
from collab.store.open import open_store
from tests.updates import typed


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    returncode: int
    stdout: bytes
    stderr: bytes


def collab(data: Path, *args: str, stdin: bytes = b"") -> Ran:
    """Runs the command in this process."""
    done = CliRunner().invoke(app, [*args, "--data", str(data)], input=stdin)
    return Ran(done.exit_code, done.stdout_bytes, done.stderr_bytes)


async def fill(data: Path, damage: bool = False) -> None:
    """One document of three commits; the second may rot."""
    async with open_store(f"sqlite:///{data / 'collab.db'}") as store:
        made = await store.catalog.create("team/notes", "Notes", {})
        for number in range(3):
            entries = [Entry("ann", "s", typed(1, 2 * number, "ab"))]
            await store.log.append([Append("team/notes", made.lineage, bytes([number]) * 16, entries)])
        if damage:
            statement = text("UPDATE update_log SET payload = zeroblob(length(payload)) WHERE last_seq = 2")
            await store.database.write(lambda connection: connection.execute(statement))


async def state(data: Path, document: str) -> bytes:
    """What the database holds of a document."""
    async with open_store(f"sqlite:///{data / 'collab.db'}") as store:
        rows = await store.log.read(document, 0, 100)
    return fold(None, [entry.update for row in rows for entry in row.entries])


def test_out_of_one_database_into_another(tmp_path: Path) -> None:
    """A pipe is enough; nothing is overwritten, and nothing is written where an archive was not asked for."""
    asyncio.run(fill(tmp_path / "one"))
    out = collab(tmp_path / "one", "export", "team/notes")
    assert out.returncode == 0, out.stderr
    with zipfile.ZipFile(io.BytesIO(out.stdout)) as archive:
        assert json.loads(archive.read("content.json")) == {"t": {"type": "text", "content": "ababab"}}
    brought = collab(tmp_path / "one", "import", "copy", stdin=out.stdout)
    assert brought.returncode == 0, brought.stderr
    assert asyncio.run(state(tmp_path / "one", "copy")) == asyncio.run(state(tmp_path / "one", "team/notes"))
    again = collab(tmp_path / "one", "import", "copy", stdin=out.stdout)
    assert (again.returncode, b"exists" in again.stderr) == (2, True)
    missing = collab(tmp_path / "one", "export", "nothing")
    assert (missing.returncode, missing.stdout, b"nothing" in missing.stderr) == (2, b"", True)
    rubbish = collab(tmp_path / "one", "import", "x", stdin=b"rubbish")
    assert (rubbish.returncode, b"no archive" in rubbish.stderr) == (2, True)


def test_into_a_database_that_is_not_there_yet(tmp_path: Path) -> None:
    """It is made, as `serve` would make it."""
    asyncio.run(fill(tmp_path / "one"))
    out = collab(tmp_path / "one", "export", "team/notes")
    brought = collab(tmp_path / "two", "import", "team/notes", stdin=out.stdout)
    assert brought.returncode == 0, brought.stderr
    assert asyncio.run(state(tmp_path / "two", "team/notes")) == fold(None, [typed(1, 2 * n, "ab") for n in range(3)])


def test_a_pipe_between_two_processes(tmp_path: Path) -> None:
    """As it is typed into a shell."""
    asyncio.run(fill(tmp_path / "one"))
    command = f"{sys.executable} -m collab"
    script = f"{command} export team/notes --data {tmp_path}/one | {command} import copy --data {tmp_path}/two"
    run = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert asyncio.run(state(tmp_path / "two", "copy")) == asyncio.run(state(tmp_path / "one", "team/notes"))


def test_the_doctor_says_that_all_is_well(tmp_path: Path) -> None:
    """Exit code 0."""
    asyncio.run(fill(tmp_path))
    seen = collab(tmp_path, "doctor")
    assert (seen.returncode, b"1 documents, 3 log rows" in seen.stderr) == (0, True)


def test_the_doctor_finds_saves_and_rebuilds(tmp_path: Path) -> None:
    """Exit code 1 while something is wrong; looking changes nothing, --rebuild does."""
    asyncio.run(fill(tmp_path, damage=True))
    folder = tmp_path / "saved"
    for _ in range(2):
        seen = collab(tmp_path, "doctor", "--salvage", str(folder))
        assert (seen.returncode, b"seq 2" in seen.stderr) == (1, True), seen.stderr
    assert [path.name for path in folder.iterdir()] == ["team%2Fnotes.zip"]
    rebuilt = collab(tmp_path, "doctor", "--salvage", str(folder), "--rebuild")
    assert rebuilt.returncode == 1
    assert collab(tmp_path, "doctor").returncode == 0
    assert asyncio.run(state(tmp_path, "team/notes")) == fold(None, [typed(1, 0, "ab")])
