"""@y-sweet/client 0.9.1 on Node with yjs 13, unmodified; its tokens are minted as an application's backend does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.clients.puppets import Puppet, Puppets
from tests.front import Place
from tests.patience import PATIENCE_S
from tests.server import running_server


def minted(url: str, room: str, user: str = "ana", access: str = "write", **more: str) -> dict[str, Any]:
    """What the application's endpoint answers."""
    wanted = {"access": access, "user": {"id": user}, **more}
    answer = httpx2.post(f"{url}/api/documents/{room}/y-sweet-token", json=wanted)
    assert answer.status_code == 201, answer.text
    token: dict[str, Any] = answer.json()
    return token


def joined(people: Puppets, url: str, room: str, tokens: int = 1, access: str = "write", **options: Any) -> Puppet:
    """A client whose endpoint has so many fresh tokens."""
    given = [minted(url, room, options.pop("user", "ana"), access) for _ in range(tokens)]
    return people.connect("y-sweet", "", room, token=given, **options)


def test_they_type_together_and_with_the_others(server: Place, people: Puppets) -> None:
    room = uuid4().hex
    ana, bo = (joined(people, server.url, room).synced() for _ in range(2))
    cy = people.connect(3, server.socket_url, room).synced()
    dee = people.connect("hocuspocus-4", server.hocuspocus_url, room, token="any").synced()
    ana.insert(0, "hello")
    for one in (bo, cy, dee):
        one.reads("hello")
    dee.insert(5, " wörld 🌍")
    cy.insert(0, "(")
    for one in (ana, bo, cy, dee):
        one.reads("(hello wörld 🌍")
    ana.saved()
    bo.saved()
    assert ana.notes["errors"] == bo.notes["errors"] == []


def test_presence_goes_both_ways(server: Place, people: Puppets) -> None:
    room = uuid4().hex
    ana = joined(people, server.url, room, renews=False, state={"name": "A"}).synced()
    cy = people.connect(3, server.socket_url, room, renews=False, state={"name": "Cy"}).synced()
    ana.sees(cy, {"name": "Cy"})
    cy.sees(ana, {"name": "A", "user": {"id": "ana"}})
    ana.do("announce", state=None)
    cy.sees(ana, None)


def test_who_comes_back_brings_what_it_wrote_with_a_fresh_token(server: Place, people: Puppets) -> None:
    """The used one is refused at the upgrade, three times; then the client asks its endpoint again."""
    room = uuid4().hex
    ana, bo = joined(people, server.url, room, tokens=2, state={}).synced(), joined(people, server.url, room).synced()
    ana.insert(0, "common ")
    bo.reads("common ")
    ana.do("cut")
    bo.sees(ana, None)
    ana.insert(7, "offline")
    bo.reads("common offline")
    ana.saved()
    assert ana.notes["tokens"] == 2
    assert ana.notes["connections"] <= 5


def test_saved_survives_kill_9_and_waits_for_what_is_still_to_be_sent(tmp_path: Path, people: Puppets) -> None:
    with running_server(tmp_path) as server:
        ana = joined(people, server.url, "doc", tokens=2).synced().saved()
        for number in range(10):
            ana.insert(0, f"{number}")
        ana.saved()
        server.kill()
        ana.insert(0, "offline ")
        assert ana.do("unsaved")["local"] is True
        server.start()
        ana.do("token", token=minted(server.url, "doc"))
        ana.saved()
        server.kill()
        server.start()
        people.connect(3, server.socket_url, "doc").synced().reads("offline 9876543210")


def test_a_reader_changes_nothing_and_is_never_told_saved(server: Place, people: Puppets) -> None:
    room = uuid4().hex
    writer = joined(people, server.url, room).synced()
    writer.insert(0, "written")
    writer.saved()
    reader = joined(people, server.url, room, access="read").synced().saved()
    reader.reads("written")
    reader.insert(0, "not ")
    writer.insert(7, "!")
    reader.reads("not written!")
    assert writer.text == "written!"
    writer.saved()
    assert reader.do("unsaved")["local"] is True


@pytest.mark.parametrize("origin", [None, "https://collab.example.com"])
def test_the_token_says_where_its_socket_is_opened(server: Place, origin: str | None) -> None:
    wanted = {"access": "read", "user": {"id": "u"}} | ({"origin": origin} if origin else {})
    token = httpx2.post(f"{server.url}/api/documents/a%2Fb/y-sweet-token", json=wanted).json()
    base = origin or server.url
    assert token["url"] == f"ws{base[4:]}/y-sweet"
    assert (token["docId"], token["authorization"]) == ("a/b", "read-only")
    assert token["baseUrl"] == f"{base}/api/documents" and token["token"].startswith("ct_")


def test_a_wrong_token_is_refused_without_a_storm(server: Place, people: Puppets) -> None:
    token = minted(server.url, "doc") | {"token": "ct_wrong"}
    ana = people.connect("y-sweet", "", "doc", token=token)
    ana.do("refused", times=2, seconds=PATIENCE_S)
    assert ana.notes["connections"] <= 3
    assert ana.do("look")["text"] == ""
