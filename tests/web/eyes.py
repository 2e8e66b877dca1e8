"""What a screen reader, a keyboard and axe-core find on a page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page

GRAVE = ("serious", "critical")
ALL_LOOKS: tuple[tuple[str, int], ...] = (("light", 1100), ("dark", 1100), ("light", 360), ("dark", 360))
# Two of the four find nearly all: whatever is hidden on a phone has its colors from what is not.
LOOKS = ALL_LOOKS if os.environ.get("COLLAB_ALL_LOOKS") else ALL_LOOKS[::3]
NAMED = frozenset(
    "button link textbox searchbox combobox checkbox radio slider menuitem tab dialog img listbox option region".split()
)
AXE_RUN = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.map((found) => ({
  id: found.id, impact: found.impact, help: found.help,
  nodes: found.nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
}))"""
SETTLED = """() => {
  for (const moving of document.getAnimations()) if (moving.effect.getTiming().iterations !== Infinity) moving.finish()
  return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))
}"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOCUSED = """() => {
  const at = document.activeElement
  if (!at || at === document.body) return null
  const style = getComputedStyle(at)
  const ring = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || at.matches('.sheet')
  const after = getComputedStyle(at, '::after')
  const box = at.getBoundingClientRect()
  return {
    name: at.getAttribute('aria-label') || at.labels?.[0]?.innerText.trim() || at.innerText?.trim() || at.tagName,
    ring: ring || (after.outlineStyle !== 'none' && parseFloat(after.outlineWidth) > 0),
    seen: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    inside: !document.querySelector('dialog[open]') || !!at.closest('dialog[open]'),
  }
}"""


def faults(page: Page, axe: str, what: str) -> list[str]:
    """What axe-core finds grave, and what is wider than the window, in the light and the dark, wide and on a phone."""
    before = page.viewport_size
    found = []
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 740})
        page.evaluate(SETTLED)
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(axe)  # not as a script element: the Content-Security-Policy takes none
        where = f"{what}, {scheme}, {width} px"
        found += [f"{where}: {told}" for told in _grave(page.evaluate(AXE_RUN))]
        if (excess := page.evaluate(WIDE)) > 0:
            found.append(f"{where}: {excess} px wider than the window")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before or {"width": 1100, "height": 760})
    return found + [f"{what}: {told}" for told in unnamed(page)]


def _grave(violations: list[dict[str, Any]]) -> Iterator[str]:
    for found in violations:
        if found["impact"] in GRAVE:
            yield f"{found['impact']} {found['id']}: {found['help']}\n  " + "\n  ".join(found["nodes"][:5])


def tree(page: Page) -> list[tuple[str, str]]:
    """(role, name) of everything in Chromium's own accessibility tree, in order."""
    session = page.context.new_cdp_session(page)
    try:
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    finally:
        session.detach()
    return [
        (node["role"]["value"], str(node.get("name", {}).get("value", "")).strip())
        for node in nodes
        if not node["ignored"] and "role" in node
    ]


def unnamed(page: Page) -> list[str]:
    """Roles of what can be operated, or stands for something, and has no name."""
    return [f"a {role} has no name" for role, name in tree(page) if role in NAMED and not name]


def tab_through(page: Page, stops: int, key: str = "Tab") -> list[str]:
    """Names of what Tab reaches, in order. AssertionError for a stop that cannot be seen, or outside an open dialog."""
    names = []
    for _ in range(stops):
        page.keyboard.press(key)
        at = page.evaluate(FOCUSED)
        if at is not None:
            assert at["ring"] and at["seen"], f"the focus cannot be seen at {at['name']!r}"
            assert at["inside"], f"the focus has left the dialog for {at['name']!r}"
            names.append(str(at["name"]))
    return names
