"""The generator against real sockets: a good server passes, a server with one fault in thousands does not."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest

from loadtests.fanout.measure import Load, Measurement, Target, measure
from tests.fanout.relay import Relay

SMALL = Load(rooms=2, clients=6, writers=3, rate=20, window_s=1.0, warm_s=0.3, drain_s=1.0, patience_s=60)


async def measured(generator: Path, core: int, relay: Relay, load: Load = SMALL, sampled: int = 4) -> Measurement:
    """Runs a load against a relay that listens meanwhile."""
    dialect, path = ("hocuspocus", "/") if relay.hocuspocus else ("plain", "/{document}")
    async with relay.listening() as port:
        target = Target(port, dialect, path, (os.getpid(),))
        return await anyio.to_thread.run_sync(partial(measure, generator, core, target, load, sampled))


@pytest.mark.parametrize("relay", [Relay(), Relay(merging=True), Relay(hocuspocus=True), Relay(fault="swaps")])
async def test_a_correct_server_converges(generator: Path, core: int, relay: Relay) -> None:
    result = await measured(generator, core, relay)
    assert result.converged, result
    assert result.replayed.startswith("ok: 4 clients")
    assert result.behind == result.lost == result.bad_messages == result.foreign == 0
    assert result.newcomers


async def test_every_update_counts_once_for_every_other_client(generator: Path, core: int) -> None:
    relay = Relay()
    result = await measured(generator, core, relay)
    typed = sum(len(room.updates) for room in relay.rooms.values())
    # what was due in the last moments before the end is left out when the generator gets no core just then
    assert 0 < typed <= SMALL.updates_s * (SMALL.window_s + SMALL.warm_s) + SMALL.rooms * SMALL.writers
    assert 0 < round(result.deliveries_s * result.window_s) <= typed * (SMALL.clients - 1)
    assert result.converged and result.repeated == result.echoed == 0
    assert result.expected_s == pytest.approx(SMALL.deliveries_s, rel=0.1)
    assert result.p50_ms > 0


async def test_a_merging_server_is_credited_with_every_update_in_a_frame(generator: Path, core: int) -> None:
    result = await measured(generator, core, Relay(merging=True))
    assert result.updates_per_frame > 1
    assert result.echoed > 0


@pytest.mark.parametrize("fault", ["skips-one-client", "tells-nobody"])
async def test_one_lost_update_is_caught(generator: Path, core: int, fault: str) -> None:
    result = await measured(generator, core, Relay(fault=fault))
    assert not result.converged
    assert not result.sustained
    assert result.fault.startswith("loses updates")
    assert result.behind > 0
    assert result.early > 0


async def test_an_update_that_is_passed_on_but_not_kept_is_caught(generator: Path, core: int) -> None:
    result = await measured(generator, core, Relay(fault="forgets"))
    assert result.behind == 0
    assert not result.newcomers
    assert not result.converged


async def test_one_changed_letter_is_caught_by_the_replay(generator: Path, core: int) -> None:
    result = await measured(generator, core, Relay(fault="alters"))
    assert result.behind == 0
    assert "another text" in result.replayed
    assert not result.converged


async def test_cursors_reach_everybody(generator: Path, core: int) -> None:
    crowd = Load(1, 8, 8, 10.0, window_s=1.0, warm_s=0.3, presence=True)
    result = await measured(generator, core, Relay(), crowd)
    assert result.converged, result
    assert result.deliveries_s > 0


async def test_a_server_that_refuses_is_a_result_with_its_words(generator: Path, core: int) -> None:
    async with Relay().listening() as port:
        pass  # nobody listens there any more
    target = Target(port, "plain", "/{document}", ())
    result = await anyio.to_thread.run_sync(partial(measure, generator, core, target, SMALL))
    assert not result.converged
    assert "refused" in result.why
