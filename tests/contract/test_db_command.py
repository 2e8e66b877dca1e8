"""`collab db`, as an operator uses it, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uuid_utils
from sqlalchemy import text
from typer.testing import CliRunner

from collab.cli_db import DAMAGED, OUTDATED, UNREACHABLE, app
from collab.store import migrate
from collab.store.base import Append, Checkpoint, Entry
from collab.store.open import Store, open_store
from tests import realservers
from tests.databases import emptied_postgres, fresh_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/collab.db"
    server: realservers.Server = request.getfixturevalue("postgres")
    return asyncio.run(emptied_postgres(server))


def db(*arguments: str) -> tuple[int, str]:
    """Exit code and output, with lines joined as on a very wide terminal."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "500"})
    return result.exit_code, result.output


def in_store(url: str, work: Callable[[Store], Awaitable[object]]) -> None:
    async def run() -> None:
        async with open_store(url) as store:
            await work(store)

    asyncio.run(run())


async def fill(store: Store) -> None:
    for document in ("good", "bad"):
        for n in range(3):
            entry = Entry("ann", "s", b"update %d" % n)
            await store.log.append([Append(document, "L1", uuid_utils.uuid7().bytes, [entry])])
        await store.log.put_checkpoint(document, "L1", Checkpoint(2, b"state", b"index"))
        await store.snapshots.create(document, 2, b"state", None, {}, "ann")


def test_upgrade(tmp_path: Path) -> None:
    code, output = db("upgrade", "--database-url", f"sqlite:///{tmp_path}/collab.db")
    assert code == 0 and f"nothing to {migrate.head()}" in output
    code, output = db("upgrade", "--database-url", f"sqlite:///{tmp_path}/collab.db")
    assert code == 0 and "already" in output


def test_a_sound_database_is_told_so(url: str) -> None:
    in_store(url, fill)
    code, output = db("check", "--database-url", url, "--checksums")
    assert code == 0, output
    assert "2 documents, 6 log rows, 2 checkpoints, 2 snapshots: every checksum is right" in output


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE update_log SET payload = checksum WHERE last_seq = 2", "the log row at seq 2 does not match"),
        ("DELETE FROM update_log WHERE last_seq = 2", "log rows are missing"),
        ("DELETE FROM update_log WHERE last_seq = 3", "the log ends at seq 2, but the document stands at 3"),
        ("UPDATE checkpoint SET state_index = state", "the checkpoint at seq 2 does not match"),
        ("UPDATE snapshot SET state = checksum", "does not match its checksum"),
    ],
)
def test_damage_is_found_and_named(url: str, damage: str, said: str) -> None:
    in_store(url, fill)
    where = "AND" if "WHERE" in damage else "WHERE"
    rot = text(f"{damage} {where} document_key = (SELECT key FROM document WHERE id = 'bad')")
    in_store(url, lambda store: store.database.write(lambda connection: connection.execute(rot)))
    assert db("check", "--database-url", url)[0] == 0
    code, output = db("check", "--database-url", url, "--checksums")
    assert code == DAMAGED and "document bad:" in output and said in output
    assert "document good" not in output


def test_a_database_without_tables_needs_an_upgrade(postgres: realservers.Server) -> None:
    code, output = db("check", "--database-url", asyncio.run(fresh_postgres(postgres)))
    assert code == OUTDATED and "run collab db upgrade" in output


def test_an_unreachable_database_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    closed = realservers.free_port()
    code, output = db("check", "--database-url", f"postgresql://x@127.0.0.1:{closed}/x")
    assert code == UNREACHABLE and "onnect" in output
    code, output = db("check", "--database-url", f"sqlite:///{tmp_path}/nowhere.db")
    assert code == UNREACHABLE and "unable to open" in output
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_database_is_found_in_the_data_folder(tmp_path: Path) -> None:
    assert db("upgrade", "--data", str(tmp_path / "data"))[0] == 0
    assert (tmp_path / "data" / "collab.db").exists()
    assert db("check", "--data", str(tmp_path / "data"))[0] == 0


def test_a_running_service_is_checked_but_not_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/collab.db"

    async def run() -> None:
        async with open_store(url) as store:
            await fill(store)
            code, output = await asyncio.to_thread(db, "check", "--database-url", url, "--checksums")
            assert code == 0 and "6 log rows" in output
            code, output = await asyncio.to_thread(db, "upgrade", "--database-url", url)
            assert code == UNREACHABLE and "in use" in output
            await fill(store)

    asyncio.run(run())


def test_a_broken_file_is_reported_with_what_sqlite_says(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path}/collab.db", tmp_path / "collab.db"

    async def grow(store: Store) -> None:
        entry = Entry("ann", "s", b"x" * 200_000)
        await store.log.append([Append("good", "L1", uuid_utils.uuid7().bytes, [entry])])

    in_store(url, grow)
    in_store(url, fill)
    whole = path.read_bytes()
    begin = whole.find(b"x" * 4000)
    page = begin - begin % 4096 + 4096
    path.write_bytes(whole[:page] + b"\xff" * 4 + whole[page + 4 :])
    code, output = db("check", "--database-url", url, "--checksums")
    assert code == DAMAGED and "document good: the database file is damaged" in output
    assert "document bad" not in output


def test_bad_settings_are_named(tmp_path: Path) -> None:
    code, output = db("check", "--database-url", "mysql://localhost/x")
    assert code == UNREACHABLE and "mysql" in output


def test_copy_moves_everything_and_may_be_run_again(url: str, tmp_path: Path) -> None:
    in_store(url, fill)
    target = f"sqlite:///{tmp_path}/elsewhere.db"
    for rows, states in ((6, 4), (0, 0)):
        code, output = db("copy", url, target)
        assert code == 0, output
        assert f"{rows} log rows, {states} checkpoints and snapshots" in output
        assert "2 documents, 6 log rows, 2 checkpoints, 2 snapshots: every checksum is right" in output
    code, output = db("copy", f"sqlite:///{tmp_path}/nothing.db", target)
    assert code == UNREACHABLE, output
