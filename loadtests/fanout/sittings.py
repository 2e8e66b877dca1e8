"""Which figures were taken in which sitting: what was measured at another time is marked, not mixed in silently."""

from __future__ import annotations

from typing import Any

from loadtests.fanout.peers import COLLAB, PEERS

Results = dict[str, Any]
MARK = "†"
OLD = "‡"


def apart(results: Results, what: str) -> bool:
    """Whether a goal's figure of ours and one of its peers' come from different sittings of this machine."""
    taken: dict[str, list[int]] = results.get("taken", {}).get(_title(results, what), {})
    ours = set(taken.get(COLLAB.name, ()))
    return bool(ours) and any(set(theirs) != ours for theirs in taken.values())


def outdated(results: Results, what: str, server: str) -> bool:
    """Whether a goal's figure of a server is of what it was before its newest change."""
    return [_title(results, what), server] in results.get("outdated", [])


def _title(results: Results, what: str) -> str:
    """The title under which the figure of a goal was noted."""
    letter = what[:1]
    if "hump" in what:
        return f"{letter} hump at 0%"
    if "highest deliveries" in what or "20k/s" in what:
        return f"{letter} highest" if "highest" in what else f"{letter} at 20k/s"
    titles = results.get("taken", {})
    return next((title for title in titles if title.startswith(f"{letter} ")), "")


def told(results: Results) -> list[str]:
    """The sittings, and a table of who was measured in which; nothing if there was but one."""
    sittings, taken = results["sittings"], results.get("taken", {})
    if len(sittings) < 2 or not taken:
        return []
    servers = [name for name in PEERS if any(name in row for row in taken.values())]
    lines = ["## Sittings", "", f"A ratio with {MARK} holds figures of different sittings on this machine."]
    if results.get("outdated"):
        lines.append(f"A figure with {OLD} was taken before the server's newest changes, and not again since.")
    lines.append("")
    for number, each in enumerate(sittings, 1):
        priority = each.get("machine", {}).get("priority", "")
        lines.append(f"{number}. {each['started']}, {each['minutes']:.0f} min{f' ({priority})' if priority else ''}")
    lines += ["", "| taken in sitting | " + " | ".join(servers) + " |", "| --- |" + " ---: |" * len(servers)]
    for title in sorted(taken):
        lines.append(f"| {title} | " + " | ".join(_numbers(results, title, name) for name in servers) + " |")
    return lines


def _numbers(results: Results, title: str, server: str) -> str:
    numbers = ", ".join(map(str, results["taken"][title].get(server, [])))
    return f"{numbers} {OLD}" if [title, server] in results.get("outdated", []) else numbers
