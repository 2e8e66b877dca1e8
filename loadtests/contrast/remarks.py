"""What else the figures say: where they differ from what one reads, and what the generator itself costs."""

from __future__ import annotations

from loadtests.contrast.archive import Archive
from loadtests.contrast.blocks import Block, Heading, Text
from loadtests.contrast.medians import by_kind
from loadtests.contrast.model import Costs
from loadtests.contrast.result import GENERATOR_SHARE_MAX, LATE_MS_MAX, generator_bound
from loadtests.contrast.shape import KINDS, POLLING, TITLES

TELLING = 0.4  # an empty poll that costs less of a full one than this would surprise nobody


def surprises(archive: Archive) -> list[Block]:
    """Where the figures differ from the textbook's."""
    told = [*_empty_polls(archive), *_fast_typing(archive)]
    return [Heading(2, "A surprise, explained"), *map(Text, told)] if told else []


def _empty_polls(archive: Archive) -> list[str]:
    costs = Costs.of(archive)
    for kind in reversed(POLLING):
        units, wire = costs.cpu[kind].units, costs.wire[kind].units
        empty, full = units["empty poll"], units["answered poll"]
        if empty > TELLING * full > 0 and wire["answered poll"]:
            saved = 1 - wire["empty poll"] / wire["answered poll"]
            return [
                "**“Nothing new” is not cheap.** A conditional request is said to cost almost nothing when nothing has "
                f"changed. On the wire it saves what it promises ({TITLES[kind]}: {100 * saved:.0f} % of the bytes); "
                f"of the processor an empty poll takes {1e6 * empty:,.0f} µs and one with news {1e6 * full:,.0f} µs. "
                "Most of a poll is reading the request, routing it, judging the caller and looking one number up; the "
                "state itself is only copied out of memory. So asking less often helps, and 304 helps the network, not "
                "the server."
            ]
    return []


def _fast_typing(archive: Archive) -> list[str]:
    rates: dict[str, dict[float, float]] = {"diff": {}, "socket": {}}
    for row in archive.section("edits"):
        if row["shape"]["kind"] in rates and row["edits_s"]:
            rates[row["shape"]["kind"]][row["shape"]["edits_s"]] = 1000 * row["cpu_s_per_1k"]
    polling, socket = rates["diff"], rates["socket"]
    if len(polling) < 2 or len(socket) < 2:
        return []
    slow, fast = min(polling), max(polling)
    return [
        "**The faster people type, the cheaper polling gets.** Sockets are said to be for fast streams and polling for "
        f"rare news. From {slow:g} to {fast:g} edits a second and writer the server's cost of a delivered edit fell "
        f"from {polling[slow]:,.0f} to {polling[fast]:,.0f} µs for differential polls, a factor of "
        f"{polling[slow] / max(polling[fast], 1e-9):,.0f}, because one answer carries all edits since the last; for "
        f"sockets from {socket[min(socket)]:,.0f} to {socket[max(socket)]:,.0f} µs. Rare news is where "
        "polls cost most per edit, since nearly all of them find nothing; what a socket buys is freshness."
    ]


def generator_note(archive: Archive) -> list[Block]:
    """What the people of the study cost themselves, and where that may be the limit."""
    rows = by_kind(archive, "kinds")
    told = [
        f"{TITLES[kind]} {1e6 * rows[kind]['generator_share'] / rows[kind]['deliveries_s']:,.0f} µs"
        for kind in KINDS
        if kind in rows and rows[kind]["deliveries_s"]
    ]
    measured = {key: row for key, row in archive.rows.items() if "late_ms" in row}
    if not told:
        return []
    busiest = max(float(row["generator_share"]) for row in measured.values())
    bound = sorted({f"`{key.rsplit('/', 1)[0]}`" for key, row in measured.items() if generator_bound(row)})
    return [
        Heading(2, "What the generator itself costs"),
        Text(
            "Each person holds a real CRDT replica and merges every edit; their processor time per delivered edit in "
            f"the middle of the grid: {', '.join(told)}. The busiest run used {100 * busiest:.0f} % of the generator's "
            "core. Latency is measured by a second, quiet process on the same core that is scheduled first; where the "
            f"load's own typists were more than {LATE_MS_MAX:.0f} ms late (p95), or its core more than "
            f"{100 * GENERATOR_SHARE_MAX:.0f} % busy, the generator may be the limit: {'; '.join(bound) or 'nowhere'}."
        ),
    ]
