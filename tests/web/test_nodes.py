"""The console over several nodes: whichever answers tells of all, acts on the one that is named, says who is silent."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from os import kill
from typing import Any

import httpx2
from playwright.sync_api import expect

from tests.clients.puppets import Puppets
from tests.cluster.nodes import Cluster
from tests.patience import PATIENCE_S
from tests.server import Server, wait_until
from tests.web.browser import People


def view(server: Server) -> Any:
    return httpx2.get(f"{server.url}/api/console").json()


def name(server: Server) -> str:
    return str(httpx2.get(f"{server.url}/readyz").json()["node"])


def rooms_of(seen: Any) -> list[tuple[str, str, int]]:
    return [(n["node"], r["document"], r["sockets"]) for n in [seen, *seen["others"]] for r in n["rooms"]]


def test_either_node_tells_of_both_and_of_everybodys_rooms(two_nodes: Cluster, people: Puppets) -> None:
    first, second = two_nodes.nodes
    people.connect(3, first.socket_url, "here", state=None).synced().insert(0, "x")
    people.connect(3, second.socket_url, "there", state=None).synced().insert(0, "x")
    wait_until(lambda: len(view(first)["others"]) == 1 == len(view(second)["others"]), what="both to know each other")
    for server, other in ((first, second), (second, first)):
        seen = view(server)
        assert seen["node"] == name(server) and seen["others"][0]["node"] == name(other) and seen["silent"] == []
        assert seen["others"][0]["figures"]["sockets"] >= 1 and seen["others"][0]["host"] == seen["host"]
        assert {(name(first), "here", 1), (name(second), "there", 1)} <= set(rooms_of(seen))
    (session,) = httpx2.get(f"{first.url}/api/console/rooms/there").json()
    assert session["node"] == name(second)
    wait_until(
        lambda: max(httpx2.get(f"{first.url}/api/console/hour").json()["series"].get("sockets", [0])) >= 2,
        what="a sample of both",
    )
    apart = [httpx2.get(f"{first.url}/api/console/hour", params={"node": name(n)}).json() for n in two_nodes.nodes]
    assert all(hour["series"]["sockets"] for hour in apart)


def test_a_room_on_another_node_is_folded_and_traced_there(two_nodes: Cluster, people: Puppets) -> None:
    first, second = two_nodes.nodes
    ada = people.connect(3, second.socket_url, "afar", state=None).synced()
    ada.insert(0, "before")
    wait_until(lambda: any(room[:2] == (name(second), "afar") for room in rooms_of(view(first))))
    address, there = f"{first.url}/api/console/rooms/afar", {"node": name(second)}
    wait_until(lambda: httpx2.post(f"{address}/checkpoint", params=there).json()["seq"], what="a checkpoint")
    with httpx2.stream("GET", f"{address}/trace", params={**there, "content": "true"}, timeout=PATIENCE_S) as stream:
        with closing(stream.iter_lines()) as lines:
            ada.insert(0, "now")
            told = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
    assert told["way"] == "in" and told["detail"]["text"] == "now"  # a frame that only that node has received
    strange = httpx2.get(f"{first.url}/api/console/rooms/nothing/trace", params=there)
    assert strange.status_code == 404 and strange.json()["code"] == "not_found"
    assert httpx2.post(f"{address}/checkpoint", params={"node": "nobody"}).status_code == 404


def test_the_page_shows_each_node_and_their_rooms_and_names_the_one_it_acts_on(
    two_nodes: Cluster, people: Puppets, person: People
) -> None:
    first, second = two_nodes.nodes
    people.connect(3, second.socket_url, "shown", state=None).synced().insert(0, "x")
    wait_until(lambda: len(view(first)["others"]) == 1, what="the other node")
    page = person(first.url).go("/console").page
    expect(page.get_by_text("2 nodes")).to_be_visible()
    for node in map(name, two_nodes.nodes):
        expect(page.locator(f"[data-node='{node}']")).to_contain_text("Healthy")
    expect(page.get_by_role("row", name="shown")).to_contain_text(name(second))
    page.get_by_role("button", name="shown").click()
    expect(page.get_by_role("heading", name=f"shown on node {name(second)}")).to_be_visible()
    page.get_by_role("button", name=f"Trace this room on node {name(second)}").click()
    expect(page.get_by_role("log")).to_contain_text("Waiting")
    typist = people.connect(3, second.socket_url, "shown", state=None).synced()

    def traced() -> bool:
        typist.insert(0, "y")  # again and again: the other node listens a moment after the page waits
        return "update" in page.get_by_role("log").inner_text()

    wait_until(traced, what="an update in the trace")
    page.get_by_role("button", name="Checkpoint now").click()
    expect(page.get_by_text("Folded up to")).to_be_visible()
    page.get_by_role("button", name=f"Drain node {name(second)}").click()
    expect(page.get_by_role("heading", name=f"Drain node {name(second)}?")).to_be_visible()
    page.keyboard.press("Escape")
    silent = name(second)
    kill(second.pid, signal.SIGSTOP)
    try:
        expect(page.locator(f"[data-silent='{silent}']")).to_contain_text("does not answer")
        expect(page.get_by_text("A node is silent")).to_be_visible()
    finally:
        kill(second.pid, signal.SIGCONT)
    expect(page.locator(f"[data-node='{silent}']")).to_be_visible()


def test_a_node_that_is_silent_is_named_and_one_that_is_drained_by_another_too(
    two_nodes: Cluster, people: Puppets
) -> None:
    first, second = two_nodes.nodes
    silent = name(second)
    kill(second.pid, signal.SIGSTOP)
    try:
        seen = view(first)
        assert [one["node"] for one in seen["silent"]] == [silent] and seen["others"] == []
        assert "did not answer within" in seen["silent"][0]["why"]
        assert httpx2.post(f"{first.url}/api/console/drain", params={"node": silent}).status_code == 504
    finally:
        kill(second.pid, signal.SIGCONT)
    ada = people.connect(3, second.socket_url, "drained", state=None).synced()  # it has not been drained late
    wait_until(lambda: view(first)["others"], what="it to answer again")
    assert httpx2.post(f"{first.url}/api/console/drain", params={"node": silent}).status_code == 202
    ada.do("closed", code=1012, seconds=PATIENCE_S)
    wait_until(lambda: [node["draining"] for node in view(first)["others"]] == [True], what="it to say so")
    assert not view(first)["draining"]
    assert httpx2.get(f"{first.url}/readyz").status_code == 200
