"""A disk that refuses, fills up, or is killed in the middle of a sync: a slice of `storage.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from collab.protocol import messages
from tests.clients.plain import plain_client
from tests.faults import power, shim, storage
from tests.server import Server, wait_until
from tests.updates import typed

no_shim = pytest.mark.skipif(shim.missing() is not None, reason=str(shim.missing()))
ONE, TWO = typed(7, 0, "one"), typed(7, 3, " two")


@no_shim
def test_while_fsync_fails_nothing_is_confirmed_and_afterwards_everything_is(tmp_path: Path) -> None:
    figures = storage.failing_fsync(2, 1, tmp_path)
    assert figures.rounds == 2 and max(figures.red_s) < storage.RED_S


@pytest.mark.skipif(os.geteuid() != 0, reason="a small tmpfs needs root")
def test_while_the_disk_is_full_nothing_is_confirmed_and_afterwards_everything_is() -> None:
    figures = storage.full_disk(1, 1)
    assert figures.rounds == 1 and max(figures.red_s) < storage.RED_S


@no_shim
@pytest.mark.skipif(power.missing() is not None, reason=str(power.missing()))
def test_what_a_killed_process_had_not_synced_is_synced_before_it_is_called_saved(tmp_path: Path) -> None:
    """Killed between write and sync, started again, told "saved" by its author's return, and then the power goes."""
    faults = shim.Shim(tmp_path)
    with power.medium() as disk:
        server = Server(disk.path, env=faults.env)
        server.start()
        with plain_client(server.socket_url, "doc") as client:
            client.sync(messages.EMPTY_VECTOR, lambda vector: messages.EMPTY_UPDATE)
            client.send(messages.encode_update(ONE))
            client.saved()
            faults.die(1)
            client.send(messages.encode_update(TWO))
            wait_until(lambda: not os.path.exists(f"/proc/{server.pid}/fd/0"), what="its death in the sync")
        server.kill()
        faults.die(None)
        server.start()
        with plain_client(server.socket_url, "doc") as client:
            client.sync(messages.EMPTY_VECTOR, lambda vector: messages.EMPTY_UPDATE)
            client.send(messages.encode_update(TWO))
            client.saved()
            disk.cut()
        server.kill()
        disk.unmount()
        disk.mount()
        server.start()
        with plain_client(server.socket_url, "doc") as client:
            held = client.sync(messages.EMPTY_VECTOR, lambda vector: messages.EMPTY_UPDATE)
        server.kill()
    assert b" two" in b"".join(held)
