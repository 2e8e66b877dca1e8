"""y-websocket 1.5, 2.1 and 3.1 on Node with yjs 13, unmodified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest

from tests.clients.puppets import Puppet, Puppets, puppets
from tests.front import Place
from tests.patience import PATIENCE_S
from tests.server import running_server, wait_until

VERSIONS = [1, 2, 3]
Join = Callable[..., Puppet]


@pytest.fixture(params=VERSIONS, ids=lambda version: f"v{version}")
def join(request: pytest.FixtureRequest, server: Place, people: Puppets) -> Join:
    """Connects clients of one version to one new document; what they see of each other no renewal has told."""
    room = f"room-{uuid4().hex}"

    def connect(**options: object) -> Puppet:
        return people.connect(request.param, server.socket_url, room, renews=False, **options)

    return connect


def test_two_people_type_together(join: Join) -> None:
    ana, bo = join().synced(), join().synced()
    ana.insert(0, "hello")
    bo.reads("hello")
    ana.insert(5, " wörld 🌍")
    bo.reads("hello wörld 🌍")
    bo.do("put", map="meta", key="title", value="Überschrift")
    bo.do("format", at=0, length=5, attributes={"bold": True})
    bo.insert(0, "(")
    ana.reads("(hello wörld 🌍")
    ana.do("holds", map="meta", key="title", value="Überschrift", seconds=PATIENCE_S)
    ana.do("delete", at=0, length=2)
    bo.reads("ello wörld 🌍")
    assert ana.do("look", map="meta") == bo.do("look", map="meta")
    assert ana.do("look")["delta"] == [
        {"insert": "ello", "attributes": {"bold": True}},
        {"insert": " wörld 🌍"},
    ]
    assert ana.notes["errors"] == bo.notes["errors"] == []


def test_a_joiner_gets_the_document_and_everybodys_presence(join: Join) -> None:
    ana = join(state={"name": "Ana"}).synced()
    ana.insert(0, "before")
    bo = join(state={"name": "Bo"})
    bo.sees(ana, {"name": "Ana"})
    bo.reads("before")
    ana.sees(bo, {"name": "Bo"})


def test_a_client_that_never_announced_itself_is_seen_soon(join: Join) -> None:
    # its first state has clock 0, which every receiver ignores; the server's nudge makes it announce again
    ana = join().synced()
    bo = join(state={"name": "Bo"}).synced()
    bo.sees(ana, {})


@pytest.mark.parametrize("how", ["disconnect", "cut"])
def test_who_comes_back_is_seen_and_sees_again_soon(join: Join, how: str) -> None:
    # it shows nobody while it is away, remembers their clocks, and takes nothing that is not newer
    ana, bo = join(state={"name": "Ana"}).synced(), join(state={"name": "Bo"}).synced()
    bo.sees(ana, {"name": "Ana"})
    ana.sees(bo, {"name": "Bo"})
    ana.do(how)
    bo.sees(ana, None)
    if how == "disconnect":
        ana.sees(bo, None)
    ana.do("reconnect")
    bo.sees(ana, {"name": "Ana"})
    ana.sees(bo, {"name": "Bo"})


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"v{version}")
def test_after_a_restart_everybody_sees_each_other_soon(tmp_path: Path, people: Puppets, version: int) -> None:
    # the new process knows nobody's clock, and they remember each other's
    with running_server(tmp_path) as server:
        ana, bo = (
            people.connect(version, server.socket_url, "d", renews=False, state={"name": name})
            for name in ("Ana", "Bo")
        )
        ana.synced().insert(0, "x")
        bo.reads("x")
        ana.sees(bo, {"name": "Bo"})
        bo.sees(ana, {"name": "Ana"})
        server.kill()
        ana.sees(bo, None)
        bo.sees(ana, None)
        server.start()
        ana.sees(bo, {"name": "Bo"})
        bo.sees(ana, {"name": "Ana"})
        ana.do("disconnect")
        bo.do("disconnect")


def test_presence_that_is_taken_back_goes_away(join: Join) -> None:
    ana, bo = join(state={"name": "Ana"}).synced(), join().synced()
    bo.sees(ana, {"name": "Ana"})
    ana.do("announce", state=None)
    bo.sees(ana, None)
    ana.do("announce", state={"name": "Ana again"})
    bo.sees(ana, {"name": "Ana again"})


def test_offline_edits_are_merged(join: Join) -> None:
    ana, bo = join().synced(), join().synced()
    ana.insert(0, "common ")
    bo.reads("common ")
    ana.do("disconnect")
    ana.insert(7, "offline")
    ana.do("delete", at=0, length=1)
    bo.insert(0, "online ")
    ana.do("reconnect")
    ana.reads("online ommon offline")
    bo.reads("online ommon offline")


def test_a_third_client_gets_what_two_that_left_had_written(join: Join) -> None:
    ana, bo = join().synced(), join().synced()
    ana.insert(0, "left behind")
    bo.reads("left behind")
    ana.do("disconnect")
    bo.do("disconnect")
    join().reads("left behind")


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "a/b/c d",
        "with space",
        "ünïcode 😀",
        "100%",
        "50%25",
        "?query#hash",
        "über/ß?x",
        "dot.json",
        "(par)+&=;,",
    ],
)
def test_any_name_reaches_its_own_document(server: Place, people: Puppets, name: str) -> None:
    name = f"{name}-{uuid4().hex[:8]}"
    ana = people.connect(3, server.socket_url, quote(name, safe="")).synced()
    ana.insert(0, name)
    bo = people.connect(1, server.socket_url, quote(name, safe="/"))
    bo.reads(name)
    address = f"{server.url}/api/documents/{quote(name, safe='')}"
    wait_until(lambda: httpx2.get(address).is_success, what="the commit of what was shown")
    details = httpx2.get(address).json()
    assert details["id"] == name
    assert details["seq"] > 0


@pytest.mark.parametrize("name", ["my room", "ünï/cödé 😀", "plain/slash", "100% sure"])
def test_a_name_that_the_client_does_not_encode_is_the_same_document(server: Place, people: Puppets, name: str) -> None:
    name = f"{name} {uuid4().hex[:8]}"
    raw = people.connect(2, server.socket_url, name).synced()
    raw.insert(0, "raw")
    people.connect(3, server.socket_url, quote(name, safe="")).reads("raw")


@pytest.mark.parametrize("version", [2, 3])
def test_an_offered_subprotocol_is_selected(server: Place, people: Puppets, version: int) -> None:
    client = people.connect(version, server.socket_url, uuid4().hex, protocols=["yjs", "another"]).synced()
    assert client.notes["protocol"] == "yjs"
    assert client.notes["connections"] == 1


def test_query_parameters_do_not_change_the_document(server: Place, people: Puppets) -> None:
    room = uuid4().hex
    people.connect(3, server.socket_url, room, params={"color": "a b&c"}).synced().insert(0, "one")
    people.connect(1, server.socket_url, room).reads("one")


def test_idle_clients_stay_connected(server: Place, node: Path) -> None:
    """Clients drop a connection on which no data came for 30 s; pings do not count for them."""

    with puppets(node) as people:
        quiet = [people.connect(version, server.socket_url, uuid4().hex, state=None) for version in VERSIONS]
        shown = [people.connect(version, server.socket_url, uuid4().hex) for version in VERSIONS]
        for client in quiet + shown:
            client.synced()
        people.do("idle", seconds=36)  # the watchdog looks every 3 s
        for client in quiet + shown:
            notes = client.notes
            assert (notes["connections"], notes["closes"], notes["errors"]) == (1, [], [])
            assert notes["connected"]
