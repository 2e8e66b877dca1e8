"""y-py 0.6.2, the engine that is no longer maintained: its documents still exchange updates both ways."""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

import pytest

from collab.protocol import messages
from collab.protocol.messages import Kind
from tests.clients.plain import PlainClient, plain_client
from tests.clients.puppets import Puppets
from tests.front import Place

if sys.version_info >= (3, 13):
    pytest.skip("y-py has no wheels for Python 3.13 and later", allow_module_level=True)

import y_py


class Person:
    """A y-py document on a socket."""

    def __init__(self) -> None:
        self.doc = y_py.YDoc()
        self.text = self.doc.get_text("text")

    def join(self, client: PlainClient) -> None:
        vector = bytes(y_py.encode_state_vector(self.doc))
        for update in client.sync(vector, self.lacks):
            y_py.apply_update(self.doc, update)

    def lacks(self, vector: bytes) -> bytes:
        return bytes(y_py.encode_state_as_update(self.doc, vector))

    def edit(self, client: PlainClient, change: Any) -> None:
        before = y_py.encode_state_vector(self.doc)
        with self.doc.begin_transaction() as transaction:
            change(transaction)
        client.send(messages.encode_update(self.lacks(bytes(before))))

    def reads(self, client: PlainClient, text: str) -> None:
        while str(self.text) != text:
            y_py.apply_update(self.doc, client.receive(Kind.UPDATE))


def test_two_documents_exchange_updates(server: Place) -> None:
    document, ana, bo = uuid4().hex, Person(), Person()
    with plain_client(server.socket_url, document) as a, plain_client(server.socket_url, document) as b:
        ana.join(a)
        bo.join(b)
        ana.edit(a, lambda t: ana.text.extend(t, "hello"))
        bo.reads(b, "hello")
        bo.edit(b, lambda t: bo.text.extend(t, " wörld"))
        ana.reads(a, "hello wörld")
        ana.edit(a, lambda t: ana.text.delete_range(t, 0, 1))
        bo.reads(b, "ello wörld")
        a.saved()
        b.saved()
    late = Person()
    with plain_client(server.socket_url, document) as c:
        late.join(c)
    assert str(late.text) == "ello wörld"


def test_with_yjs(server: Place, people: Puppets) -> None:
    document, old = uuid4().hex, Person()
    yjs = people.connect(3, server.socket_url, document).synced()
    yjs.insert(0, "from yjs, ")
    with plain_client(server.socket_url, document) as client:
        old.join(client)
        old.reads(client, "from yjs, ")
        old.edit(client, lambda t: old.text.extend(t, "from y-py"))
        yjs.reads("from yjs, from y-py")
        yjs.do("delete", at=0, length=5)
        old.reads(client, "yjs, from y-py")


def test_edits_made_before_joining_arrive(server: Place, people: Puppets) -> None:
    document, old = uuid4().hex, Person()
    with old.doc.begin_transaction() as transaction:
        old.text.extend(transaction, "made offline")
    with plain_client(server.socket_url, document) as client:
        old.join(client)
        client.saved()
    people.connect(1, server.socket_url, document).reads("made offline")
