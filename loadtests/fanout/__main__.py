"""`uv run python -m loadtests.fanout --peers all`: measures our server and its peers, writes table and plots."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadtests.fanout import report
from loadtests.fanout.bench import Bench
from loadtests.fanout.cache import cache_folder
from loadtests.fanout.campaign import Campaign
from loadtests.fanout.compiler import NoCompiler, generator
from loadtests.fanout.machine import describe
from loadtests.fanout.notebook import MINUTE, Notebook
from loadtests.fanout.peers import COLLAB, PEERS, REPOSITORY, Unavailable, builds
from loadtests.fanout.reach import verdicts
from loadtests.fanout.scenarios import PACES, QUICK, Pace, pace_for
from loadtests.fanout.sections import SECTIONS

RESULTS = REPOSITORY / "loadtests" / "results"
DRAW = ["run", "--isolated", "--only-group", "bench", "python", "-m", "loadtests.fanout.plots"]
BUDGET_MIN = 100.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.fanout", description=__doc__)
    add = parser.add_argument
    add("--peers", default="all", help=f"all, none, or some of {','.join(PEERS)}; collab always runs")
    add("--without-collab", action="store_true", help="measure the peers alone")
    add("--only", default="", metavar="PARTS", help=f"some of {','.join(SECTIONS)}")
    add("--pace", choices=[pace.name for pace in PACES], help="how thoroughly (the most that fits the budget)")
    add("--quick", action="store_const", const="quick", dest="pace", help="the same as --pace quick")
    add("--budget", type=float, metavar="MINUTES", help=f"time allowed for this sitting ({BUDGET_MIN:.0f})")
    add("--resume", action="store_true", help="go on where the last sitting at this pace ended")
    add("--cores", default="", metavar="SERVER,GENERATOR", help="cores to pin to (the first two)")
    add("--out", type=Path, help="folder for the results (loadtests/results; its quick/ for --quick)")
    return parser.parse_args()


def chosen(arguments: argparse.Namespace) -> list[str]:
    """Names of the servers to measure, ours first. Exits with a message for an unknown server or part."""
    wanted = {"all": list(PEERS), "none": []}.get(arguments.peers, arguments.peers.split(","))
    unknown = [name for name in wanted if name not in PEERS]
    if unknown:
        sys.exit(f"unknown peer {unknown[0]}; there are {', '.join(PEERS)}")
    missing = [name for name in arguments.only.split(",") if name and name not in SECTIONS]
    if missing:
        sys.exit(f"unknown part {missing[0]}; there are {', '.join(SECTIONS)}")
    return [
        name
        for name in PEERS
        if (name in wanted or name == COLLAB.name) and not (name == COLLAB.name and arguments.without_collab)
    ]


def cores(text: str) -> tuple[int, int]:
    """The core of the servers and the core of the generator. Exits if there are not two."""
    mine = [int(part) for part in text.split(",")] if text else sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        sys.exit("two processor cores are needed: one for the server, one for the generator")
    return mine[0], mine[1]


def prepare(names: list[str], pinned: tuple[int, int], stack: ExitStack, missing: dict[str, str]) -> dict[str, Bench]:
    """Installs the servers; each starts when its turn comes. Those that cannot be had are named in `missing`."""
    program, benches = generator(), dict[str, Bench]()
    for name in names:
        say(f"preparing {name}")
        try:
            benches[name] = Bench(PEERS[name], program, *pinned)
        except (Unavailable, OSError) as error:
            missing[name] = str(error)
            say(f"{name}: left out: {error}")
            continue
        stack.callback(benches[name].stop)
    return benches


def say(line: str) -> None:
    """One line of progress with the time since the start."""
    print(f"[{(time.monotonic() - BEGAN_S) / 60:5.1f} min] {line}", flush=True)


def measure_sections(campaign: Campaign, wanted: Sequence[str]) -> None:
    """Part by part until the time is up, or until somebody presses Ctrl-C: what is there then still counts.

    Parts that are not wanted now tell what earlier sittings found.
    """
    interrupted = False
    for name, section in SECTIONS.items():
        campaign.measuring = name in wanted and not interrupted
        try:
            section(campaign)
        except KeyboardInterrupt:
            interrupted, campaign.measuring = True, False
            campaign.skip("the rest (interrupted)")
            section(campaign)


def run(arguments: argparse.Namespace, pace: Pace, names: list[str], budget_min: float, out: Path) -> dict[str, Any]:
    """Measures and returns the results as they are published."""
    began, missing = datetime.now(UTC), dict[str, str]()
    book = Notebook.opened(out / f"pieces-{pace.name}.jsonl", builds(), arguments.resume)
    with ExitStack() as stack:
        benches = prepare(names, cores(arguments.cores), stack, missing)
        before = {server for _, server, _ in (*book.pieces, *book.old)}
        asleep = [name for name in PEERS if name in before and name not in benches]
        campaign = Campaign(benches, pace, BEGAN_S + 60 * budget_min, say, book, asleep)
        measure_sections(campaign, arguments.only.split(",") if arguments.only else list(SECTIONS))
    book.sat(
        {
            "started": began.strftime(MINUTE),
            "minutes": (time.monotonic() - BEGAN_S) / 60,
            "command": command(arguments),
            "machine": describe(),
        }
    )
    return published(campaign, missing)


def published(campaign: Campaign, missing: dict[str, str]) -> dict[str, Any]:
    """The results of all sittings, without the paths of this machine."""
    hide, book = [cache_folder(), REPOSITORY, Path.home()], campaign.book
    last = book.sittings[-1]
    return {
        "machine": last["machine"],
        "command": last["command"] if len(book.sittings) == 1 else whole(campaign.pace),
        "started": book.sittings[0]["started"],
        "ended": datetime.now(UTC).strftime(MINUTE),
        "minutes": sum(sitting["minutes"] for sitting in book.sittings),
        "sittings": book.sittings,
        "taken": book.taken(),
        "outdated": sorted(map(list, book.outdated())),
        "pace": asdict(campaign.pace),
        "servers": {n: {"title": PEERS[n].title, "durable": PEERS[n].durable} for n in PEERS if n in campaign.names},
        "unavailable": {name: report.scrubbed(why, hide) for name, why in missing.items()},
        "failures": [report.scrubbed(failure, hide) for failure in campaign.failures],
        "skipped": campaign.skipped,
        **campaign.results,
    }


def command(arguments: argparse.Namespace) -> str:
    """What to type to take the figures again; without the place where these were written."""
    place = str(arguments.out) if arguments.out else ""
    words = [word for word in sys.argv[1:] if word not in ("--out", place, f"--out={place}")]
    return shlex.join(["uv", "run", "python", "-m", "loadtests.fanout", *words])


def whole(pace: Pace) -> str:
    """The command for all of it at once."""
    return f"uv run python -m loadtests.fanout --peers all --pace {pace.name}"


def draw(folder: Path) -> None:
    """Draws the plots in a child, in an environment of their own; says what to do if that cannot be."""
    uv = shutil.which("uv")
    command = [uv or "uv", *DRAW, str(folder / "fanout.json")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True) if uv else None
    if done is None or done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] if done else ["uv is not on PATH"]
        say(f"no plots ({' '.join(reason)}); draw them later with: {shlex.join(['uv', *command[1:]])}")


def main() -> None:
    """Runs the benchmark."""
    told = arguments()
    names = chosen(told)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers end and their data goes
    budget_min = told.budget or BUDGET_MIN
    pace = next((pace for pace in PACES if pace.name == told.pace), None) or pace_for(budget_min, len(names))
    out = told.out or (RESULTS if pace is not QUICK else RESULTS / "quick")
    about_min = pace.minutes_per_server * len(names)
    say(f"pace {pace.name}: all of it takes about {about_min:.0f} minutes; this sitting at most {budget_min:.0f}")
    try:
        results = run(told, pace, names, budget_min, out)
    except NoCompiler as error:
        sys.exit(str(error))
    report.write(results, out)
    draw(out)
    report.write(results, out)
    for verdict in verdicts(results):
        say(f"{verdict.what}: {verdict.ours} against {verdict.best}: reached: {verdict.reached}")
    say(f"written to {out.relative_to(REPOSITORY) if out.is_relative_to(REPOSITORY) else out}")
    if rest := results["skipped"]:
        say(f"not measured yet: {', '.join(rest)}; go on with --resume --pace {pace.name}")


BEGAN_S = time.monotonic()

if __name__ == "__main__":
    main()
