"""@hocuspocus/provider 2.15, 3.4 and 4.8 on Node with yjs 13, unmodified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.access.realm import Realm, realm, token
from tests.backends import Backend, ground_of
from tests.clients.puppets import Puppet, Puppets
from tests.front import Place
from tests.patience import PATIENCE_S
from tests.server import running_server

VERSIONS = ["hocuspocus-2", "hocuspocus-3", "hocuspocus-4"]
Join = Callable[..., Puppet]


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each provider in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def closed_server(
    request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Realm]:
    """A server that asks for tokens."""
    folder = tmp_path_factory.mktemp("realm")
    with realm(ground_of(request, backend, folder), folder) as made:
        yield made


@pytest.fixture
def join(version: str, server: Place, people: Puppets) -> Join:
    """Connects clients of one version to one new document."""
    room = f"room {uuid4().hex} é"

    def connect(kind: str | int = version, **options: object) -> Puppet:
        url = server.socket_url if isinstance(kind, int) else server.hocuspocus_url
        return people.connect(kind, url, room, **{"token": "any", "renews": False, **options})

    return connect


def test_they_type_together_and_with_y_websocket(join: Join) -> None:
    ana, bo, cy = join().synced(), join().synced(), join(3).synced()
    ana.insert(0, "hello")
    bo.reads("hello")
    cy.reads("hello")
    cy.insert(5, " wörld 🌍")
    ana.reads("hello wörld 🌍")
    bo.do("format", at=0, length=5, attributes={"bold": True})
    bo.insert(0, "(")
    ana.reads("(hello wörld 🌍")
    cy.reads("(hello wörld 🌍")
    ana.saved()
    bo.saved()
    assert ana.do("look")["delta"] == cy.do("look")["delta"]
    assert ana.notes["errors"] == bo.notes["errors"] == []
    assert ana.notes["scopes"] == ["read-write"]


def test_presence_goes_both_ways(join: Join) -> None:
    ana, cy = join(state={"name": "Ana"}).synced(), join(3, state={"name": "Cy"}).synced()
    bo = join(state={"name": "Bo"}).synced()
    for one, other, name in ((ana, cy, "Cy"), (cy, ana, "Ana"), (bo, ana, "Ana"), (ana, bo, "Bo"), (bo, cy, "Cy")):
        one.sees(other, {"name": name})
    ana.do("announce", state={"name": "Ana, moved"})
    cy.sees(ana, {"name": "Ana, moved"})
    ana.do("announce", state=None)
    cy.sees(ana, None)
    bo.sees(ana, None)


@pytest.mark.parametrize("how", ["disconnect", "cut"])
def test_who_comes_back_is_seen_and_brings_what_it_wrote(join: Join, how: str) -> None:
    ana, bo = join(state={"name": "Ana"}).synced(), join(state={"name": "Bo"}).synced()
    cy = join(3, state={"name": "Cy"}).synced()
    ana.insert(0, "common ")
    bo.reads("common ")
    cy.sees(ana, {"name": "Ana"})
    ana.do(how)
    cy.sees(ana, None)
    ana.insert(7, "offline")
    ana.do("delete", at=0, length=1)
    bo.insert(0, "online ")
    if how == "disconnect":
        ana.do("reconnect")
    for one in (ana, bo, cy):
        one.reads("online ommon offline")
    for one, other, name in ((cy, ana, "Ana"), (bo, ana, "Ana"), (ana, bo, "Bo"), (ana, cy, "Cy")):
        one.sees(other, {"name": name})
    ana.saved()
    bo.saved()
    assert ana.notes["errors"] == []


def test_documents_on_one_socket(version: str, server: Place, people: Puppets) -> None:
    rooms = [uuid4().hex for _ in range(2)]
    shared = uuid4().hex
    one, two = (
        people.connect(version, server.hocuspocus_url, room, token="any", socket=shared).synced() for room in rooms
    )
    others = [people.connect(3, server.socket_url, room).synced() for room in rooms]
    one.insert(0, "one")
    two.insert(0, "two")
    others[0].reads("one")
    others[1].reads("two")
    one.saved()
    two.saved()
    one.do("destroy")
    others[0].sees(one, None)
    two.insert(0, "still ")
    others[1].reads("still two")
    two.saved()
    again = people.connect(version, server.hocuspocus_url, rooms[0], token="any", socket=shared).synced()
    again.reads("one")
    again.insert(3, " again")
    others[0].reads("one again")
    assert one.notes["errors"] == two.notes["errors"] == again.notes["errors"] == []
    assert one.notes["connections"] + two.notes["connections"] == 1


def test_two_session_aware_providers_of_one_document_on_one_socket(server: Place, people: Puppets) -> None:
    room, shared, aware = uuid4().hex, uuid4().hex, {"sessionAwareness": True}
    ana, bo = (
        people.connect("hocuspocus-4", server.hocuspocus_url, room, token="any", socket=shared, options=aware).synced()
        for _ in range(2)
    )
    ana.insert(0, "hello")
    bo.reads("hello")
    ana.saved()
    bo.saved()


def test_forced_syncs_and_batches_keep_the_count_right(version: str, server: Place, people: Puppets) -> None:
    options = {"flushDelay": 20} if version == "hocuspocus-4" else {}
    ana = people.connect(version, server.hocuspocus_url, uuid4().hex, token="any", options=options).synced().saved()
    for number in range(30):
        ana.insert(0, "x")
        if number % 10 == 5:
            ana.do("forceSync")
    ana.saved()
    ana.insert(0, "!")
    assert ana.do("unsaved")["count"] == 1
    ana.saved()
    assert ana.notes["errors"] == []


def test_saved_survives_kill_9(tmp_path: Path, people: Puppets) -> None:
    """Of every version; all on one server, which is killed once."""
    with running_server(tmp_path) as server:
        url = server.hocuspocus_url
        writers = [people.connect(version, url, version, token="any").synced().saved() for version in VERSIONS]
        for number in range(10):
            for writer in writers:
                writer.insert(0, f"{number}")
        for writer in writers:
            writer.saved()
        server.kill()
        for writer in writers:
            writer.do("destroy")
        server.start()
        for version in VERSIONS:
            people.connect(version, url, version, token="any").synced().reads("9876543210")


def test_a_wrong_token_is_refused_without_a_storm(closed_server: Realm, people: Puppets) -> None:
    url = closed_server.server.hocuspocus_url
    guessers = [people.connect(version, url, "doc", token="wrong") for version in VERSIONS]
    for guesser in guessers:
        guesser.do("denied", seconds=PATIENCE_S)
    people.do("idle", seconds=2)
    for guesser in guessers:
        notes = guesser.notes
        assert notes["denials"] == ["The credentials are missing, wrong or expired."]
        assert notes["connections"] == 1
        guesser.do("destroy")


def test_a_reader_is_told_so_and_changes_nothing(version: str, closed_server: Realm, people: Puppets) -> None:
    url, room = closed_server.server.hocuspocus_url, uuid4().hex
    writer = people.connect(version, url, room, token=token("wes", (room, "write"))).synced()
    writer.insert(0, "written")
    writer.saved()
    reader = people.connect(version, url, room, token=token("rea", (room, "read")), state={"name": "R"}).synced()
    reader.reads("written")
    reader.saved()
    assert reader.notes["scopes"] == ["readonly"]
    writer.sees(reader, {"name": "R", "user": {"id": "rea"}})
    reader.insert(0, "not ")
    writer.insert(7, "!")
    reader.reads("not written!")
    assert writer.text == "written!"
    assert reader.do("unsaved")["count"] > 0
    writer.saved()


def test_a_permission_taken_back_ends_it_and_a_fresh_token_brings_it_back(
    closed_server: Realm, people: Puppets
) -> None:
    """Provider 4 on a socket with two documents: the other one does not notice."""
    url, rooms, shared = closed_server.server.hocuspocus_url, [uuid4().hex, uuid4().hex], uuid4().hex
    users = [uuid4().hex, uuid4().hex]
    one, two = (
        people.connect("hocuspocus-4", url, room, token=[token(user, (room, "write"))], socket=shared).synced()
        for user, room in zip(users, rooms, strict=True)
    )
    revoked = closed_server.ask("admin", "POST", "/api/sessions/revoke", json={"user": users[0]})
    assert revoked.json()["lowered"] == 0  # how many it "ended" counts this node's: the socket may be on another one
    one.do("denied", seconds=PATIENCE_S)
    assert one.notes["denials"] == ["this permission was revoked"]
    two.insert(0, "on")
    two.saved()
    assert two.notes["connections"] + one.notes["connections"] == 1
