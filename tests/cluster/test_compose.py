"""compose.yaml and the same pieces as plain processes are kept in step; nginx hashes by document and hides a death."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from collab.settings import Settings
from loadtests.cluster import Cluster, cluster, compose, environment, nginx_binary, nginx_configuration, node_names
from tests.clients.puppets import puppets
from tests.cluster.nodes import CALM
from tests.server import Server, wait_until

FILE = compose()


def test_nodes_are_equal_and_every_setting_exists() -> None:
    services: dict[str, Any] = FILE["services"]
    names = node_names(FILE)
    assert names == ["node1", "node2", "node3"]
    assert all(services[name] == services["node1"] for name in names)
    said = services["node1"]["environment"]
    assert {name.removeprefix("COLLAB_").lower() for name in said} <= set(Settings.model_fields)
    assert services["migrate"]["environment"] == said
    assert services["migrate"]["command"] == ["db", "upgrade"]


def test_hosts_and_ports_in_the_file_are_those_of_its_services() -> None:
    services = FILE["services"]
    said = services["node1"]["environment"]
    database = services["postgres"]["environment"]
    assert said["COLLAB_DATABASE_URL"] == (
        f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@postgres:5432/"
        f"{database['POSTGRES_DB']}"
    )
    assert said["COLLAB_REDIS_URL"] == "redis://valkey:6379"
    nginx = FILE["configs"]["nginx"]["content"]
    assert all(f"server {name}:{said['COLLAB_PORT']} " in nginx for name in node_names(FILE))
    assert services["nginx"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "listen 8000;" in nginx


def test_the_plain_processes_differ_in_addresses_only(tmp_path: Path) -> None:
    said = FILE["services"]["node1"]["environment"]
    here = environment(FILE, "node1", "postgresql://p", "redis://r")
    moved = {"COLLAB_HOST", "COLLAB_DATABASE_URL", "COLLAB_REDIS_URL"}
    assert {k: v for k, v in said.items() if k not in moved} == {k: v for k, v in here.items() if k not in moved} | {
        "COLLAB_PORT": "8000"
    }
    text = nginx_configuration(
        FILE, tmp_path, 1234, {name: f"127.0.0.1:{n}" for n, name in enumerate(node_names(FILE))}
    )
    assert "$$" not in text and "node1:" not in text
    assert text.count("server 127.0.0.1:") == 3


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    if nginx_binary() is None:
        pytest.skip("no nginx here (apt-get install nginx-light)")
    with cluster(extra=CALM) as made:
        yield made


def test_clients_behind_one_address(running: Cluster, node: Path) -> None:
    with puppets(node) as people:
        ada = people.connect(3, running.socket_url, "one", state={"user": "ada"}).synced()
        ada.insert(0, "hello")
        wait_until(lambda: any(sockets(node) for node in running.nodes), what="ada's node")
        chosen = [node for node in running.nodes if sockets(node)]
        assert len(chosen) == 1
        other = next(node for node in running.nodes if node is not chosen[0])
        bob = people.connect(3, other.socket_url, "one", state={"user": "bob"}).synced()
        bob.reads("hello")
        ada.sees(bob, {"user": "bob"})
        etags = {httpx2.get(f"{running.url}/api/documents/one/state").headers["etag"] for _ in range(5)}
        assert len(etags) == 1
        # the node that nginx has chosen dies: its client comes back by the same address, on another node
        chosen[0].kill()
        ada.insert(5, " again")
        bob.reads("hello again")


def sockets(node: Server) -> float:
    """How many are held by this node; who is online is told of all nodes together."""
    lines = httpx2.get(f"{node.url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("collab_sockets "))
