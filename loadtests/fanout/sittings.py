"""Which figures were taken in which sitting: what was measured at another time is marked, not mixed in silently."""

from __future__ import annotations

from typing import Any

from loadtests.fanout.peers import COLLAB, PEERS

Results = dict[str, Any]
MARK = "†"


def apart(results: Results, what: str) -> bool:
    """Whether a goal's figure of ours and one of its peers' come from different sittings of this machine."""
    taken: dict[str, list[int]] = results.get("taken", {}).get(_title(results, what), {})
    ours = set(taken.get(COLLAB.name, ()))
    return bool(ours) and any(set(theirs) != ours for theirs in taken.values())


def _title(results: Results, what: str) -> str:
    """The title under which the figure of a goal was noted."""
    letter = what[:1]
    if "highest deliveries" in what or "20k/s" in what:
        return f"{letter} highest" if "highest" in what else f"{letter} at 20k/s"
    titles = results.get("taken", {})
    return next((title for title in titles if title.startswith(f"{letter} ") and "hump" not in title), "")


def told(results: Results) -> list[str]:
    """The sittings, and a table of who was measured in which; nothing if there was but one."""
    sittings, taken = results["sittings"], results.get("taken", {})
    if len(sittings) < 2 or not taken:
        return []
    servers = [name for name in PEERS if any(name in row for row in taken.values())]
    lines = ["## Sittings", "", f"A ratio with {MARK} holds figures of different sittings on this machine.", ""]
    for number, each in enumerate(sittings, 1):
        priority = each.get("machine", {}).get("priority", "")
        lines.append(f"{number}. {each['started']}, {each['minutes']:.0f} min{f' ({priority})' if priority else ''}")
    lines += ["", "| taken in sitting | " + " | ".join(servers) + " |", "| --- |" + " ---: |" * len(servers)]
    for title, row in sorted(taken.items()):
        lines.append(f"| {title} | " + " | ".join(", ".join(map(str, row.get(name, []))) for name in servers) + " |")
    return lines
