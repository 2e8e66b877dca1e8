"""What the codec costs: the gate, the bookkeeping, a tick's merge, folding; and how small folding makes a document.

`uv run python -m loadtests.codec [TRACE ...] [--runs 5] [--yjs]` measures each editing trace (JSON, perhaps gzipped,
with `txns` of `patches`: position, characters deleted, text inserted), or a generated session of 26,000 edits.
Figures are medians over the runs of CPU time on one core. `--yjs` asks real yjs, on Node, for its own size.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pycrdt
from rich.console import Console
from rich.table import Table

from collab.crdt.clocks import Clocks
from collab.crdt.diff import diff
from collab.crdt.fold import fold, verify
from collab.crdt.gate import Checked, check
from collab.crdt.index import StateIndex, build
from collab.crdt.merge import merge_tick

Patch = tuple[int, int, str]
TAIL = 500
TICK_SIZES = (2, 10, 100)


def generated(edits: int) -> Iterator[list[Patch]]:
    """A person who types words, corrects some, and goes elsewhere in the text now and then."""
    rng = random.Random(1)
    length = at = 0
    for _ in range(edits):
        if rng.random() < 0.02:
            at = rng.randint(0, length)
        if at and rng.random() < 0.15:
            at -= 1
            length -= 1
            yield [(at, 1, "")]
        else:
            yield [(at, 0, rng.choice("etaoin shrdlu"))]
            at += 1
            length += 1


def recorded(path: Path) -> list[dict[str, Any]]:
    """The transactions of a trace."""
    data = path.read_bytes()
    txns: list[dict[str, Any]] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)["txns"]
    return txns


class Author:
    """One author's document; each `edit` gives the update that it sent."""

    def __init__(self, client: int) -> None:
        self._doc: Any = pycrdt.Doc(client_id=client)
        self._text = self._doc.get("t", type=pycrdt.Text)
        self._sent: list[bytes] = []
        self._subscription = self._doc.observe(lambda event: self._sent.append(event.update))

    def edit(self, patches: list[Patch]) -> bytes:
        """The patches as one transaction; positions are bytes, so a trace should be ASCII to come out exactly."""
        self._sent.clear()
        with self._doc.transaction():
            for at, deleted, inserted in patches:
                if deleted:
                    del self._text[at : at + deleted]
                if inserted:
                    self._text.insert(at, inserted)
        return self._sent[-1] if self._sent else b"\0\0"

    def receive(self, update: bytes) -> None:
        """What another author sent."""
        self._doc.apply_update(update)


def log_of(txns: list[dict[str, Any]]) -> list[bytes]:
    """The updates that the authors of a trace sent, each of them knowing what the trace says that it knew."""
    authors = [Author(7_368_787 * (1 + number)) for number in range(1 + max(txn.get("agent", 0) for txn in txns))]
    known: list[set[int]] = [set() for _ in authors]
    log: list[bytes] = []
    for number, txn in enumerate(txns):
        agent = txn.get("agent", 0)
        unknown, ahead = [], list(txn.get("parents", ()))
        while len(authors) > 1 and ahead:
            parent = ahead.pop()
            if parent not in known[agent]:
                known[agent].add(parent)
                unknown.append(parent)
                ahead += txns[parent]["parents"]
        for parent in sorted(unknown):
            authors[agent].receive(log[parent])
        log.append(authors[agent].edit([(at, deleted, inserted) for at, deleted, inserted in txn["patches"]]))
        known[agent].add(number)
    return log


class Stopwatch:
    """Medians of CPU time, in the order in which they were taken."""

    def __init__(self, runs: int) -> None:
        self._runs = runs

    def seconds(self, work: Callable[[], object]) -> float:
        """The median of so many runs, after one that does not count."""
        work()
        times = []
        for _ in range(self._runs):
            started = time.process_time()
            work()
            times.append(time.process_time() - started)
        return statistics.median(times)


def gate_all(log: list[bytes]) -> None:
    """The gate alone."""
    for update in log:
        check(update)


def receive_all(log: list[bytes]) -> None:
    """What a room does with each update before it shows it."""
    clocks = Clocks()
    for update in log:
        checked = check(update)
        if not clocks.adds_nothing(checked) and clocks.is_ready(checked):
            clocks.advance(checked)


def in_ticks(checked: list[Checked], size: int) -> list[list[Checked]]:
    """So many updates each."""
    rest = iter(checked)
    return list(iter(lambda: list(islice(rest, size)), []))


def merge_with_engine(tick: list[Checked]) -> bytes:
    """How pycrdt would do it: a tree of at most 16 a call, the result through the gate."""
    updates = [each.raw for each in tick]
    while len(updates) > 1:
        updates = [pycrdt.merge_updates(*updates[at : at + 16]) for at in range(0, len(updates), 16)]
    return check(updates[0]).raw


def yjs_bytes(log: list[bytes]) -> int:
    """What real yjs makes of the log."""
    from tests.crdt.oracle import Oracle

    with Oracle() as oracle:
        return len(oracle.load([log])[0].state)


def measure(name: str, log: list[bytes], runs: int, with_yjs: bool) -> Table:
    """One table for one log."""
    watch, count = Stopwatch(runs), len(log)
    table = Table(title=f"{name}: {count:,} updates, {sum(map(len, log)):,} bytes", title_justify="left")
    table.add_column("what")
    table.add_column("median", justify="right")

    def row(what: str, figure: str) -> None:
        table.add_row(what, figure)

    row("gate, per update", f"{watch.seconds(lambda: gate_all(log)) / count * 1e6:.2f} µs")
    row("gate and bookkeeping, per update", f"{watch.seconds(lambda: receive_all(log)) / count * 1e6:.2f} µs")
    checked = [check(update) for update in log[:20_000]]
    for size in TICK_SIZES:
        ticks = in_ticks(checked, size)
        ours = watch.seconds(lambda: [merge_tick(tick) for tick in ticks])  # noqa: B023
        theirs = watch.seconds(lambda: [merge_with_engine(tick) for tick in ticks])  # noqa: B023
        row(f"merge of ticks of {size}, per update", f"{ours / len(checked) * 1e6:.2f} µs")
        row("  … by pycrdt, the result through the gate", f"{theirs / len(checked) * 1e6:.2f} µs")
    state = fold(None, log)
    base = fold(None, log[:-TAIL])
    row("fold of all", f"{watch.seconds(lambda: fold(None, log)) * 1e3:.0f} ms")
    row("  … its verification", f"{watch.seconds(lambda: verify(state, None, log)) * 1e3:.0f} ms")
    row(f"fold of the state and {TAIL} updates", f"{watch.seconds(lambda: fold(base, log[-TAIL:])) * 1e3:.1f} ms")
    row("gate of the state", f"{watch.seconds(lambda: check(state)) * 1e3:.1f} ms")
    index = build(state)
    row("index of the state", f"{watch.seconds(lambda: build(state)) * 1e3:.1f} ms, {len(index):,} bytes")
    loaded = StateIndex.decode(index, state)
    row("clocks and deletions from the index", f"{watch.seconds(lambda: _load(index, state)) * 1e3:.2f} ms")
    behind = {client: clock - 1 for client, clock in loaded.clocks().items()}
    row("answer to a client one edit behind", f"{watch.seconds(lambda: diff(state, loaded, behind)) * 1e3:.2f} ms")
    row("folded state", f"{len(state):,} bytes")
    if with_yjs:
        row("  … yjs' own", f"{yjs_bytes(log):,} bytes")
    return table


def _load(index: bytes, state: bytes) -> Clocks:
    return Clocks.from_index(StateIndex.decode(index, state))


def main() -> None:
    """Measures what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=Path, metavar="TRACE")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--yjs", action="store_true", help="compare with the size of yjs' own state; needs npm once")
    asked = parser.parse_args()
    console = Console()
    if not asked.traces:
        txns = [{"patches": patches} for patches in generated(26_000)]
        console.print(measure("generated", log_of(txns), asked.runs, asked.yjs))
    for path in asked.traces:
        console.print(measure(path.name, log_of(recorded(path)), asked.runs, asked.yjs))


if __name__ == "__main__":
    main()
