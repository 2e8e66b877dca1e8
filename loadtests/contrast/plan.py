"""The grid, thinned out: one middle, and one curve through it along each axis. In order of importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtests.contrast.shape import KINDS, POLLING, Shape


@dataclass(frozen=True)
class Pace:
    """How thorough a study is. `rounds` of the middle, of the curves one run each."""

    name: str
    rounds: int
    window_s: float
    users: tuple[int, ...]
    edits_s: tuple[float, ...]
    intervals_s: tuple[float, ...]
    sizes_bytes: tuple[int, ...]
    memory_users: int
    restart_users: int
    tries: int  # of the search for the highest load

    def scaled(self, factor: float) -> Pace:
        """With longer windows."""
        return replace(self, window_s=self.window_s * factor)


FULL = Pace(
    name="full",
    rounds=3,
    window_s=4.0,
    users=(10, 500, 2_000),
    edits_s=(0.1, 3.0, 10.0),
    intervals_s=(0.2, 5.0, 10.0),
    sizes_bytes=(1_024, 131_072, 1_048_576),
    memory_users=1_000,
    restart_users=200,
    tries=4,
)
QUICK = Pace(
    name="quick",
    rounds=1,
    window_s=2.0,
    users=(),
    edits_s=(),
    intervals_s=(),
    sizes_bytes=(),
    memory_users=0,
    restart_users=40,
    tries=0,
)
MIDDLE = Shape("socket")
QUICK_MIDDLE = Shape("socket", users=40, edits_s=1.0)
NEVER = 1e-9  # edits a second
IDLE_USERS = 600
FEW = 20  # users of the largest documents: each holds a copy, and the generator makes them all


@dataclass(frozen=True)
class Point:
    """One run of the plan; `rounds` of it share a name."""

    section: str
    shape: Shape
    round: int = 0

    @property
    def key(self) -> str:
        """Where its figures are kept."""
        return f"{self.section}/{self.shape.name()}/{self.round}"


def middle_of(pace: Pace) -> Shape:
    """The point through which all curves go."""
    return QUICK_MIDDLE if pace.name == "quick" else MIDDLE


def points(
    pace: Pace, users: Sequence[int] = (), edits_s: Sequence[float] = (), intervals_s: Sequence[float] = ()
) -> list[Point]:
    """All runs on the plain server. What is given replaces the plan's own values of that axis."""
    middle = middle_of(pace)
    found = [Point("kinds", replace(middle, kind=kind), turn) for turn in range(pace.rounds) for kind in KINDS]
    if pace.name == "quick" and not (users or edits_s or intervals_s):
        return found
    found += [Point("idle", replace(idle_shape(middle, kind), edits_s=NEVER)) for kind in KINDS]
    found += _along("users", [_sized(middle, count) for count in users or pace.users])
    found += _along("edits", [replace(middle, edits_s=rate) for rate in edits_s or pace.edits_s])
    found += _along("interval", [replace(middle, interval_s=each) for each in intervals_s or pace.intervals_s], POLLING)
    few = replace(middle, users=FEW)
    found += _along("size", [replace(few, document_bytes=size) for size in pace.sizes_bytes])
    found += _along("ratio", ratios(middle))
    return found


def idle_shape(middle: Shape, kind: str) -> Shape:
    """Nobody types. Held connections cost so little that it takes many to see it; polls are seen at once."""
    held = kind not in POLLING
    return replace(middle, kind=kind, users=IDLE_USERS if held else middle.users)


def ratios(middle: Shape) -> list[Shape]:
    """Readers to writers of 1:1, 10:1 and 100:1: about as many people, and as many edits in each document."""
    seen_s = middle.writers * middle.edits_s
    return [
        replace(middle, members=members, writers=1, edits_s=seen_s, users=members * max(1, middle.users // members))
        for members in (2, 11, 101)
    ]


def tls_points(pace: Pace) -> list[Point]:
    """The same people with and without TLS, on kept connections and on new ones for each request."""
    middle = middle_of(pace)
    found = []
    for tls in (False, True):
        for kind, kept in (("socket", True), ("diff", True), ("diff", False))[: 3 if pace.name == "full" else tls]:
            found.append(Point("tls", replace(middle, kind=kind, kept=kept, tls=tls)))
    return found


def _along(section: str, shapes: Sequence[Shape], kinds: Sequence[str] = KINDS) -> list[Point]:
    return [Point(section, replace(shape, kind=kind)) for shape in shapes for kind in kinds]


def _sized(middle: Shape, users: int) -> Shape:
    members = min(middle.members, users)
    return replace(middle, users=users // members * members, members=members, writers=min(middle.writers, members))
