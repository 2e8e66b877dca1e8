"""What one document may have on disk: past it nothing is taken, nobody is thrown out, and nothing is called saved."""

from __future__ import annotations

import pytest

from collab.errors import DocumentFull
from collab.limits import Limits
from collab.protocol.messages import encode_denied, encode_status, encode_step1, encode_step2
from collab.quota import Quota
from tests.api.service import Service, running, until
from tests.backends import Ground
from tests.updates import typed, vector

DENIED = encode_denied(DocumentFull().detail)


@pytest.mark.one_node  # each looks by itself
async def test_a_full_document_takes_nothing_until_there_is_room(api: Service) -> None:
    await api.create()
    census = api.parts.permissions.census
    quota = Quota(api.parts.hub, census.full)
    async with api.socket() as peer:
        peer.edit(typed(1, 0, "hello"))
        assert (await api.post(typed(2, 0, "there"))).status_code == 200
        await quota.once()
        assert quota.gauges() == {"full_documents": 0.0}
        census.stored_bytes_max = 40
        assert (await api.post(typed(2, 5, "!"))).status_code == 200
        await quota.once()
        assert quota.gauges() == {"full_documents": 1.0}
        refused = await api.post(typed(2, 6, "!"))
        assert (refused.status_code, refused.json()["code"]) == (507, "document_full")
        assert (await api.client.post("/api/documents/d/snapshots")).json()["code"] == "document_full"
        peer.outbox.take()
        peer.edit(typed(1, 5, " lost?"))
        peer.send(encode_status(b"\x07"))
        assert peer.outbox.take() == [DENIED] and peer.outbox.closed is None
        assert (await api.client.get("/api/documents/d/updates")).json()["items"][-1]["seq"] == 3
        census.stored_bytes_max = 40_000
        await quota.once()
        assert peer.outbox.take() == [encode_step1(vector({2: 6, 1: 5}))]
        peer.send(encode_step2(typed(1, 5, " lost?")))
        await until(lambda: api.parts.hub.slots["d"].room.ledger.seq == 4)
        peer.send(encode_status(b"\x08"))
        assert encode_status(b"\x08") in peer.outbox.take()


@pytest.mark.one_node
async def test_a_document_that_is_full_already_is_opened_full(ground: Ground) -> None:
    """Snapshots count, and a call by REST finds it so without a socket; one that may hold any amount is not asked."""
    async with running(ground, Limits(document_stored_bytes_max=45)) as api:
        await api.create()
        assert (await api.post(typed(1, 0, "hello"))).status_code == 200
        assert (await api.store.catalog.get("d")).bytes_stored < 45
        kept = (await api.client.post("/api/documents/d/snapshots")).json()
        assert (await api.store.catalog.get("d")).bytes_stored + kept["bytes"] >= 45
        api.parts.hub.slots.pop("d")
        assert (await api.post(typed(1, 5, "!"))).json()["code"] == "document_full"
        assert (await api.client.get("/api/documents/d/state")).status_code == 200
    async with running(ground, Limits(document_stored_bytes_max=0)) as api:
        assert (await api.post(typed(1, 5, "!"))).status_code == 200
