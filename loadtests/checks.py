"""What all checks on the hot path cost together: `uv run python -m loadtests.checks [--edits 20000] [--runs 12]`.

One author types (words, corrections, jumps) into one room of a hub with a real journal on SQLite, one reader looks on;
sockets are left out, so the share of the checks is larger here than in a server. "With" is `hub.receive` as it is: who
sends, rates, access, the gate, whose CRDT client id it is, what is known and what is missing, sizes. "Without" believes
every byte: it reads client, clock and length, which merging and storing need, and nothing else. It exists only here.
Figures are edits per second of CPU time on one core, the writer thread's included: the median of alternating
runs, and the best, which other programs on the machine disturb least.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from collab.bus.local import LocalBus
from collab.core.session import Session
from collab.crdt.checked import NOTHING_NEEDED, Checked
from collab.crdt.gate import check
from collab.crdt.keystroke import match_typed, read_int
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.limits import Limits
from collab.metrics import Counters
from collab.protocol.messages import encode_update
from collab.slot import Slot
from collab.store.open import open_store
from collab.types import Access, Principal
from loadtests.codec import generated, log_of
from tests.fakes import Recorder

Receive = Callable[[Slot, Session, bytes], object]

RATES = Limits(frames_per_s=1e6, frames_burst=10**9)  # counted, as ever, and never owed
TURNS = (1, 10)  # frames that come in one turn of the loop


def believing(hub: Hub) -> Receive:
    """Takes whatever comes for what it says it is."""

    def receive(slot: Slot, session: Session, message: bytes) -> None:
        room, checked = slot.room, believed(message[3:])
        room.history.clocks.advance(checked)
        room.gather(checked, session, session.principal.id, session.id)
        if not slot.scheduled:
            hub.touch(slot)

    return receive


def believed(update: bytes) -> Checked:
    """What the bookkeeping needs of a keystroke; anything else is read by the gate, for want of a careless parser."""
    found = match_typed(update)
    if found is None:
        return check(update)
    own, at, left, left_at, right, right_at, only, only_at, size, text = found.groups()
    clock, body, tail = read_int(at), found.end(2), len(update) - 1
    runs = ((read_int(own), clock, clock + size[0]),)
    before, before_at = only or left, only_at or left_at
    follows = before == own and read_int(before_at) == clock - 1  # merging needs it, to join letters to a string
    return Checked(update, runs, NOTHING_NEEDED, (), 1, body, tail, text, (right or b"") + (right_at or b""), follows)


async def cpu_s(frames: list[bytes], per_turn: int, careless: bool) -> float:
    """CPU time of one run."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(f"sqlite:///{Path(folder) / 'collab.db'}") as store:
            journal = Journal(store.log)
            hub = Hub(
                node="n", update_log=store.log, journal=journal, bus=LocalBus(), limits=RATES,
                settings=HubSettings(tick_s_max=0.0), counters=Counters(), alone=True,
            )  # fmt: skip
            slot = await hub.open("doc")
            author, reader = (
                Session(name, Principal(id=name), Access.WRITE, Recorder(), RATES) for name in ("ada", "bob")
            )
            hub.join(slot, author)
            hub.join(slot, reader)
            gc.collect()  # what the run before left is not this one's
            started = time.process_time()
            await run(hub, slot, author, frames, per_turn, believing(hub) if careless else hub.receive)
            await journal.flush()
            spent = time.process_time() - started
            assert slot.room.ledger.seq == len(frames), "every edit was stored"
            await journal.close()
    return spent


async def run(hub: Hub, slot: Slot, author: Session, frames: list[bytes], per_turn: int, receive: Receive) -> None:
    """So many frames, then a turn of the loop, in which the room ticks."""
    rest = iter(frames)
    while some := list(islice(rest, per_turn)):
        for frame in some:
            receive(slot, author, frame)
        await asyncio.sleep(0)


def measure(frames: list[bytes], runs: int) -> Table:
    """One row for each number of frames a turn."""
    table = Table(title=f"{len(frames):,} edits, {runs} runs of each", title_justify="left")
    for column in ("frames a turn", "edits/s with", "edits/s without", "checks, an edit", "of the edit's cost"):
        table.add_column(column, justify="right")
    for per_turn in TURNS:
        taken: dict[bool, list[float]] = {False: [], True: []}
        for number in range(runs + 1):
            for careless in ((False, True), (True, False))[number % 2]:
                taken[careless].append(asyncio.run(cpu_s(frames, per_turn, careless)))
        for name, of in (("median", statistics.median), ("best", min)):
            with_s, without_s = (of(taken[careless][1:]) for careless in (False, True))
            price_us = (with_s - without_s) / len(frames) * 1e6
            table.add_row(
                f"{per_turn}, {name}", f"{len(frames) / with_s:,.0f}", f"{len(frames) / without_s:,.0f}",
                f"{price_us:.2f} µs", f"{1 - without_s / with_s:.1%}",
            )  # fmt: skip
    return table


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=12)
    asked = parser.parse_args()
    log = log_of([{"patches": patches} for patches in generated(asked.edits)])
    Console().print(measure([encode_update(update) for update in log], asked.runs))


if __name__ == "__main__":
    main()
