"""A disk that refuses, fills up, or is killed in the middle of a sync: a slice of `storage.py`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from collab.crdt.gate import check
from collab.protocol import messages
from collab.protocol.messages import Kind
from tests.acceptance.victim import Victim
from tests.clients.plain import PlainClient, plain_client
from tests.faults import power, shim, storage
from tests.updates import typed

no_shim = pytest.mark.skipif(shim.missing() is not None, reason=str(shim.missing()))
ONE, TWO = typed(7, 0, "one"), typed(7, 3, " two")


@no_shim
def test_while_fsync_fails_nothing_is_confirmed_and_afterwards_everything_is(tmp_path: Path) -> None:
    assert storage.failing_fsync(2, 1, tmp_path).rounds == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a small tmpfs needs root")
def test_while_the_disk_is_full_nothing_is_confirmed_and_afterwards_everything_is() -> None:
    assert storage.full_disk(1, 1).rounds == 1


@no_shim
@pytest.mark.skipif(power.missing() is not None, reason=str(power.missing()))
def test_what_a_killed_process_had_not_synced_is_synced_before_it_is_called_saved(tmp_path: Path) -> None:
    """Killed between write and sync, started again, told "saved" by its author's return, and then the power goes."""
    faults = shim.Shim(tmp_path)
    with power.medium() as disk, Victim(disk.path, env=faults.env) as victim:
        start(victim)
        with client_of(victim) as client:
            client.send(messages.encode_update(ONE))
            client.saved()
            faults.die(1)
            client.send(messages.encode_update(TWO))
            with pytest.raises(ConnectionClosed):
                client.receive(Kind.TOKEN)  # which never comes: it dies in the sync
        victim.kill()
        faults.die(None)
        start(victim)
        with client_of(victim) as client:
            client.send(messages.encode_update(TWO))
            client.saved()
            disk.cut()
        victim.kill()
        disk.unmount()
        disk.mount()
        start(victim)
        state = httpx2.get(f"{victim.url}/api/documents/doc/state").content
    assert check(state).runs == ((7, 0, 7),)


def start(victim: Victim) -> None:
    """Waits until it is ready."""

    async def ready() -> None:
        async with httpx2.AsyncClient() as http:
            await victim.start(http)

    asyncio.run(ready())


@contextmanager
def client_of(victim: Victim) -> Iterator[PlainClient]:
    """Greeted, until the block ends."""
    with plain_client(f"ws{victim.url[4:]}/sync", "doc") as client:
        client.sync(messages.EMPTY_VECTOR, lambda vector: messages.EMPTY_UPDATE)
        yield client
