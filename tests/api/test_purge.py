"""A purge is real: the bytes are in no file, and no copy can bring them back."""

from __future__ import annotations

import asyncio
import base64
import itertools
from pathlib import Path
from uuid import uuid4

import pycrdt
import pytest

from collab.core.session import Session
from collab.crdt.index import build
from collab.errors import LineageRetired, StorageUnavailable
from collab.protocol.messages import Kind, decode, encode_step1, encode_step2, encode_update
from collab.store.base import UNBORN, Append, Checkpoint, Entry, Stored
from collab.types import ANONYMOUS, Access, DocumentId
from tests.api.service import BINARY, Service, until
from tests.fakes import Recorder
from tests.updates import typed

SECRET = "SECRET-4711-PASSPORT"


def files_with(folder: Path, needle: str) -> list[str]:
    """Names of the files that hold the text, as it is or as base64 would hide it."""
    forms = [needle.encode()] + [base64.b64encode(b"x" * shift + needle.encode())[4:-4] for shift in range(3)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in files if any(form in path.read_bytes() for form in forms))


class OldClient:
    """A pycrdt document that was in sync once, as somebody's laptop keeps it for a week."""

    def __init__(self) -> None:
        self.doc = pycrdt.Doc()
        self.text = self.doc.get("t", type=pycrdt.Text)

    def pull(self, state: bytes) -> None:
        """Gets what the server has."""
        self.doc.apply_update(state)


async def write_everywhere(api: Service) -> OldClient:
    """Puts the secret into every table that holds content: log, checkpoint, snapshots, particulars, kept answers."""
    await api.create(title=SECRET, metadata={"note": SECRET})
    client = OldClient()
    client.text += f"dear {SECRET}"
    await api.client.post(
        "/api/documents/d/updates",
        content=client.doc.get_update(),
        headers={**BINARY, "idempotency-key": "k"},
    )
    particulars = {"label": SECRET, "metadata": {"a": SECRET}}
    await api.client.post("/api/documents/d/snapshots", json=particulars, headers={"idempotency-key": "l"})
    await api.client.post("/api/documents/d/snapshots", content=client.doc.get_update(), headers=BINARY)
    state = (await api.client.get("/api/documents/d/state")).content
    head = (await api.store.log.heads(["d"]))["d"]
    await api.store.log.put_checkpoint("d", head.lineage, Checkpoint(head.seq, state, build(state)))
    await api.client.delete("/api/documents/d/snapshots/none")
    return client


@pytest.mark.sqlite_only
@pytest.mark.parametrize("soft_first", [False, True])
async def test_the_bytes_are_in_no_file(api: Service, tmp_path: Path, soft_first: bool) -> None:
    """Searched over the whole data folder: database, write-ahead log, all of it."""
    await write_everywhere(api)
    assert "collab.db-wal" in files_with(tmp_path, SECRET)
    if soft_first:
        await api.client.delete("/api/documents/d")
        assert files_with(tmp_path, SECRET)
    assert (await api.client.delete("/api/documents/d", params={"purge": True})).status_code == 204
    assert files_with(tmp_path, SECRET) == []
    assert (await api.client.get("/api/documents/d")).status_code == 404
    assert (await api.client.delete("/api/documents/d", params={"purge": True})).status_code == 404


@pytest.mark.sqlite_only
async def test_deleted_text_and_deleted_snapshots_are_purged_too(api: Service, tmp_path: Path) -> None:
    """What people deleted is in the log for ever, but for this."""
    client = await write_everywhere(api)
    before = client.doc.get_state()
    client.text.clear()
    assert (await api.post(client.doc.get_update(before))).status_code == 200
    for item in (await api.client.get("/api/documents/d/snapshots")).json()["items"]:
        await api.client.delete(f"/api/documents/d/snapshots/{item['id']}")
    assert files_with(tmp_path, SECRET)
    await api.client.delete("/api/documents/d", params={"purge": True})
    assert files_with(tmp_path, SECRET) == []


@pytest.mark.one_node
@pytest.mark.parametrize("made_again", [False, True])
async def test_an_old_copy_cannot_come_back(api: Service, tmp_path: Path, made_again: bool) -> None:
    """By state vector, by its answer to ours, by an edit, by REST: each is refused with the final code."""
    client = await write_everywhere(api)
    await api.client.delete("/api/documents/d", params={"purge": True})
    if made_again:
        await api.create()
        await api.post(typed(1, 0, "new"))
    client.text += " and offline I typed this"
    whole = client.doc.get_update()
    for frame in (encode_step1(client.doc.get_state()), encode_step2(whole), encode_update(whole)):
        async with api.socket() as peer:
            with pytest.raises(LineageRetired):
                peer.send(frame)
    since = base64.urlsafe_b64encode(client.doc.get_state()).decode()
    answers = [await api.post(whole), await api.client.get("/api/documents/d/state", params={"since": since})]
    expected = (410, "lineage_retired") if made_again else (404, "not_found")
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [expected] * 2
    async with api.socket() as peer:
        assert peer.slot.room.history.clocks.next == ({1: 3} if made_again else {})
    assert files_with(tmp_path, SECRET) == []


@pytest.mark.one_node
async def test_who_is_connected_is_told_and_cannot_write(api: Service, tmp_path: Path) -> None:
    """What was typed in the last moment, and never committed, cannot come back either."""
    await write_everywhere(api)
    async with api.socket() as peer, api.socket(access=Access.READ) as reader:
        peer.edit(typed(77, 0, f"late {SECRET}"))
        await api.client.delete("/api/documents/d", params={"purge": True})
        assert isinstance(peer.outbox.closed, LineageRetired)
        assert isinstance(reader.outbox.closed, LineageRetired)
        peer.edit(typed(77, 25, "later"))  # frames that were on their way
    await api.journal.flush()
    async with api.socket() as peer:
        with pytest.raises(LineageRetired):
            peer.edit(typed(77, 0, f"late {SECRET}"))
    assert (await api.store.log.heads(["d"])) == {}
    assert files_with(tmp_path, SECRET) == []


@pytest.mark.sqlite_only
async def test_who_came_back_meanwhile_is_sent_away_although_the_file_could_not_be_swept(
    api: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are gone, but a long read, a backup's, keeps the WAL from being emptied: that is said, as a 503."""
    await write_everywhere(api)
    reader = Recorder()

    async def busy() -> None:
        raise StorageUnavailable("readers kept the WAL from being emptied")

    async def load(document: DocumentId, deleted: bool = False) -> Stored | None:
        if deleted:  # the purge looks at who has written
            session = Session("s", ANONYMOUS, Access.READ, reader, api.parts.limits)
            api.parts.hub.join(await api.parts.hub.open("d"), session)
        return await real(document, deleted)

    real = api.store.log.load
    with monkeypatch.context() as patch:
        patch.setattr(api.store.database, "erase", busy)
        patch.setattr(api.parts.log, "load", load)
        assert (await api.client.delete("/api/documents/d", params={"purge": True})).status_code == 503
    assert (await api.store.log.heads(["d"])) == {}
    assert isinstance(reader.closed, LineageRetired)
    assert (await api.client.get("/api/documents/d/state")).status_code == 404


async def test_what_cannot_be_read_can_be_purged(api: Service) -> None:
    """The log of an older version, say, holds what the gate refuses today."""
    await api.create()
    for update in (typed(1, 0, "a"), b"\xff\xff", typed(2, 0, "b")):
        await api.store.log.append([Append("d", UNBORN, uuid4().bytes, [Entry("a", "s", update)])])
    assert (await api.client.delete("/api/documents/d", params={"purge": True})).status_code == 204
    assert (await api.store.log.load("d")).retired_authors >= {1, 2}  # type: ignore[union-attr]


async def test_purging_while_many_write(api: Service, tmp_path: Path) -> None:
    """Nothing of what was under way is left, and none of its authors may come back."""
    await write_everywhere(api)
    sent: dict[int, bytes] = {}

    async def writes(client: int) -> None:
        for clock in range(0, 400, 4):
            if (await api.post(typed(client, clock, "PASS"))).status_code != 200:
                return
            sent[client] = typed(client, clock, "PASS")

    writing = [asyncio.create_task(writes(client)) for client in (101, 102, 103)]
    await until(lambda: len(sent) == 3)
    await api.client.delete("/api/documents/d", params={"purge": True})
    await asyncio.gather(*writing)
    await api.create()
    for update in sent.values():
        assert (await api.post(update)).json()["code"] == "lineage_retired"
    assert (await api.client.get("/api/documents/d")).json()["seq"] == 0
    assert files_with(tmp_path, SECRET) == []


@pytest.mark.one_node  # whose reading is overtaken
async def test_a_purge_ends_though_the_document_moves_on_each_time(
    api: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when people on other nodes type without a pause."""
    await api.create()
    load, clocks = api.parts.log.load, itertools.count()

    async def overtaken(document: DocumentId, deleted: bool = False) -> Stored | None:
        stored = await load(document, deleted)
        assert stored is not None
        entry = Entry("ann", "elsewhere", typed(55, next(clocks), "x"))
        await api.parts.log.append([Append(document, stored.lineage, uuid4().bytes, [entry])])
        return stored

    async def hidden(document: DocumentId, deleted: bool) -> None:
        pytest.fail("a commit under way, and people on other nodes, would be told that it was deleted (4410)")

    async with api.socket() as peer:
        with monkeypatch.context() as patch:
            patch.setattr(api.parts.log, "load", overtaken)
            patch.setattr(api.parts.catalog, "set_deleted", hidden)
            assert (await api.client.delete("/api/documents/d", params={"purge": True})).status_code == 204
        assert isinstance(peer.outbox.closed, LineageRetired)
    assert await api.store.log.heads(["d"]) == {}
    await api.create()
    assert (await api.post(typed(55, 0, "x" * next(clocks)))).json()["code"] == "lineage_retired"


@pytest.mark.one_node
async def test_a_purge_that_fails_ends_nobodys_socket_and_loses_nothing(
    api: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4411 is final: a client that was told it throws its copy away, and the document would be there all the same."""
    await api.create()
    async with api.socket() as peer:
        peer.edit(typed(1, 0, "a"))

        async def fails(*_: object) -> None:
            peer.edit(typed(1, 1, "b"))
            assert (await api.post(typed(2, 0, "c"))).status_code == 503
            raise StorageUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(api.parts.catalog, "purge", fails)
            assert (await api.client.delete("/api/documents/d", params={"purge": True})).status_code == 503
        assert peer.outbox.closed is None
        asked = peer.outbox.take()[-1]
        assert decode(asked)[0] is Kind.STEP1
        peer.send(encode_step2(typed(1, 1, "b")))  # the answer
        assert (await api.post(typed(2, 0, "c"))).status_code == 200
        await peer.saved()
        assert peer.outbox.closed is None
    assert (await api.store.log.heads(["d"]))["d"].seq == 3


async def test_others_keep_what_they_have(api: Service) -> None:
    """A purge touches one document."""
    await api.create("other")
    await api.post(typed(1, 0, "kept"), "other")
    await write_everywhere(api)
    await api.client.delete("/api/documents/d", params={"purge": True})
    assert b"kept" in (await api.client.get("/api/documents/other/state")).content
    assert (await api.post(typed(1, 4, "!"), "other")).status_code == 200
