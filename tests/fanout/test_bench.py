"""A whole small campaign against a server of its own process, and one against the real Hocuspocus."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from loadtests.fanout import compiler, peers, report, scenarios
from loadtests.fanout.bench import Bench
from loadtests.fanout.cache import build_once
from loadtests.fanout.campaign import Campaign
from loadtests.fanout.document import AUTHORS, clocks_in, real_document, write_together
from loadtests.fanout.measure import Load
from loadtests.fanout.peers import Peer
from loadtests.fanout.scenarios import FULL, QUICK, Pace, pace_for
from loadtests.fanout.sections import SECTIONS
from loadtests.fanout.server import DiedAtStart, Server

RELAY = Peer(
    name="relay",
    title="the tests' own relay",
    prepare=lambda: peers.REPOSITORY,
    command=lambda folder, port, data: [sys.executable, "-m", "tests.fanout.relay", str(port)],
)
TINY = Pace("tiny", 0.5, 0.2, 1, 2, (5,), (4,), (2,), minutes_per_server=0.1)
GENTLE = Load(1, 5, 2, 10, window_s=0.5, warm_s=0.2, patience_s=60)


@pytest.fixture
def relay(generator: Path, core: int) -> Bench:
    """A bench for the relay; each test starts it."""
    return Bench(RELAY, generator, core, core)


def running(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_server_is_pinned_weighed_and_gone_after_the_block(core: int) -> None:
    with Server(RELAY, core) as server:
        (pid,) = server.pids()
        assert os.sched_getaffinity(pid) == {core}
        assert server.memory_bytes() > 1_000_000
        assert server.alive()
    assert not running(pid)
    assert server.pids() == []


def test_a_server_that_cannot_start_says_why(core: int) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such database')"]
    broken = Peer("broken", "broken", lambda: peers.REPOSITORY, lambda folder, port, data: command)
    with pytest.raises(DiedAtStart, match="no such database"):
        Server(broken, core).start()


def test_a_load_is_measured_and_the_server_stays(relay: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    restart, restarts = relay.server.restart, list[bool]()
    monkeypatch.setattr(relay.server, "restart", lambda: (restarts.append(True), restart()))
    relay.start()
    try:
        before = relay.server.pids()
        assert relay.run(GENTLE).converged
        assert (relay.server.pids() == before) is not bool(restarts)  # which a busy machine may make needful
    finally:
        relay.stop()


def test_five_hundred_join_a_real_document(relay: Bench) -> None:
    relay.start()
    try:
        storm = relay.storm()
    finally:
        relay.stop()
    assert storm.complete, storm.why
    assert storm.received_mb > scenarios.STORM_CLIENTS * len(real_document().state) / 1e6


def test_a_small_campaign_writes_a_report(relay: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.PEERS, RELAY.name, RELAY)
    said: list[str] = []
    relay.start()
    campaign = Campaign({RELAY.name: relay}, TINY, time.monotonic() + 600, said.append)
    try:
        SECTIONS["D"](campaign)
        SECTIONS["G"](campaign)
    finally:
        relay.stop()
    assert campaign.results["light"][RELAY.name]["converged"]
    assert campaign.results["presence"]["5"][RELAY.name]["converged"]
    assert any("D light load relay" in line for line in said)
    about = {"started": "", "minutes": 0, "command": "", "machine": {}, "sittings": [{}]}
    about |= {"pace": {"name": "tiny", "rounds": 1}}
    rest = {"servers": {RELAY.name: {}}, "unavailable": {}, "failures": [], "skipped": []}
    report.write({**about, **rest, **campaign.results}, tmp_path)
    assert RELAY.title in (tmp_path / "fanout.md").read_text()


def test_a_spent_budget_skips_and_says_so(relay: Bench) -> None:
    campaign = Campaign({RELAY.name: relay}, TINY, time.monotonic(), lambda line: None)
    SECTIONS["D"](campaign)
    assert campaign.skipped == ["D light load"]
    assert campaign.results["light"] == {RELAY.name: None}


def test_a_broken_server_loses_its_figure_only(relay: Bench) -> None:
    campaign = Campaign({RELAY.name: relay}, TINY, time.monotonic() + 600, lambda line: None)

    def fail(bench: Bench, before: list[float]) -> float:
        assert bench.server.alive()
        raise TimeoutError("stuck")

    try:
        assert campaign.in_turn("anything", 2, fail) == {RELAY.name: []}
        assert campaign.in_turn("more", 2, lambda bench, before: len(before)) == {RELAY.name: [0, 1]}
    finally:
        relay.stop()
    assert campaign.failures == ["anything, relay: stuck"] * 2


def test_the_real_hocuspocus_is_carried_in_its_own_dialect(generator: Path, core: int) -> None:
    bench = Bench(peers.HOCUSPOCUS, generator, core, core)
    bench.start()
    try:
        result = bench.run(GENTLE)
    finally:
        bench.stop()
    assert result.converged, result
    assert result.replayed.startswith("ok")


def test_the_document_is_large_and_always_the_same() -> None:
    document = real_document()
    assert len(document.state) > 100_000
    assert clocks_in(document.state) == document.clocks
    assert all(document.clocks) and len(document.clocks) == AUTHORS
    assert write_together(3, 20, seed=1)[1] == write_together(3, 20, seed=1)[1]
    assert write_together(3, 20, seed=1)[1] != write_together(3, 20, seed=2)[1]


def test_the_pace_fits_the_budget() -> None:
    assert pace_for(1, servers=5) is QUICK
    assert pace_for(10_000, servers=5) is FULL


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_BENCH_CACHE", str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise peers.Unavailable("no network")

    with pytest.raises(peers.Unavailable):
        build_once("thing", fail)
    assert not (tmp_path / "thing").exists()
    assert build_once("thing", lambda folder: (folder / "whole").touch()) == tmp_path / "thing"
    assert (tmp_path / "thing" / "whole").exists()


def test_without_a_compiler_zig_does_it_and_without_uv_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (command,) = compiler.compilers()
    assert command[0] == str(uv)
    assert compiler.ZIG in command
    uv.unlink()
    monkeypatch.setenv("COLLAB_BENCH_CACHE", str(tmp_path))
    with pytest.raises(compiler.NoCompiler, match="apt-get install gcc"):
        compiler.generator()
