"""`collab serve --workers N`: N nodes on one port, kept alive, drained and replaced as a user of uvicorn expects."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_urlsafe

import httpx2
import pytest

from tests import realservers
from tests.access.realm import token
from tests.clients.plain import plain_client
from tests.cluster.nodes import CALM, prepared
from tests.server import START_S, Server, command, wait_until

SERVES = re.compile(r'"worker": ?(\d+).*?"pid": ?(\d+).*worker serves|worker serves.*?"worker": ?(\d+).*?"pid": ?(\d+)')
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(scope="module")
def env(valkey: realservers.Server) -> Iterator[dict[str, str]]:
    with realservers.postgres(fsync=False) as postgres:
        yield {**CALM, "COLLAB_DATABASE_URL": prepared(postgres.url), "COLLAB_REDIS_URL": valkey.url}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pool's settings file; it says nothing yet."""
    file = tmp_path_factory.mktemp("settings") / "collab.env"
    file.touch()
    return file


@pytest.fixture(scope="module")
def pool(env: Mapping[str, str], settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One pool for the module; its last test ends it."""
    server = Server(tmp_path_factory.mktemp("pool"), ["--workers", "2", "--settings-file", str(settings)], env)
    server.start()
    yield server
    server.kill()


def served(server: Server) -> list[tuple[int, int]]:
    """(worker, pid) of each start so far, in order."""
    found = [SERVES.search(line) for line in list(server.output) if "worker serves" in line]
    return [(int(m[1] or m[3]), int(m[2] or m[4])) for m in found if m]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def nodes(server: Server) -> set[str]:
    """The names of the nodes that answer on the port, each request by a connection of its own."""
    return {httpx2.get(f"{server.url}/readyz").json()["node"] for _ in range(20)}


def test_both_workers_answer_and_an_edit_by_one_reaches_the_other(pool: Server) -> None:
    wait_until(lambda: len(nodes(pool)) == 2, what="answers of both workers")
    with plain_client(pool.socket_url, "shared") as one:
        one.sync(b"\x00", lambda asked: b"\x00\x00")
        answer = httpx2.post(f"{pool.url}/api/documents", json={"id": "shared", "title": "both"})
        assert answer.status_code == 201
        assert {httpx2.get(f"{pool.url}/api/documents/shared").json()["title"] for _ in range(10)} == {"both"}


def test_a_killed_worker_is_replaced_while_the_other_serves(pool: Server) -> None:
    wait_until(lambda: len(served(pool)) >= 2, what="two workers")
    number, pid = served(pool)[-1]
    starts = len(served(pool))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(served(pool)) > starts, START_S, what="another worker")
    assert served(pool)[-1][0] == number
    wait_until(lambda: len(nodes(pool)) == 2, what="answers of both workers")


def test_usr2_replaces_all_one_after_the_other_and_nobody_is_refused(pool: Server) -> None:
    before, starts = nodes(pool), len(served(pool))
    os.kill(pool.pid, signal.SIGUSR2)
    refused = 0
    while len(served(pool)) < starts + 2:
        try:
            refused += httpx2.get(f"{pool.url}/healthz").status_code != 200
        except httpx2.TransportError:
            refused += 1  # a request that was in the hands of the very worker that left
    wait_until(lambda: len(nodes(pool)) == 2, what="answers of both workers")
    assert nodes(pool).isdisjoint(before)
    assert refused <= 2


def statuses(server: Server, secret: str | None) -> set[int]:
    """What a call is answered with, each of many by a connection of its own."""
    url, headers = f"{server.url}/api/documents", {}
    if secret is not None:
        headers["authorization"] = f"Bearer {token('ada', ('*', 'read'), secret=secret)}"
    return {httpx2.get(url, headers=headers).status_code for _ in range(20)}


def reload_with(secret: str, pool: Server, settings: Path) -> None:
    """Returns once both workers believe tokens signed with it, and nobody without one."""
    settings.write_text(
        f"COLLAB_JWT_ISSUER=https://id.example\nCOLLAB_JWT_AUDIENCE=collab\nCOLLAB_JWT_SECRET={secret}\n"
        "COLLAB_DATABASE_URL=postgresql://nowhere.example/x\n"  # is not taken by a node that runs
    )
    before = said(pool, "settings were reloaded")
    os.kill(pool.pid, signal.SIGHUP)
    wait_until(lambda: said(pool, "settings were reloaded") == before + 2, what="both workers")
    assert (statuses(pool, secret), statuses(pool, None)) == ({200}, {401})


def test_hup_gives_all_workers_new_settings_and_closes_no_socket(pool: Server, settings: Path) -> None:
    """But of those who came in without anything while it was open: see tests/operate/test_reload.py."""
    before, starts = nodes(pool), len(served(pool))
    assert statuses(pool, None) == {200}
    secrets = [token_urlsafe(48), token_urlsafe(48)]
    reload_with(secrets[0], pool, settings)
    with plain_client(pool.socket_url, "stays", token=token("ada", ("*", "write"), secret=secrets[0])) as client:
        client.sync(b"\x00", lambda asked: b"\x00\x00")
        reload_with(secrets[1], pool, settings)
        assert statuses(pool, secrets[0]) == {401}
        assert (nodes(pool), len(served(pool))) == (before, starts)
        client.saved()
    settings.write_text("COLLAB_SOCKETS_PER_USER=many\n")
    os.kill(pool.pid, signal.SIGHUP)
    wait_until(lambda: said(pool, "settings were not reloaded"), what="that it cannot")
    os.kill(served(pool)[-1][1], signal.SIGKILL)
    wait_until(lambda: len(served(pool)) > starts, START_S, what="another worker")
    assert (statuses(pool, secrets[1]), statuses(pool, None)) == ({200}, {401})
    assert not any(secret in line for line in pool.output for secret in secrets)


def said(server: Server, what: str) -> int:
    """How often its log says it."""
    return sum(what in line for line in list(server.output))


def test_term_drains_all_and_leaves_nobody(pool: Server) -> None:
    pids = [pid for _, pid in served(pool)]
    assert pool.stop() == 0
    assert not any(alive(pid) for pid in pids)


def test_workers_end_when_their_parent_is_killed(env: Mapping[str, str], tmp_path: Path) -> None:
    server = Server(tmp_path, ["--workers", "2"], env)
    server.start()
    wait_until(lambda: len(served(server)) == 2, what="two workers")
    pids = [pid for _, pid in served(server)]
    server.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids), what="the workers' end")


@pytest.mark.parametrize("given", [{}, {"COLLAB_REDIS_URL": "redis://127.0.0.1:1"},
                                   {"COLLAB_DATABASE_URL": "postgresql://127.0.0.1:1/x"}])  # fmt: skip
def test_without_redis_or_a_shared_database_it_refuses_to_start(given: dict[str, str], tmp_path: Path) -> None:
    serve = ["serve", "--workers", "2", "--data", str(tmp_path), "--port", "0"]
    told = command(*serve, env=given, timeout_s=START_S, expected=2)
    assert "COLLAB_DATABASE_URL" in told
    assert "COLLAB_REDIS_URL" in told


def test_a_schema_that_is_not_current_is_said_once_and_ends_it(env: Mapping[str, str], tmp_path: Path) -> None:
    url = env["COLLAB_DATABASE_URL"].rpartition("/")[0] + "/template1"
    serve = ["serve", "--workers", "3", "--data", str(tmp_path), "--port", "0"]
    told = command(*serve, env={**env, "COLLAB_DATABASE_URL": url}, timeout_s=START_S, expected=1)
    assert told.count("collab db upgrade") == 1
