"""Live documents and REST of a collab server.

`connect` opens a document that is live, `Documents` calls the REST API, `collab_client.sync` has both without `await`,
and `collab_client.text` edits texts by characters.
"""

from __future__ import annotations

from collab_client.documents import Documents
from collab_client.errors import (
    BrokenDocument,
    Changed,
    CollabError,
    NotAllowed,
    NotFound,
    ReadOnly,
    Refused,
    Unavailable,
    Unsaved,
)
from collab_client.live import LiveDocument, connect
from collab_client.models import Difference, Document, Edit, Page, Person, Restored, Snapshot, Ticket, Update
from collab_client.presence import Presence

__all__ = [
    "BrokenDocument",
    "Changed",
    "CollabError",
    "Difference",
    "Document",
    "Documents",
    "Edit",
    "LiveDocument",
    "NotAllowed",
    "NotFound",
    "Page",
    "Person",
    "Presence",
    "ReadOnly",
    "Refused",
    "Restored",
    "Snapshot",
    "Ticket",
    "Unavailable",
    "Unsaved",
    "Update",
    "connect",
]
