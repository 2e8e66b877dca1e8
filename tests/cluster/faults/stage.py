"""The pieces: Postgres, Valkey, three nodes, a faulty link to each of them, and clients of two kinds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pycrdt import Doc, Map, Text

from tests import realservers
from tests.clients.puppets import Puppet, Puppets, puppets
from tests.cluster.faults.person import Person, digest
from tests.cluster.links import Link, Loop
from tests.cluster.nodes import CALM, prepared
from tests.server import Server

NODES, PERSONS, PUPPETS = 3, 3, 3
DOCUMENT = "faults"
POLL_S = 0.05


class Stage:
    """Everything, running. Methods are called in the main thread."""

    def __init__(self, postgres: realservers.Server, valkey: realservers.Server, loop: Loop, random: Random) -> None:
        self.postgres, self.valkey, self.loop, self.random = postgres, valkey, loop, random
        self.nodes: list[Server] = []
        self.down: set[int] = set()
        self.to_postgres: list[Link] = []
        self.to_redis: list[Link] = []
        self.to_clients: list[Link] = []
        self.persons: list[Person] = []
        self.puppets: list[Puppet] = []
        self.rest_acked: set[str] = set()
        self.puppet_tokens = 0

    def link(self, kind: list[Link], upstream: Any) -> Link:
        """A new link, open."""
        link = self.loop.run(Link(upstream).open())
        kind.append(link)
        return link

    def unlink(self) -> None:
        """Closes all links."""
        for link in (*self.to_clients, *self.to_redis, *self.to_postgres):
            self.loop.run(link.close())

    def node_for(self, number: int) -> tuple[str, int]:
        """Where a client is sent that connects now: its own node, or another one that is up."""
        wanted = [n % NODES for n in range(number, number + NODES)]
        found = next((n for n in wanted if n not in self.down), wanted[0])
        return "127.0.0.1", int(self.nodes[found].url.rsplit(":", 1)[1])

    def puppet_edits(self) -> None:
        """Each yjs client types and leaves a token."""
        for index, puppet in enumerate(self.puppets):
            self.puppet_tokens += 1
            token = f"y{index}.{self.puppet_tokens}"
            puppet.insert(0, token)
            puppet.do("put", map="tokens", key=token, value=1)

    def rest_edit(self, number: str) -> None:
        """An edit by REST; what is answered with success must stay."""
        up = [n for n in range(NODES) if n not in self.down]
        token = f"rest.{number}"
        url = f"{self.nodes[self.random.choice(up)].url}/api/documents/{DOCUMENT}/content?root=tokens&type=map"
        operations = [{"op": "set", "pointer": f"/{token}", "value": 1}]
        try:
            answer = httpx2.patch(url, json=operations, timeout=3.0)
        except httpx2.TransportError:
            return
        if answer.status_code == 200:
            self.rest_acked.add(token)

    def acked(self) -> set[str]:
        """All that was promised to be kept."""
        return self.rest_acked.union(*(person.acked for person in self.persons))

    def digests(self) -> list[str]:
        """Of each client, and of the state that each node gives by REST."""
        found = [self.loop.call(person.digest) for person in self.persons]
        found += [str(puppet.do("digest", map="tokens")["digest"]) for puppet in self.puppets]
        return found + [self.rest_digest(node) for node in self.nodes]

    def rest_digest(self, node: Server) -> str:
        """Of the content that a node gives."""
        try:
            answer = httpx2.get(f"{node.url}/api/documents/{DOCUMENT}/state", timeout=5.0)
        except httpx2.TransportError as error:
            return type(error).__name__
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        doc: Doc[Any] = Doc()
        doc.apply_update(answer.content)
        return digest(str(doc.get("text", type=Text)), list(doc.get("tokens", type=Map).keys()))

    def converge(self, timeout_s: float) -> float:
        """Seconds until everyone is equal; AssertionError with what differs after the timeout."""
        began = time.monotonic()
        while True:
            found = self.digests()
            if len(set(found)) == 1:
                return time.monotonic() - began
            if time.monotonic() - began > timeout_s:
                raise AssertionError(f"not equal after {timeout_s:.0f} s: {[d[:8] for d in found]}")
            time.sleep(POLL_S)


@contextmanager
def stage(node: Path, folder: Path, seed: int) -> Iterator[Stage]:
    """Everything started, all clients synced, until the block ends."""
    random = Random(seed)
    with ExitStack() as stack:
        postgres = stack.enter_context(realservers.postgres(fsync=False))
        valkey = stack.enter_context(realservers.valkey())
        url = prepared(postgres.url)
        loop = Loop()
        stack.callback(loop.close)
        stage = Stage(postgres, valkey, loop, random)
        stack.callback(stage.unlink)
        for number in range(NODES):
            stage.nodes.append(_node(stage, stack, folder / f"node{number}", url))
        people: Puppets = stack.enter_context(puppets(node))
        httpx2.post(f"{stage.nodes[0].url}/api/documents", json={"id": DOCUMENT}).raise_for_status()
        for number in range(PERSONS):
            _person(stage, number)
        for number in range(PUPPETS):
            link = stage.link(stage.to_clients, lambda number=number: stage.node_for(number))
            socket_url = f"ws://127.0.0.1:{link.port}/sync"
            stage.puppets.append(people.connect(3, socket_url, DOCUMENT, state=None).synced())
        yield stage


def _node(stage: Stage, stack: ExitStack, folder: Path, url: str) -> Server:
    folder.mkdir()
    database, cache = urlsplit(url), urlsplit(stage.valkey.url)
    to_postgres = stage.link(stage.to_postgres, lambda: ("127.0.0.1", database.port))
    to_redis = stage.link(stage.to_redis, lambda: ("127.0.0.1", cache.port))
    env = {
        **CALM,
        "COLLAB_DATABASE_URL": database._replace(netloc=f"postgres@127.0.0.1:{to_postgres.port}").geturl(),
        "COLLAB_REDIS_URL": f"redis://127.0.0.1:{to_redis.port}",
        "COLLAB_LOG_LEVEL": "warning",
    }
    node = Server(folder, (), env)
    node.start()
    stack.callback(node.kill)
    return node


def _person(stage: Stage, number: int) -> None:
    link = stage.link(stage.to_clients, lambda: stage.node_for(number))
    person = stage.loop.call(
        Person, f"p{number}", f"ws://127.0.0.1:{link.port}/sync/{DOCUMENT}", stage.random.randrange(2**32)
    )
    stage.persons.append(person)
    stage.loop.start(person.live())
    stage.loop.start(person.edit_for_ever())
