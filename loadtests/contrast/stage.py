"""Documents for a run, made by REST before it, and read again after it to see what the server holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from pycrdt import Doc, Text

from loadtests.contrast.host import client
from loadtests.contrast.origin import Origin, document_path
from loadtests.contrast.replica import BACKDROP, digest_of, roots, section
from loadtests.contrast.script import Script

OCTETS = {"content-type": "application/octet-stream"}
TYPED_AT_ONCE = 8  # recorded transactions to one of the backdrop: a document is reworked in bursts, not typed flat


class NotPrepared(Exception):
    """The server did not take the documents of a run."""


@cache
def backdrop(script: Script, size_bytes: int) -> bytes:
    """The update that makes a document of about this encoded size, with a real one's many short runs."""
    doc: Doc[Any] = Doc()
    text = doc.get(BACKDROP, type=Text)
    transactions = script.transactions
    made = 0
    # Parts go in front of each other: appended runs of one author would be melted into a single item.
    while len(doc.get_update()) < size_bytes:
        for _ in range(max(1, size_bytes // 2048)):
            inserted = "".join(text for _, _, text in transactions[made % len(transactions)]) or "."
            made += 1
            text.insert(0, inserted)
    return doc.get_update()


@dataclass(frozen=True)
class Stage:
    """The documents of one run on one server."""

    origin: Origin
    documents: list[str]
    script: Script
    writers: int

    def set(self, size_bytes: int) -> None:
        """Creates and fills them. Raises NotPrepared."""
        update = backdrop(self.script, size_bytes)
        with client(self.origin) as http:
            for document in self.documents:
                made = http.post("/api/documents", json={"id": document})
                answer = http.post(f"{document_path(document)}/updates", content=update, headers=OCTETS)
                if not made.is_success or not answer.is_success:
                    raise NotPrepared(f"{made.status_code} {answer.status_code}: {answer.text[:200]}")

    def strike(self) -> None:
        """Purges them, so that the next run starts on a server that carries nothing of this one."""
        with client(self.origin) as http:
            for document in self.documents:
                http.delete(document_path(document), params={"purge": "true"})

    def read(self) -> list[dict[str, str]]:
        """The root texts of each document as the server has them. Raises httpx2.HTTPError."""
        names = roots(self.writers)
        with client(self.origin) as http:
            return [_texts(http, document, names) for document in self.documents]


def _texts(http: httpx2.Client, document: str, names: Sequence[str]) -> dict[str, str]:
    answer = http.get(f"{document_path(document)}/state").raise_for_status()
    doc: Doc[Any] = Doc()
    doc.apply_update(answer.content)
    return {name: str(doc.get(name, type=Text)) for name in names}


def lost(script: Script, texts: Sequence[dict[str, str]], writers: Sequence[Sequence[int]]) -> list[str]:
    """Writers whose text on the server is not what their script says: (document, section, edits, saved) each."""
    found = []
    for document, number, edits, saved in writers:
        if saved < edits:
            found.append(f"document {document}, writer {number}: {edits - saved} edits never acknowledged")
        elif texts[document][section(number)] != script.after(edits):
            found.append(f"document {document}, writer {number}: the server's text is not what {edits} edits make")
    return found


def digests(texts: Sequence[dict[str, str]]) -> list[str]:
    """Of the content of each document, in the order in which replicas make theirs."""
    return [digest_of(contents.items()) for contents in texts]
