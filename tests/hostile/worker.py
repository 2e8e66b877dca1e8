"""One fuzzing process: bounded in CPU time and memory, it may die, and what killed it is on record.

Run as `python -m tests.hostile.worker TARGET SEED FIRST COUNT RECORD`; prints one JSON line at the end. Before each
case its number goes into the file RECORD, so that the parent knows which one a dead worker was at.
"""

from __future__ import annotations

import json
import mmap
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType

from collab.errors import CollabError
from tests.hostile.cases import liar_of, make
from tests.hostile.faults import FAULTS
from tests.hostile.targets import TARGETS

MEMORY_BYTES = 512 * 1024 * 1024  # of address space; an idle worker has some 100 MB
CASE_CPU_S = 2.0  # honest cases of this size take milliseconds; the clock is the process's own, not the wall's
FINDINGS_MAX = 20


class TooSlow(BaseException):
    """The case has used up its CPU time. No Exception, so that no handler on the way takes it for something else."""


def _too_slow(signum: int, at: FrameType | None) -> None:
    raise TooSlow


def run(target: str, seed: int, first: int, count: int, record: Path) -> dict[str, object]:
    """Runs the cases and tells what came of them."""
    attack, grammar = TARGETS[target] if target in TARGETS else FAULTS[target][:2]
    outcomes: Counter[str] = Counter()
    findings: list[dict[str, object]] = []
    slowest = (0.0, -1)
    signal.signal(signal.SIGVTALRM, _too_slow)
    with record.open("r+b") as file, mmap.mmap(file.fileno(), 8) as at:
        for number in range(first, first + count):
            at[:8] = number.to_bytes(8, "little")
            liar = liar_of(seed, target, number)
            data = make(liar, grammar)
            started = time.process_time()
            signal.setitimer(signal.ITIMER_VIRTUAL, CASE_CPU_S)
            try:
                outcomes["taken" if attack(liar, data) else "empty"] += 1
            except CollabError as error:
                outcomes[error.code] += 1
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # TooSlow, and panics of the engine, are no Exceptions
                outcomes["found"] += 1
                where = traceback.format_exception(error)[-3:]
                findings.append({"number": number, "what": f"{type(error).__name__}: {error}"[:300], "where": where})
                if len(findings) == FINDINGS_MAX:
                    break
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
            slowest = max(slowest, (time.process_time() - started, number))
    told = {"slowest_ms": slowest[0] * 1000, "slowest": slowest[1], "peak_mib": peak_mib()}
    return {"outcomes": outcomes, "findings": findings, **told}


def peak_mib() -> int:
    """The most memory this process had at once. `ru_maxrss` would tell the parent's, from before the exec."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    """The process."""
    target, seed, first, count, record = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps(run(target, int(seed), int(first), int(count), Path(record))))


if __name__ == "__main__":
    main()
