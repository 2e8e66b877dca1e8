"""`uv run python -m loadtests.contrast`: REST polling against WebSockets, measured, and a report written."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from loadtests.contrast import report
from loadtests.contrast.archive import Archive
from loadtests.contrast.host import Host
from loadtests.contrast.origin import Origin
from loadtests.contrast.plan import FULL, QUICK, Pace, points, tls_points
from loadtests.contrast.script import Script
from loadtests.contrast.study import Study
from loadtests.fanout.machine import describe

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "loadtests" / "results"
TRACE = REPOSITORY / "tests" / "data" / "traces" / "tale.json"
DRAW = ["run", "--isolated", "--only-group", "bench", "python", "-m", "loadtests.contrast.plots"]
BUDGET_MIN = 10.0
GRID = ("kinds", "idle", "users", "edits", "interval", "size", "ratio")
SECTIONS = (*GRID, "restart", "memory", "tls", "crud", "security", "limit")
LONG_MIN = 20.0  # from here on windows are longer: steadier percentiles
RUNS_MIN = 8.0  # what the plan takes with its shortest windows, about


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.contrast", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="about a minute: one round, few points; convergence checked all the same")
    add("--budget", type=float, default=BUDGET_MIN, metavar="MINUTES", help=f"total time allowed ({BUDGET_MIN:.0f})")
    add("--users", type=int, nargs="+", default=[], metavar="N", help="points of this axis instead of the plan's")
    add("--edits", type=float, nargs="+", default=[], metavar="PER_S", help="edits a second and writer, likewise")
    add("--interval", type=float, nargs="+", default=[], metavar="S", help="poll intervals in seconds, likewise")
    add("--only", nargs="+", default=[], choices=SECTIONS, metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    add("--host", metavar="URL", help="study this running server instead; its processor and memory stay unknown")
    add("--token", help="bearer token for --host")
    add("--trace", default=str(TRACE), help="recorded typing (editing-traces format, one author; file or URL)")
    add("--output", type=Path, help="folder for report, plots and raw figures (loadtests/results)")
    add("--note", help="a sentence for the report's head, such as what else the machine was doing")
    add("--resume", action="store_true", help="keep what an earlier, cut-off study has measured already")
    add("--render-only", action="store_true", help="write the report again from the raw figures")
    add("--cores", type=int, nargs=2, default=_cores(), metavar=("SERVER", "PEOPLE"), help="cores to use")
    return parser.parse_args()


def _cores() -> tuple[int, int]:
    """The first two cores that this process may use; one is better than none."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]


def main() -> int:
    """Exit status: 0 if every run that was made counts, 1 if one is void."""
    options = arguments()
    folder = options.output or (RESULTS / "quick" if options.quick else RESULTS)
    archive = Archive(folder / "contrast.json", fresh=not (options.resume or options.render_only))
    if not options.render_only:
        measure(archive, options)
    render(archive, folder)
    for key, why in archive.voids():
        print(f"VOID {key}: {why}", file=sys.stderr)
    print(f"{len(archive.rows) - len(archive.voids())} runs converged, {len(archive.voids())} void; {folder}")
    return 1 if archive.voids() else 0


def measure(archive: Archive, options: argparse.Namespace) -> None:
    """Runs what is not in the archive yet."""
    began_s = time.monotonic()
    pace = QUICK if options.quick else FULL
    if options.budget >= LONG_MIN:
        pace = pace.scaled(min(3.0, options.budget / BUDGET_MIN))
    script = Script.record(options.trace)
    archive.facts.pop("skipped", None)
    before = f"{archive.facts['command']}\n" if archive.facts.get("command") else ""
    archive.facts |= {
        "started": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "command": before + command(),
        "pace": pace.name,
        "window_s": pace.window_s,
        "rounds": pace.rounds,
        "trace": script.name,
        "own_server": bool(options.host),
        "note": options.note or archive.facts.get("note", ""),
    }

    def say(line: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s  {line}", flush=True)

    with Study(archive, script, pace, began_s + 60 * options.budget, say, *options.cores) as study:
        if options.host:
            elsewhere(study, pace, options)
        else:
            here(study, pace, options)
    archive.facts["minutes"] = archive.facts.get("minutes", 0.0) * bool(options.resume)
    archive.facts["minutes"] += (time.monotonic() - began_s) / 60
    archive.save()


def here(study: Study, pace: Pace, options: argparse.Namespace) -> None:
    """Everything, on servers of our own. Each of the seven dimensions first, then the curves: the time may end."""
    wanted = set(options.only or SECTIONS)
    grid = [p for p in points(pace, options.users, options.edits, options.interval) if p.section in wanted]
    middle = [point for point in grid if point.section in ("kinds", "idle")]
    secured = [point for point in tls_points(pace) if "tls" in wanted]
    plain_core = options.cores[0]
    with Host(plain_core) as host:
        study.weigh_idle(host.pid)
        study.curves(middle, host.origin, host.pid)
        if "crud" in wanted:
            study.crud(host.origin, host.pid)
        if "security" in wanted:
            study.security()
        study.curves([p for p in secured if not p.shape.tls], host.origin, host.pid)
        if secured:
            with Host(plain_core, tls=True) as https:
                study.curves([p for p in secured if p.shape.tls], https.origin, https.pid)
        if "restart" in wanted:
            study.restarts()
        if "memory" in wanted:
            study.memory()
        study.curves([p for p in grid if p not in middle], host.origin, host.pid)
        if "limit" in wanted:
            study.limits(host.origin, host.pid)


def elsewhere(study: Study, pace: Pace, options: argparse.Namespace) -> None:
    """What can be seen from outside of somebody's own server."""
    origin = Origin(options.host.rstrip("/"), token=options.token)
    study.curves(points(pace, options.users, options.edits, options.interval), origin, None)
    study.crud(origin, None)


def command() -> str:
    """As it was given, for the report, without the folders of this machine."""
    given = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return shlex.join(["uv", "run", "python", "-m", "loadtests.contrast", *given])


def render(archive: Archive, folder: Path) -> None:
    """Plots first, so that the report can show those that are there."""
    uv = shutil.which("uv")
    if uv is None:
        print("uv is not on PATH: no plots", file=sys.stderr)
    else:
        subprocess.run([uv, *DRAW, str(archive.path)], cwd=REPOSITORY, check=False)
    report.write(archive, folder)


if __name__ == "__main__":
    sys.exit(main())
