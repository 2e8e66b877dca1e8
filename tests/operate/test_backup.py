"""`collab backup` and `collab docs restore`: consistent beside a running service, whole or refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from collab.backup.place import FolderPlace, place_of
from collab.errors import CollabError
from collab.main import app
from collab_client import sync
from tests import realservers
from tests.cli.conftest import Cli
from tests.conftest import Service
from tests.server import Server, running_server, wait_until


def run(*words: str, code: int = 0) -> str:
    """What `collab backup …` printed; the reason if it was to fail."""
    result: Result = CliRunner().invoke(app, ["backup", *words])
    assert result.exit_code == code, (words, result.output, result.exception)
    if code:
        assert result.stderr.startswith("collab: ") and result.stderr.count("\n") == 1, result.stderr
        return result.stderr
    return result.stdout.strip()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with documents, a deleted one, a snapshot."""
    with running_server(tmp_path_factory.mktemp("busy") / "data") as server:
        with sync.Documents(server.url) as docs:
            for number in range(5):
                docs.create(f"d{number}", title=f"№ {number}", metadata={"n": number})
                docs.write(f"d{number}", f"text {number} 😀", "text", type="text")
            docs.snapshots.take("d0", "kept")
            docs.write("d0", "later", "text")
            docs.delete("d4")
        yield server


def test_a_backup_of_a_running_service_is_restored_and_served(busy: Server, tmp_path: Path) -> None:
    """While somebody types: the copy is one moment of it, and every document is whole."""
    stop = threading.Event()

    def type_on() -> None:
        with sync.Documents(busy.url) as docs:
            number = 0
            while not stop.is_set():
                number += 1
                docs.write("typing", "x" * number, "text", type="text")

    with sync.Documents(busy.url) as docs:
        docs.create("typing")
    typist = threading.Thread(target=type_on)
    typist.start()
    try:
        made = json.loads(run("create", "--to", str(tmp_path), "--data", str(busy.data), "--json"))
    finally:
        stop.set()
        typist.join()
    assert made["rows"]["document"] == made["documents"] >= 6
    assert [kept["name"] for kept in json.loads(run("list", "--from", str(tmp_path), "--json"))] == [made["name"]]
    assert (tmp_path / made["name"]).stat().st_mode & 0o077 == 0
    restored = run("restore", "latest", "--from", str(tmp_path), "--data", str(tmp_path / "new"))
    assert restored.startswith(f"{made['documents']} documents as they were at ")
    with running_server(tmp_path / "new") as server, sync.Documents(server.url) as docs:
        assert (docs.read("d3"), docs.get("d3").title, docs.get("d3").metadata) == ("text 3 😀", "№ 3", {"n": 3})
        assert docs.snapshots.read_all("d0")["text"]["content"] == "text 0 😀"
        assert [update.seq for update in docs.updates("d0")] == [1, 2]
        assert docs.undelete("d4").seq == 1
        assert set(docs.read("typing") if docs.get("typing").seq else "x") == {"x"}
        docs.create("after")  # numbers go on
    assert "not empty" in run("restore", made["name"], "--from", str(tmp_path), "--data", str(tmp_path / "new"), code=1)


def test_sqlite_moves_to_postgres_and_back(busy: Server, postgres: realservers.Server, tmp_path: Path) -> None:
    """The same rows in both: what comes back is what went, byte for byte."""
    url = asyncio.run(fresh_database(postgres.url))
    first = tmp_path / run("create", "--to", str(tmp_path), "--data", str(busy.data))
    assert CliRunner().invoke(app, ["db", "upgrade", "--database-url", url]).exit_code == 0
    run("restore", first.name, "--from", str(tmp_path), "--database-url", url)
    back = tmp_path / "back"
    second = back / run("create", "--to", str(back), "--database-url", url)
    run("restore", second.name, "--from", str(back), "--data", str(tmp_path / "new"))
    assert rows_of(first) == rows_of(second)


async def fresh_database(url: str) -> str:
    """A new database on that server."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP DATABASE IF EXISTS collab_moved")
        await connection.execute("CREATE DATABASE collab_moved")
    finally:
        await connection.close()
    return url.rpartition("/")[0] + "/collab_moved"


def rows_of(path: Path) -> list[str]:
    """Its lines but for the header and the digest, in order."""
    with gzip.open(path, "rt") as file:
        return sorted(line for line in file if '"t":' in line)


@pytest.mark.parametrize("harm", ["cut", "flipped", "rows", "text", "longer"])
def test_a_damaged_backup_is_refused_and_nothing_is_written(busy: Server, tmp_path: Path, harm: str) -> None:
    path = tmp_path / run("create", "--to", str(tmp_path), "--data", str(busy.data))
    raw = path.read_bytes()
    lines = gzip.decompress(raw).splitlines(keepends=True)
    damaged = {
        "cut": raw[: len(raw) // 2],
        "flipped": raw[:200] + bytes([raw[200] ^ 1]) + raw[201:],
        "rows": gzip.compress(b"".join([*lines[:2], *lines[3:]])),
        "text": b"not a backup",
        "longer": gzip.compress(b"".join([*lines, lines[1]])),
    }
    path.write_bytes(damaged[harm])
    assert path.name in run("restore", path.name, "--from", str(tmp_path), "--data", str(tmp_path / "new"), code=1)
    path.write_bytes(raw)
    run("restore", path.name, "--from", str(tmp_path), "--data", str(tmp_path / "new"))


def test_a_bucket_keeps_backups_as_a_folder_does(busy: Server, tmp_path: Path) -> None:
    """Through obstore, on its store of local files; one name that is not there, one place that cannot be."""
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    made = run("create", "--to", f"file://{bucket}", "--data", str(busy.data))
    assert json.loads(run("list", "--from", f"file://{bucket}", "--json"))[0]["name"] == made
    run("restore", "latest", "--from", f"file://{bucket}", "--data", str(tmp_path / "new"))
    assert "no such backup" in run("restore", "collab-x", "--from", f"file://{bucket}", "--data", str(tmp_path), code=1)
    run("list", "--from", "nonsense://x", code=1)


@contextmanager
def s3(folder: Path) -> Iterator[str]:
    """A server that speaks S3, with one bucket; yields its URL."""
    port = realservers.free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: made(f"{url}/backups"), what="the bucket")
        yield url
    finally:
        process.kill()
        process.wait()


def made(bucket: str) -> bool:
    """Whether the server is there and has made it."""
    try:
        return httpx2.put(bucket).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_bucket_of_s3_keeps_backups(busy: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a prefix, several parts too; what is not there, and what is not a bucket, are one line each."""
    pytest.importorskip("moto", reason="no server that speaks S3 here: uv sync installs moto")
    with s3(tmp_path) as url:
        said = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "REGION": "us-east-1"}
        for name, value in (said | {"ENDPOINT_URL": url, "ALLOW_HTTP": "true"}).items():
            monkeypatch.setenv(f"AWS_{name}", value)
        where = "s3://backups/collab/node-1"
        name = run("create", "--to", where, "--data", str(busy.data))
        assert [kept["name"] for kept in json.loads(run("list", "--from", where, "--json"))] == [name]
        assert run("list", "--from", "s3://backups/collab/node-2") == ""
        run("restore", "latest", "--from", where, "--data", str(tmp_path / "new"))
        assert "no such backup" in run("restore", "collab-x", "--from", where, "--data", str(tmp_path / "x"), code=1)
        assert "NoSuchBucket" in run("list", "--from", "s3://nowhere", code=1)
        assert "no such bucket" in run("create", "--to", "s3://nowhere", "--data", str(busy.data), code=1)
        large, back = tmp_path / "large", tmp_path / "back"
        large.write_bytes(os.urandom(20_000_000))
        place_of(where).put(large, "collab-2.ndjson.gz")
        place_of(where).get("collab-2.ndjson.gz", back)
        assert back.read_bytes() == large.read_bytes()


def test_what_cannot_be_kept_is_an_error(busy: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that cannot be written, a copy that reads back other than it was: no file under the name."""
    (tmp_path / "file").write_text("")
    run("create", "--to", str(tmp_path / "file"), "--data", str(busy.data), code=1)
    run("create", "--to", str(tmp_path), "--data", str(tmp_path / "nowhere"), code=1)
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    monkeypatch.setattr("shutil.copyfileobj", lambda one, other: other.write(b"abd"))
    with pytest.raises(CollabError, match="reads back"):
        FolderPlace(tmp_path / "to").put(source, "collab-1.ndjson.gz")
    assert place_of(str(tmp_path / "to")).list() == []
    assert run("list", "--from", str(tmp_path / "to")) == ""


def test_a_document_as_it_was_at_a_moment(service: Service, document: str) -> None:
    """Up to the update that was committed then; the document itself, and its title, stay as they are."""
    cli = Cli({"COLLAB_URL": service.url, "COLLAB_KEY": service.admin})
    with sync.Documents(service.url, service.admin) as docs:
        docs.create(document, title="Minutes", content={"text": {"type": "text", "value": "one"}})
        docs.write(document, "one two", "text")
        moment = [update.created_at for update in docs.updates(document)][-1]
        docs.write(document, "all is lost", "text")
        new = f"{document} then"
        said = cli("docs", "restore", document, "--at", moment.isoformat(), "--as", new)
        assert said == f"{new} is {document} as it was after 2 updates\n"
        assert (docs.read(new), docs.get(new).title, docs.read(document)) == ("one two", "Minutes", "all is lost")
        cli("docs", "restore", document, "--at", moment.isoformat(), "--as", new, code=5)
        cli("docs", "restore", document, "--at", "2001-01-01", "--as", f"{new}?", code=3)
        cli("docs", "restore", f"{document}?", "--at", "2001-01-01T10:00Z", "--as", new, code=3)
        now = datetime.now(UTC).isoformat()
        assert cli.json("docs", "restore", document, "--at", now, "--as", f"{new}!")["restored_seq"] == 3
    result = CliRunner().invoke(app, ["docs", "restore", document, "--at", "yesterday", "--as", "x"], env=cli.env)
    assert result.exit_code == 2
