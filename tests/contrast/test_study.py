"""A slice of the study on a real server: everybody converges, and a run that shows nothing is void."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pycrdt import Doc, Text

from loadtests.contrast import report
from loadtests.contrast.archive import Archive
from loadtests.contrast.crowds import Crowd
from loadtests.contrast.host import Host, client
from loadtests.contrast.origin import document_path
from loadtests.contrast.plan import QUICK
from loadtests.contrast.replica import BACKDROP, section
from loadtests.contrast.result import Result
from loadtests.contrast.run import Run, Troupe, Void
from loadtests.contrast.script import Script
from loadtests.contrast.shape import KINDS, Shape
from loadtests.contrast.stage import OCTETS, Stage
from loadtests.contrast.storm import restart
from tests.patience import PATIENCE_S
from tests.server import wait_until

ROOT = Path(__file__).parents[2]
TRACE = ROOT / "tests" / "data" / "traces" / "tale.json"
SMALL = Shape("socket", users=12, members=6, writers=2, edits_s=8.0, interval_s=0.2, document_bytes=1_024)
CORE = min(os.sched_getaffinity(0))


@contextmanager
def people() -> Iterator[Troupe]:
    """A load and a probe, in processes of their own."""
    script = Script.record(str(TRACE))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.json"
        script.save(path)
        load, probe = Crowd(CORE), Crowd(CORE)
        try:
            yield Troupe(load, probe, script, path)
        finally:
            load.stop()
            probe.stop()


def played(host: Host, troupe: Troupe, kind: str) -> Result:
    """A window in which somebody typed and somebody saw it, however slow the machine."""
    for window_s in (1.0, 5.0, 25.0):
        with Run(replace(SMALL, kind=kind), host.origin, troupe, host.pid) as run:
            result = run.play(window_s, warm_s=0.3)
        if result.edits_s and result.sightings:
            break
    return result


def test_people_of_every_kind_end_with_the_server_s_content(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "contrast.json")
    archive.facts = {"window_s": 1.0, "rounds": 1, "trace": "tale", "pace": QUICK.name}
    with Host(CORE) as host, people() as troupe:
        for kind in KINDS:
            result = played(host, troupe, kind)
            archive.put(f"kinds/{kind}/0", result.as_dict())
            assert result.edits_s > 0
            assert result.sightings > 0
            assert result.up_per_delivery > 0 and result.down_per_delivery > 0
            assert (result.polls_s > 0) is (kind != "socket")
        archive.put("tls/diff/0", {**result.as_dict(), "shape": {**result.shape, "tls": True}})
        archive.put("restart/socket/0", restart(SMALL, host, troupe).as_dict())
    assert archive.rows["restart/socket/0"]["opened"] >= SMALL.users
    report.write(archive, tmp_path)
    text = (tmp_path / "contrast.md").read_text()
    assert "## 1. Seven dimensions" in text and "5 runs did" not in text  # five kinds and a restart
    assert "### With TLS" in text and "| kept | TLS |" in text
    assert "<table>" in (tmp_path / "contrast.html").read_text()
    assert "gevent" not in sys.modules and "locust" not in sys.modules  # they would patch this very process


@dataclass(frozen=True)
class Liar(Stage):
    """A server that tells another content than the one it gave to people."""

    def read(self) -> list[dict[str, str]]:
        texts = super().read()
        texts[0][BACKDROP] += "?"
        return texts


def test_a_run_with_lost_edits_or_other_content_is_void() -> None:
    with Host(CORE) as host, people() as troupe, Run(SMALL, host.origin, troupe, host.pid) as run:
        run.type()
        run.check()
        honest = run.stage
        run.stage = Liar(honest.origin, honest.documents, honest.script, honest.writers)
        with pytest.raises(Void, match="6 of 12 people ended with another content"):
            run.check(within_s=0.5)
        run.stage = honest
        vandalise(host, honest.documents[0])
        with pytest.raises(Void, match="writers lost edits"):
            run.check()


def vandalise(host: Host, document: str) -> None:
    """Changes a writer's section behind their back: what the server has is no longer what was typed."""
    with client(host.origin) as http:
        doc: Doc[Any] = Doc()
        doc.apply_update(http.get(f"{document_path(document)}/state").raise_for_status().content)
        before = doc.get_state()
        doc.get(section(0), type=Text).insert(0, "x")
        http.post(
            f"{document_path(document)}/updates", content=doc.get_update(before), headers=OCTETS
        ).raise_for_status()


def test_the_same_people_in_locust_s_own_runner(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary"]
    command += ["-u", "30", "-r", "30", "--edits", "4", "SocketEditor", "DiffPollingEditor"]
    with Host(CORE) as host, open(tmp_path / "told", "w+") as told:
        running = subprocess.Popen([*command, "--host", host.origin.url], cwd=ROOT, stdout=told, stderr=told)
        try:
            with client(host.origin) as http:
                wait_until(lambda: edits(http) > 3, what="typing")
            running.send_signal(signal.SIGTERM)
            status = running.wait(PATIENCE_S)
        finally:
            running.kill()
            running.wait()
        told.seek(0)
        text = told.read()
    assert status == 0, text
    assert re.search(r"CHECK +everybody's content is the server's.* 1 +0\(0", text)
    assert re.search(r"EDIT +(socket|diff): from key press to another screen", text)


def edits(http: httpx2.Client) -> int:
    """How often something was committed to the first of Locust's documents after it was made."""
    answer = http.get("/api/documents/locust-0-1-0")
    return int(answer.json()["seq"]) - 1 if answer.is_success else 0
