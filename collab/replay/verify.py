"""Whether a document still holds a trace's end: for after a crash, a restart, a restore."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
from pycrdt import Doc

from collab.replay.address import Address
from collab.replay.peer import Peer
from collab.replay.poller import Poller, refuse
from collab.replay.report import Check, Report, check
from collab.replay.session import beside, text_of
from collab.replay.trace import Trace

SYNC_S_MAX = 60.0


async def verify(trace: Trace, address: Address, root: str) -> Report:
    """Asks a fresh socket client, a fresh REST client and every snapshot. Raises CollabError if one is refused."""
    report = Report(trace.name, address.document)
    async with httpx2.AsyncClient(headers=address.headers, timeout=SYNC_S_MAX) as http:
        poller = Poller(http, address, lambda: None)
        await poller.poll()
        report.checks = [
            check("newcomer (socket)", text_of(await _join(address), root), trace.end),
            check("newcomer (REST)", text_of(poller.doc, root), trace.end),
            *await _snapshots(http, address, root, trace.end),
        ]
    return report


async def _join(address: Address) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    news = asyncio.Event()
    peer = Peer(address, doc, doc.apply_update, news.set)

    async def synced() -> None:
        async with asyncio.timeout(SYNC_S_MAX):
            while not peer.synced:
                await news.wait()
                news.clear()

    await beside(synced(), [peer.run()])
    return doc


async def _snapshots(http: httpx2.AsyncClient, address: Address, root: str, end: str) -> list[Check]:
    answer = await http.get(f"{address.rest}/snapshots", params={"limit": 10})
    if not answer.is_success:
        refuse(answer)
    checks = []
    for snapshot in answer.json()["items"]:
        state = await http.get(f"{address.rest}/snapshots/{snapshot['id']}/state")
        if not state.is_success:
            refuse(state)
        doc: Doc[Any] = Doc()
        doc.apply_update(state.content)
        checks.append(check(f"snapshot “{snapshot['label']}”", text_of(doc, root), end))
    return checks
