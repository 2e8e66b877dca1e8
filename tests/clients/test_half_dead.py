"""A real client whose network was cut without a FIN comes back while the server still holds its old socket."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest

from tests.clients.network import network
from tests.clients.puppets import Puppets
from tests.front import Place
from tests.patience import PATIENCE_S
from tests.server import wait_until


def test_who_comes_back_takes_over_and_nothing_is_lost(server: Place, people: Puppets) -> None:
    """The old socket is pinged and gives way; edits and presence of the new one are held meanwhile, then taken."""
    room = uuid4().hex
    with network(server.socket_url) as between:
        through = f"ws://127.0.0.1:{between.port}/sync"
        ana = people.connect(3, through, room, state={"name": "Ana"}).synced()
        bo = people.connect(3, server.socket_url, room).synced()
        ana.insert(0, "before ")
        bo.reads("before ")
        bo.sees(ana, {"name": "Ana"})
        between.cut()
        ana.insert(7, "while it was cut ")  # goes into the void
        ana.do("cut")  # its own end notices, and it comes back by itself on a new connection
        ana.do("announce", state={"name": "Ana, back"})
        bo.reads("before while it was cut ")
        ana.insert(0, "after: ")
        bo.reads("after: before while it was cut ")
        bo.sees(ana, {"name": "Ana, back"})
        assert ana.notes["connections"] == 2, "it was not sent away"
        assert 4409 not in ana.notes["closes"]
        answer = httpx2.get(f"{server.url}/api/documents/{room}/presence").json()
        assert answer["sockets"] == 2, "the half dead one is gone"


@pytest.mark.everywhere
def test_a_second_client_with_a_live_ones_id_is_told(server: Place, people: Puppets) -> None:
    """A cloned tab: the first one answers the ping and keeps its id, the second gets 4409 and 3.1 stops."""
    room = uuid4().hex
    ana = people.connect(3, server.socket_url, room).synced()
    clone = people.connect(3, server.socket_url, room, id=ana.id).synced()
    clone.do("disconnect")  # yjs takes a new id by itself when it sees its own in use, so it must not see it
    ana.insert(0, "ana")
    clone.insert(0, "her clone")
    wait_until(lambda: httpx2.get(f"{server.url}/api/documents/{room}").status_code == 200, what="ana's edit, stored")
    clone.do("reconnect")
    clone.synced()
    clone.insert(0, "!")
    clone.do("closed", code=4409, seconds=PATIENCE_S)
    bo = people.connect(3, server.socket_url, room).synced()
    bo.reads("ana")
    ana.insert(3, " alone")
    bo.reads("ana alone")
