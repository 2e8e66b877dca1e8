"""Part three of the report: from unit costs to crowds that no machine here can hold, with the arithmetic shown."""

from __future__ import annotations

from loadtests.contrast.archive import Archive
from loadtests.contrast.blocks import Block, Code, Heading, Table, Text
from loadtests.contrast.dimensions import number
from loadtests.contrast.model import KEPT_S, Costs, Load, happening
from loadtests.contrast.shape import KINDS, TITLES

PEOPLE = (10_000, 100_000, 1_000_000)
FILL = 0.6  # of a core that is planned to be used; the rest is for peaks
CROWDS = (
    ("a working day: one edit seen in 10 s, one of one's own in 50 s, polls every 5 s", Load(0.1, 0.02, 5.0)),
    ("readers of a page: one edit seen in 10 minutes, none of one's own, polls every 60 s", Load(1 / 600, 0.0, 60.0)),
)
CONNECTIONS = {"socket": 1.0, "events": 2.0, "longpoll": 1.0}


def scale(archive: Archive) -> list[Block]:
    """A table for each crowd."""
    costs = Costs.of(archive)
    if not costs.cpu["socket"].runs or not costs.cpu["diff"].runs:
        return []
    blocks: list[Block] = [
        Heading(2, "3. Scale on paper"),
        Text(
            "Unit costs as fitted above, times how often each thing happens. Cores are this machine's, filled to "
            f"{100 * FILL:.0f} %; memory is what people add, without documents; bandwidth is both directions. Many "
            "nodes also pay for the bus between them, which is not in these figures."
        ),
    ]
    for title, load in CROWDS:
        blocks += [Heading(3, title[0].upper() + title[1:]), _table(costs, load), Code(_arithmetic(costs, load))]
    return blocks


def _connections(kind: str, load: Load) -> float:
    return CONNECTIONS.get(kind, min(1.0, KEPT_S / load.interval_s))


def _table(costs: Costs, load: Load) -> Table:
    rows = [
        (
            f"{people:,}",
            TITLES[kind],
            number(people * costs.cpu_share(kind, load) / FILL),
            number(people * costs.memory_bytes(kind, load) / 2**30) if any(costs.memory.values()) else "not measured",
            number(8 * people * costs.wire_bytes_s(kind, load) / 1e6),
            f"{people * _connections(kind, load):,.0f}",
        )
        for people in PEOPLE
        for kind in KINDS
    ]
    return Table(("people", "kind", "cores", "GiB", "Mbit/s", "connections held"), rows, left=2)


def _arithmetic(costs: Costs, load: Load) -> str:
    lines = []
    for kind in KINDS:
        events = happening(kind, load)
        terms = [
            f"{number(events[name])}/s x {number(1e6 * unit)} us ({name})"
            for name, unit in costs.cpu[kind].units.items()
            if unit and events[name]
        ]
        total = costs.cpu_share(kind, load)
        told = " + ".join(terms) or "nothing measurable"
        lines.append(
            f"{TITLES[kind]}: {told} = {number(1e6 * total)} us a second and person; "
            f"x {PEOPLE[0]:,} / {FILL} = {number(PEOPLE[0] * total / FILL)} cores"
        )
    return "\n".join(lines)
