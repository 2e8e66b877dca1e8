"""The page's snippet of docs/access.md, run by Node as it stands there but for its addresses."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.access.realm import Realm

ROOT = Path(__file__).parent.parent.parent
HEAD = """
import * as Y from 'yjs'
const { WebsocketProvider } = await import('y-websocket-3')
const over = globalThis.fetch
const fetch = (_, options) => over(%(tickets)s, {
  ...options,
  headers: { authorization: %(bearer)s, 'content-type': 'application/json' },
  body: JSON.stringify({ user: { id: 'visitor' } })
})
"""
TAIL = """
provider.on('sync', (isSynced) => { if (isSynced) console.log('synced ' + provider.params.ticket) })
provider.on('connection-close', (event) => console.log('closed ' + event?.code))
"""


def script(land: Realm) -> str:
    page = (ROOT / "docs" / "access.md").read_text()
    found = re.search(r"<script type=\"module\">\n(.*?)</script>", page, re.DOTALL)
    assert found is not None
    body = re.sub(r"^ *import .*$", "", found[1], flags=re.MULTILINE)
    body = body.replace("wss://collab.example.com/sync", land.server.socket_url)
    tickets = f"{land.server.url}/api/documents/notes/tickets"
    words = {"tickets": json.dumps(tickets), "bearer": json.dumps(land.as_("admin")["authorization"])}
    return HEAD % words + body.replace("  await open()", TAIL + "  await open()")


def test_each_connection_has_a_ticket_of_its_own(land: Realm, node: Path) -> None:
    """It comes back with a fresh one after its permission was taken back (and given again), and knows its last word."""
    command = [node, "--input-type=module", "-e", script(land)]
    process = subprocess.Popen(command, cwd=ROOT / "tests" / "node", stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline().split()
        assert first[0] == "synced" and first[1].startswith("ct_")
        revoked = land.ask("admin", "POST", "/api/sessions/revoke", json={"user": "visitor"})
        told_ended = revoked.json()["ended"]  # the socket may be on another node, which reads the revocation
        assert told_ended == 1 or (told_ended == 0 and len(land.server.servers) > 1)
        assert process.stdout.readline().split() == ["closed", "4401"]
        second = process.stdout.readline().split()
        assert second[0] == "synced" and second[1] != first[1]
    finally:
        process.kill()
        process.communicate()
