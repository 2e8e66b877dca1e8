"""The face without `await`."""

from __future__ import annotations

import inspect

import pytest

import collab_client
from collab_client import NotFound, ReadOnly, sync
from tests.conftest import Service
from tests.patience import PATIENCE_S


def test_documents_and_snapshots(service: Service, document: str) -> None:
    with sync.Documents(service.url, service.admin) as docs:
        docs.create(document, content={"text": {"type": "text", "value": "one"}})
        kept = docs.snapshots.take(document, "first")
        docs.write(document, "two", "text")
        assert docs.read(document) == "two"
        assert [found.id for found in docs.list(document)] == [document]
        assert [update.seq for update in docs.updates(document)] == [1, 2]
        assert [snapshot.id for snapshot in docs.snapshots.list(document)] == [kept.id]
        with pytest.raises(NotFound):
            docs.get(document + "?")


def test_two_live_documents(service: Service, document: str) -> None:
    with (
        sync.connect(service.url, document, service.admin) as ada,
        sync.connect(service.url, document, service.admin) as bob,
    ):
        assert ada.rewrite("hello 😀") and not ada.rewrite("hello 😀")
        ada.saved(10)
        bob.until(lambda live: len(live.text()) > 0, PATIENCE_S)
        assert (bob.read(), bob.status, ada.unsaved) == ("hello 😀", "live", 0)
        ada.do(lambda live: live.presence.show(user={"name": "Ada"}))
        bob.until(lambda live: live.presence.others, PATIENCE_S)


def test_a_block_that_fails_raises_its_own_error(service: Service, document: str) -> None:
    with pytest.raises(ZeroDivisionError), sync.connect(service.url, document, service.admin) as live:
        live.rewrite("not waited for")
        raise ZeroDivisionError
    with pytest.raises(ReadOnly), sync.connect(service.url, document, service.reader) as live:
        live.rewrite("not allowed")


@pytest.mark.parametrize("name", ["Documents", "Snapshots"])
def test_nothing_is_missing_and_every_argument_is_the_same(name: str) -> None:
    behind = {"Documents": collab_client.Documents, "Snapshots": type(collab_client.Documents("http://x").snapshots)}
    for method, found in inspect.getmembers(behind[name], inspect.isfunction):
        if not method.startswith("_"):
            face = getattr(getattr(sync, name), method)
            arguments = [inspect.signature(one).parameters for one in (face, found)]
            assert [str(one) for one in arguments[0].values()][1:] == [str(one) for one in arguments[1].values()][1:]


def test_a_live_document_of_a_user_by_its_documents(service: Service, document: str) -> None:
    with sync.Documents(service.url, service.admin) as docs:
        with docs.connect(document, "user-1", name="Ada") as live:
            live.rewrite("by Ada")
            live.saved(10)
            assert (live.document, live.access, live.error) == (document, "write", None)
        assert [update.author for update in docs.updates(document)] == ["user-1"]


def test_what_is_closed_says_so(service: Service) -> None:
    """Also in the middle of a list; and closing twice is no error."""
    docs = sync.Documents(service.url, service.admin)
    next(docs.list(), None)
    docs.close()
    docs.close()
    with pytest.raises(RuntimeError, match="closed"):
        docs.get("d")
