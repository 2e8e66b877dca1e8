"""A document that is edited before anybody has made it, and made while it is edited."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx2
from pycrdt import Doc, Text

from collab.protocol import messages
from tests.clients.plain import plain_client
from tests.server import running_server


def typed(doc: Doc[Text], text: str) -> bytes:
    before = doc.get_state()
    doc.get("text", type=Text).insert(0, text)
    return messages.encode_update(doc.get_update(before))


def test_a_socket_that_was_there_first_writes_into_the_document_that_rest_made(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        document = uuid4().hex
        with plain_client(server.socket_url, document) as client:
            client.sync(b"\0", lambda vector: messages.EMPTY_UPDATE)
            made = httpx2.post(f"{server.url}/api/documents", json={"id": document, "title": "T"}).raise_for_status()
            doc: Doc[Text] = Doc()
            client.send(typed(doc, "one"))
            client.saved()
            client.send(typed(doc, "two "))
            client.saved(b"\x02")
        server.kill()
        server.start()
        details = httpx2.get(f"{server.url}/api/documents/{document}").raise_for_status().json()
        assert (details["title"], details["lineage"], details["seq"]) == ("T", made.json()["lineage"], 2)
        state: Doc[Text] = Doc()
        state.apply_update(httpx2.get(f"{server.url}/api/documents/{document}/state").content)
        assert str(state.get("text", type=Text)) == "two one"


def test_reading_a_document_that_nobody_made_does_not_make_it(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        with plain_client(server.socket_url, "nothing") as client:
            client.sync(b"\0", lambda vector: messages.EMPTY_UPDATE)
            client.saved()
        assert httpx2.get(f"{server.url}/api/documents/nothing").status_code == 404
