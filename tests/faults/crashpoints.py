"""A kill at every step: `python -m tests.faults.crashpoints --rounds 50 --seed 1`.

Journal, checkpoint, restore, purge, import and the squashing of history run in a child process that kills itself at its
n-th step: a step is every suspension of any task, both sides of every SQL statement and every commit, counted from
outside (a task factory and SQLAlchemy's events), so that production code holds no failpoints. Another process then
opens what is left: the doctor finds nothing, what was acked is there, a load gives what a replay of all the log gives,
and the operation has happened whole or not at all; an import is then made again, and squashing goes on where it ended.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import coroutine
from typing import Any

import httpx2
from sqlalchemy import Engine, event

from collab.checkpoint import Checkpointer
from collab.crdt.fold import fold
from collab.crdt.index import build
from collab.doctor import examine
from collab.journal import Journal
from collab.portable.archive import ArchiveReader
from collab.portable.export import Exporter
from collab.portable.intake import Clock, Importer
from collab.services import Services
from collab.settings import Settings
from collab.store.base import Append, Appended, Entry
from collab.store.open import Store, open_store
from collab.store.verification import every_document
from tests.contract.past import HOURS, NOON, PER_HOUR, Past, nth
from tests.faults.rot import content, held
from tests.patience import PATIENCE_S
from tests.updates import deleted, typed

UPDATES = [typed(1, 0, "hello"), typed(1, 5, " world"), deleted(1, 0, 2), typed(2, 0, "more"), typed(1, 11, "!")]
# A kill loses nothing of what was written, synced or not: so there need be no disk.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
LATER = [typed(3, 3 * n, "abc") for n in range(8)]


class Steps:
    """Counts steps once armed; at the `fatal`-th the process kills itself."""

    def __init__(self, fatal: int) -> None:
        self.count = 0
        self._fatal = fatal
        self._armed = False
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, lambda *_: self.take())

    def arm(self) -> None:
        """From here on steps count."""
        self._armed = True
        asyncio.get_running_loop().set_task_factory(self._make)

    def disarm(self) -> None:
        """The operation is over."""
        self._armed = False

    def take(self) -> None:
        """One step."""
        if self._armed:
            self.count += 1
            if self.count == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def _make(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(self._stepped(work), loop=loop, **options)

    @coroutine
    def _stepped(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Runs `work` and takes a step wherever it is suspended, and when it goes on."""
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = work.send(answer) if error is None else work.throw(error)
            except StopIteration as end:
                return end.value
            self.take()
            answer = error = None
            try:
                answer = yield waits_for
            except BaseException as thrown:
                error = thrown
            self.take()


def url_of(folder: Path) -> str:
    """The database in a folder."""
    return f"sqlite:///{folder / 'collab.db'}"


async def prepare(folder: Path) -> None:
    """A document with a log and a snapshot of an earlier state, an archive of it, and a document with a long past."""
    async with open_store(url_of(folder)) as store:
        lineage = (await store.catalog.create("d", None, {})).lineage
        for number, update in enumerate(UPDATES):
            await store.log.append([Append("d", lineage, bytes([number]) * 16, [Entry("ann", "s", update)])])
        state = fold(None, UPDATES[:2])
        await store.snapshots.create("d", 2, state, "early", {}, "ann")
        with (folder / "d.zip").open("wb") as target:
            await Exporter(store.log, store.catalog, store.snapshots).export("d", target)
        await Past(store).type("past")


async def journal(folder: Path, steps: Steps, say: Callable[[str], None]) -> None:
    """Commits in a row; each is said when it is acked."""
    async with open_store(url_of(folder)) as store:
        lineage = (await store.log.heads(["d"]))["d"].lineage
        journal = Journal(store.log)
        steps.arm()

        def acked(done: Appended) -> None:
            assert done.error is None
            say(f"acked {done.last_seq}")

        for number, update in enumerate(LATER):
            journal.append("d", lineage, [Entry("ann", "s", update)], acked)
            journal.append(f"new {number}", "", [Entry("ann", "s", UPDATES[0])], lambda done: None)
            await journal.flush()
        await journal.close()
        steps.disarm()


async def checkpoint(folder: Path, steps: Steps, say: Callable[[str], None]) -> None:
    """Two checkpoints, with a commit in between."""

    async def here(base: bytes | None, updates: Sequence[bytes]) -> tuple[bytes, bytes]:
        await asyncio.sleep(0)
        state = fold(base, updates)
        return state, build(state)

    async with open_store(url_of(folder)) as store:
        lineage = (await store.log.heads(["d"]))["d"].lineage
        checkpointer = Checkpointer(store.log, here)
        steps.arm()
        for number in range(3):
            await checkpointer.fold("d")
            await store.log.append([Append("d", lineage, bytes([90 + number]) * 16, [Entry("a", "s", LATER[number])])])
            say(f"acked {6 + number}")
        await checkpointer.close()
        steps.disarm()


@asynccontextmanager
async def service(folder: Path) -> Any:
    """The whole node, and a client that needs no port."""
    async with Services.open(Settings(data=folder, host="127.0.0.1", log_level="error")) as services:
        transport = httpx2.ASGITransport(app=services.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=PATIENCE_S) as http:
            yield http


async def restore(folder: Path, steps: Steps, say: Callable[[str], None]) -> None:
    """Back to the snapshot, by REST."""
    async with service(folder) as http:
        [snapshot] = (await http.get("/api/documents/d/snapshots")).raise_for_status().json()["items"]
        steps.arm()
        answer = await http.post(f"/api/documents/d/snapshots/{snapshot['id']}/restore")
        steps.disarm()
        say(f"acked {answer.raise_for_status().json()['seq']}")
        say("done")


async def purge(folder: Path, steps: Steps, say: Callable[[str], None]) -> None:
    """Erases the document, by REST."""
    async with service(folder) as http:
        steps.arm()
        (await http.delete("/api/documents/d", params={"purge": "true"})).raise_for_status()
        steps.disarm()
        say("done")


async def import_(folder: Path, steps: Steps, say: Callable[[str], None]) -> None:
    """The archive under another id."""
    async with open_store(url_of(folder)) as store:
        steps.arm()
        await bring_in(store, folder)
        steps.disarm()
        say("done")


async def bring_in(store: Store, folder: Path) -> None:
    """The import itself."""
    importer = Importer(store.log, store.segments, store.catalog, store.snapshots, Clock(datetime.now(UTC)))
    await importer.bring_in(ArchiveReader(io.BytesIO((folder / "d.zip").read_bytes())), "copy")


async def squash(folder: Path, steps: Steps, say: Callable[[str], None]) -> None:
    """Rows become a segment per hour, older segments one; and later both again."""
    async with open_store(url_of(folder)) as store:
        steps.arm()
        await squashed(store)
        steps.disarm()
        say("done")


async def squashed(store: Store) -> None:
    """The squashing itself, from wherever an earlier attempt has left it."""
    past = Past(store, NOON + timedelta(hours=HOURS))
    retention = past.retention(stepwise=timedelta(hours=2))
    for _ in range(2):
        await retention.once()
        past.now += timedelta(hours=9)
    assert retention.figures.failed == 0


OPERATIONS: dict[str, Callable[[Path, Steps, Callable[[str], None]], Awaitable[None]]] = {
    "journal": journal,
    "checkpoint": checkpoint,
    "restore": restore,
    "purge": purge,
    "import": import_,
    "squash": squash,
}


async def verify(folder: Path, operation: str, said: list[str]) -> None:
    """AssertionError if what is left is not what it should be."""
    acked = max((int(line.split()[1]) for line in said if line.startswith("acked")), default=0)
    async with open_store(url_of(folder)) as store:
        faults = [finding async for finding in examine(store.database) if finding.faults]
        assert not faults, f"the doctor finds {faults}"
        page = await store.catalog.list(100)
        for document in page.items:
            await _replay(store, document.id)
        await _whole_or_not(store, operation, "done" in said, acked)
        await _past(store, operation, "done" in said)
        if operation == "import":
            await _again(store, folder)


async def _replay(store: Store, document: str) -> None:
    stored = await store.log.load(document)
    assert stored is not None and stored.quarantine is None
    rows = await store.log.read(document, 0, 10_000)
    replayed = content([entry.update for row in rows for entry in row.entries])
    assert held(stored) == replayed, f"a load of {document} is not what its log says"
    assert [row.first_seq for row in rows] == [1, *(row.last_seq + 1 for row in rows[:-1])][: len(rows)], "not dense"


async def _whole_or_not(store: Store, operation: str, done: bool, acked: int) -> None:
    heads = await store.log.heads(["d", "copy"])
    if operation == "purge":
        assert not (done and "d" in heads), "purged, and still there"
        if "d" not in heads:
            return
    stored = await store.log.load("d", deleted=True)  # a purge that was killed may have hidden it already
    assert stored is not None and stored.seq >= acked, f"acked {acked}, stored {stored and stored.seq}"
    if operation == "restore":
        assert stored.seq in (len(UPDATES), len(UPDATES) + 1), "half a restore"
    if operation == "import":
        assert "copy" in heads or not done, "imported, and not there"
        if "copy" in heads:
            assert heads["copy"].seq == len(UPDATES) and len((await store.snapshots.list("copy", 9)).items) == 1


async def _past(store: Store, operation: str, done: bool) -> None:
    """At the end of each row that is left, history is what was written until then; what was not squashed yet can be."""
    written = [nth(number) for number in range(HOURS * PER_HOUR)]
    if operation == "squash" and not done:
        await _as_written(store, written)
        await squashed(store)
    ends = await _as_written(store, written)
    assert len(ends) == (1 if operation == "squash" else len(written)), f"rows end at {ends}"


async def _as_written(store: Store, written: list[bytes]) -> list[int]:
    rows = await store.log.read("past", 0, 10_000)
    ends = [row.last_seq for row in rows]
    updates = [[entry.update for row in rows[: n + 1] for entry in row.entries] for n in range(len(rows))]
    for end, told in zip(ends, updates, strict=True):
        assert content(told) == content(written[:end]), f"history is not what was written until seq {end}"
    assert ends[-1] == len(written), f"of {len(written)} updates {ends[-1]} are left"
    return ends


async def _again(store: Store, folder: Path) -> None:
    """An import that did not come to its end is repeated; of the first attempt nothing is left."""
    if "copy" not in await store.log.heads(["copy"]):
        await bring_in(store, folder)
    assert (await store.log.heads(["copy"]))["copy"].seq == len(UPDATES)
    assert sorted([seen.document async for seen in every_document(store.database)]) == ["copy", "d", "past"]


def forked(work: Callable[[Callable[[str], None]], None]) -> tuple[list[str], int]:
    """Runs `work` in a forked child; returns the lines it said and its wait status. 77 means an exception."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 77
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work(lambda line: os.write(writing, f"{line}\n".encode()) and None)
            status = 0
        except BaseException:
            os.write(writing, json.dumps(traceback.format_exc()).encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read().splitlines()
    return said, os.waitpid(child, 0)[1]


def run(operation: str, folder: Path, fatal: int) -> tuple[list[str], int, int]:
    """One life: (what it said, its wait status, how many steps it took if it lived)."""

    def work(say: Callable[[str], None]) -> None:
        steps = Steps(fatal)
        asyncio.run(OPERATIONS[operation](folder, steps, say))  # type: ignore[arg-type]
        say(f"steps {steps.count}")

    said, status = forked(work)
    counted = [int(line.split()[1]) for line in said if line.startswith("steps")]
    return said, status, counted[0] if counted else 0


def one_crash(operation: str, template: Path, folder: Path, fatal: int) -> bool:
    """Kills the operation at a step and looks at what is left; False if it ended before that step."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    said, status, _ = run(operation, folder, fatal)
    if os.waitstatus_to_exitcode(status) == 77:
        raise AssertionError(f"{operation} failed by itself: {said}")
    found, outcome = forked(lambda say: asyncio.run(verify(folder, operation, said)))
    if outcome:
        raise AssertionError(f"{operation}, killed at step {fatal}: {json.loads(found[-1]) if found else outcome}")
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def campaign(operation: str, rounds: int, seed: int, template: Path) -> tuple[int, int]:
    """Kills at `rounds` of the operation's steps, all of them if there are fewer; returns (kills, steps)."""
    scratch = template.with_name("scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(template, scratch)
    said, _, total = run(operation, scratch, 0)
    assert total, said
    chosen = sorted(Random(seed).sample(range(1, total + 1), min(rounds, total)))
    kills = sum(one_crash(operation, template, scratch, fatal) for fatal in chosen)
    return kills, total


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="steps to kill at, for each operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=OPERATIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collab-crash-", dir=MEMORY) as folder:
        template = Path(folder) / "template"
        template.mkdir()
        _, status = forked(lambda say: asyncio.run(prepare(template)))
        assert status == 0
        for operation in [options.only] if options.only else OPERATIONS:
            kills, total = campaign(operation, options.rounds, options.seed, template)
            sys.stdout.write(f"{operation}: killed at {kills} of {total} steps, nothing broken\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
