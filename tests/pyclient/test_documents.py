"""The REST side of the Python client, each call once, good and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pycrdt import Doc, Text

from collab_client import Changed, Documents, NotAllowed, NotFound, Refused, Ticket, Unavailable, connect, text
from tests.conftest import Service
from tests.patience import PATIENCE_S


@pytest.fixture
async def docs(service: Service) -> AsyncIterator[Documents]:
    """With the admin's key."""
    async with Documents(service.url, service.admin) as found:
        yield found


async def test_a_document_from_birth_to_purge(docs: Documents, document: str) -> None:
    made = await docs.create(document, title="Minutes", metadata={"team": document[-20:]})
    assert (made.id, made.title, made.seq, made.deleted_at) == (document, "Minutes", 0, None)
    assert (datetime.now(UTC) - made.created_at).total_seconds() < 300
    with pytest.raises(Changed) as taken:
        await docs.create(document)
    assert (taken.value.status, taken.value.code) == (409, "conflict")
    assert (await docs.rename(document, None)).title is None
    assert (await docs.describe(document, {"n": 1})).metadata == {"team": document[-20:], "n": 1}
    assert [found.id async for found in docs.list(document[:8])].count(document) == 1
    assert [found.id async for found in docs.list(metadata={"team": document[-20:]})] == [document]
    await docs.delete(document)
    with pytest.raises(NotFound) as gone:
        await docs.get(document)
    assert gone.value.code == "gone"
    assert [found.id async for found in docs.list(document)] == []
    assert [found.id async for found in docs.list(document, deleted=True)] == [document]
    assert (await docs.undelete(document)).deleted_at is None
    await docs.delete(document, purge=True)
    with pytest.raises(NotFound):
        await docs.undelete(document)


async def test_lists_go_on_over_pages(docs: Documents, document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"{document} {number}" for number in range(5)]
    for one in ids:
        await docs.create(one)
    page = await docs.page(document, limit=2)
    assert ([found.id for found in page.items], page.cursor is not None) == (ids[:2], True)
    rest = await docs.page(document, limit=500, cursor=page.cursor)
    assert ([found.id for found in rest.items], rest.cursor) == (ids[2:], None)


async def test_content_is_written_read_and_edited(docs: Documents, document: str) -> None:
    await docs.create(document, content={"text": {"type": "text", "value": "teh fox"}})
    assert await docs.read(document) == "teh fox"
    before = await docs.get(document)
    done = await docs.edit(document, [{"op": "replace", "find": "teh", "text": "the"}], "text")
    assert done.changed and done.seq == before.seq + 1
    with pytest.raises(Changed):
        await docs.write(document, "lost", "text", version=before.version)
    assert not (await docs.write(document, "the fox", "text", version=done.version)).changed
    await docs.write(document, {"todo": [1, {"done": True}]}, "meta", type="map")
    await docs.write(document, "<paragraph>hi</paragraph>", "page", type="xml", format="xml")
    assert await docs.read(document, "meta") == {"todo": [1, {"done": True}]}
    assert await docs.read(document, "page", format="xml") == "<paragraph>hi</paragraph>"
    assert [*await docs.read_all(document)] == ["meta", "page", "text"]
    with pytest.raises(ValueError, match="meta, page, text"):
        await docs.read(document)
    with pytest.raises(Refused) as wrong:
        await docs.edit(document, [{"op": "replace", "find": "unicorn", "text": "x"}], "text")
    assert wrong.value.status == 422


async def test_bytes_for_those_who_speak_yjs(docs: Documents, document: str) -> None:
    doc: Doc[Any] = Doc()
    found: Text = doc.get("text", type=Text)
    found += "one"
    await docs.create(document)
    assert await docs.send(document, doc.get_update()) == 1
    seen = doc.get_state()
    found += " two"
    assert await docs.send(document, doc.get_update(seen)) == 2
    copy: Doc[Any] = Doc()
    copy.apply_update(await docs.state(document))
    assert str(copy.get("text", type=Text)) == "one two"
    assert len(await docs.state(document, since=copy)) <= 2
    log = [update async for update in docs.updates(document)]
    assert ([update.seq for update in log], len({update.author for update in log})) == ([1, 2], 1)
    with pytest.raises(Refused):
        await docs.send(document, b"not an update")


async def test_snapshots(docs: Documents, document: str) -> None:
    await docs.create(document, content={"text": {"type": "text", "value": "one"}})
    first = await docs.snapshots.take(document, "first", {"by": "test"})
    assert (first.label, first.metadata, first.seq) == ("first", {"by": "test"}, 1)
    await docs.write(document, "two", "text")
    assert "+two" in (await docs.snapshots.diff(document, first.id))["text"].unified
    assert (await docs.snapshots.read_all(document))["text"]["content"] == "one"
    copy: Doc[Any] = Doc()
    copy.apply_update(await docs.snapshots.state(document, first.id))
    assert str(copy.get("text", type=Text)) == "one"
    restored = await docs.snapshots.restore(document, first.id)
    assert restored.changed and await docs.read(document) == "one"
    assert [snapshot.id async for snapshot in docs.snapshots.list(document)] == [restored.before, first.id]
    assert (await docs.snapshots.relabel(document, first.id, "1st")).label == "1st"
    await docs.snapshots.delete(document, first.id)
    with pytest.raises(NotFound):
        await docs.snapshots.get(document, first.id)


async def test_tickets_open_live_documents(docs: Documents, service: Service, document: str) -> None:
    await docs.create(document)
    ticket = await docs.ticket(document, "user-1", name="Ada", access="read", session_s=60)
    assert isinstance(ticket, Ticket) and ticket.access == "read"
    async with connect(service.url, document, ticket) as live:
        assert live.access == "read"
    async with docs.connect(document, "user-2", name="Bob") as live:
        live.presence.show(user={"name": "Bob"})
        text.insert(live.text(), 0, "by Bob")
        await live.saved(10)
        people = await docs.presence(document)
    assert [person.state for person in people] == [{"user": {"id": "user-2", "name": "Bob"}}]
    assert [update.author async for update in docs.updates(document)] == ["user-2"]
    with pytest.raises(NotAllowed):  # it was used
        async with connect(service.url, document, ticket):
            pass


async def test_a_session_is_renewed_before_it_ends(docs: Documents, service: Service, document: str) -> None:
    """In place: the socket stays open, and what it may do follows the new ticket."""
    await docs.create(document)
    minted: list[Ticket] = []

    async def source() -> Ticket:
        life_s = 3600.0 if minted else 0.5
        minted.append(await docs.ticket(document, "user-1", access="write" if minted else "read", session_s=life_s))
        return minted[-1]

    async with connect(service.url, document, source) as live:
        assert live.access == "read"
        await live.until(lambda: live.access == "write", PATIENCE_S)
        assert (len(minted), live.status) == (2, "live")


async def test_what_a_key_may_not_do(service: Service, document: str) -> None:
    async with Documents(service.url, service.reader) as docs:
        with pytest.raises(NotAllowed) as denied:
            await docs.create(document)
        assert denied.value.status == 403
    async with Documents(service.url) as docs:
        with pytest.raises(NotAllowed) as unknown:
            await docs.get(document)
        assert unknown.value.status == 401


async def test_a_service_that_is_not_there() -> None:
    async with Documents("http://127.0.0.1:9", tries=1) as docs:
        with pytest.raises(Unavailable) as gone:
            await docs.get("d")
    assert gone.value.code == "unreachable"
