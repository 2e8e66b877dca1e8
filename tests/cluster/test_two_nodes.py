"""Two real nodes on one Postgres and one Valkey: clients on either see each other; losing Redis loses nothing."""

from __future__ import annotations

import httpx2

from tests.clients.puppets import Puppets
from tests.clients.test_hocuspocus import VERSIONS
from tests.clients.test_y_sweet import minted
from tests.cluster.nodes import Cluster
from tests.patience import PATIENCE_S
from tests.server import wait_until


def state(two_nodes: Cluster, number: int, document: str) -> httpx2.Response:
    return httpx2.get(f"{two_nodes.nodes[number].url}/api/documents/{document}/state")


def test_edits_and_presence_cross_both_ways(two_nodes: Cluster, people: Puppets) -> None:
    ada = people.connect(3, two_nodes.nodes[0].socket_url, "both", state={"user": "ada"}).synced()
    bob = people.connect(2, two_nodes.nodes[1].socket_url, "both", state={"user": "bob"}).synced()
    ada.insert(0, "hello")
    bob.reads("hello")
    bob.insert(5, " world")
    ada.reads("hello world")
    ada.sees(bob, {"user": "bob"})
    bob.sees(ada, {"user": "ada"})
    cleo = people.connect(3, two_nodes.nodes[1].socket_url, "both", state=None).synced()
    cleo.sees(ada, {"user": "ada"})
    ada.do("disconnect")
    bob.sees(ada, None)
    answers = [state(two_nodes, number, "both") for number in (0, 1)]
    assert answers[0].headers["etag"] == answers[1].headers["etag"]


def test_clients_of_every_dialect_hear_the_other_node_and_are_told_saved(two_nodes: Cluster, people: Puppets) -> None:
    """The token of y-sweet's is minted at the other node, too."""
    here, there = two_nodes.nodes
    plain = people.connect(3, here.socket_url, "dialects").synced()
    token = minted(here.url, "dialects", origin=there.url)
    others = [
        *(people.connect(each, there.hocuspocus_url, "dialects", token="any").synced() for each in VERSIONS),
        people.connect("y-sweet", "", "dialects", token=token).synced(),
    ]
    text = "from here"
    plain.insert(0, text)
    for one in others:
        one.reads(text)
    for number, one in enumerate(others):
        text = f"{number} {text}"
        one.insert(0, f"{number} ")
        one.saved()
        for each in (plain, *others):
            each.reads(text)
    plain.insert(0, "again ")
    for one in others:
        one.reads(f"again {text}")
        assert one.notes["errors"] == []


def test_what_one_node_answers_the_other_knows_at_once(two_nodes: Cluster, people: Puppets) -> None:
    ada = people.connect(3, two_nodes.nodes[0].socket_url, "reads", state=None).synced()
    ada.insert(0, "x")
    wait_until(lambda: state(two_nodes, 1, "reads").status_code == 200)
    bodies = []
    for round in range(10):
        content = f"{two_nodes.nodes[round % 2].url}/api/documents/reads/content?root=text&type=text"
        put = httpx2.put(content, content=f"round {round}", headers={"content-type": "text/plain"})
        assert put.status_code in (200, 201), put.text
        other = f"{two_nodes.nodes[1 - round % 2].url}/api/documents/reads/content?root=text&type=text"
        bodies.append(httpx2.get(other).text)
    assert bodies == [f"round {round}" for round in range(10)]
    ada.reads("round 9")


def test_deleting_on_one_node_ends_sockets_on_the_other(two_nodes: Cluster, people: Puppets) -> None:
    ada = people.connect(3, two_nodes.nodes[0].socket_url, "gone", state=None).synced()
    ada.insert(0, "x")
    bob = people.connect(3, two_nodes.nodes[1].socket_url, "gone", state=None).synced()
    bob.reads("x")
    assert httpx2.delete(f"{two_nodes.nodes[0].url}/api/documents/gone").status_code == 204
    bob.do("closed", code=4410, seconds=PATIENCE_S)


def test_without_redis_edits_cross_and_nothing_is_lost(two_nodes: Cluster, people: Puppets) -> None:
    assert two_nodes.valkey is not None
    ada = people.connect(3, two_nodes.nodes[0].socket_url, "alone", state={"user": "ada"}).synced()
    bob = people.connect(3, two_nodes.nodes[1].socket_url, "alone", state={"user": "bob"}).synced()
    ada.insert(0, "a")
    bob.reads("a")
    bob.sees(ada, {"user": "ada"})
    two_nodes.valkey.kill()
    try:
        for text in ("ab", "abc", "abcd"):
            ada.insert(len(text) - 1, text[-1])
            bob.reads(text)
            bob.insert(len(text), "!")
            ada.reads(f"{text}!")
            ada.do("delete", at=len(text), length=1)
            bob.reads(text)
        ready = httpx2.get(f"{two_nodes.nodes[0].url}/readyz")
        assert ready.status_code == 200
        assert ready.json()["probes"]["bus"] == "away"
    finally:
        two_nodes.valkey.restart()
    url = f"{two_nodes.nodes[0].url}/readyz"
    wait_until(lambda: httpx2.get(url).json()["probes"]["bus"] == "ok", what="the bus")
    bob.sees(ada, {"user": "ada"})
    ada.sees(bob, {"user": "bob"})


def test_the_people_of_a_killed_node_vanish_and_it_comes_back(two_nodes: Cluster, people: Puppets) -> None:
    ada = people.connect(3, two_nodes.nodes[0].socket_url, "dead", state={"user": "ada"}).synced()
    bob = people.connect(3, two_nodes.nodes[1].socket_url, "dead", state={"user": "bob"}).synced()
    bob.sees(ada, {"user": "ada"})
    ada.insert(0, "before")
    bob.reads("before")
    two_nodes.nodes[0].kill()
    bob.sees(ada, None)
    ada.insert(6, " and meanwhile")
    two_nodes.nodes[0].start()
    bob.reads("before and meanwhile")
    bob.sees(ada, {"user": "ada"})
