"""A command line for each call, made to be pasted: in the order of the docs page each works after those before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

BASE = "http://127.0.0.1:8000"
HELLO = "AQEBAAQBB2RlZmF1bHQFaGVsbG8A"  # client 1 types "hello" into the root text `default`


@dataclass(frozen=True, slots=True)
class Sample:
    """What a call is made with. `update` is base64 of a body of bytes; `text` a body of another media type."""

    query: str = ""
    json: Mapping[str, object] | list[object] | None = None
    update: str | None = None
    text: str | None = None
    media_type: str | None = None
    options: str = "-s"


SAMPLES: Mapping[str, Sample] = {
    "create_document": Sample(json={"id": "notes", "title": "Minutes of May"}),
    "list_documents": Sample(query="?prefix=no&limit=20"),
    "read_document": Sample(),
    "probe_document": Sample(options="-sI"),
    "patch_document": Sample(json={"metadata": {"team": "a"}}),
    "delete_document": Sample(),
    "undelete_document": Sample(),
    "post_update": Sample(update=HELLO),
    "read_updates": Sample(query="?after=0&limit=100"),
    "read_state": Sample(options="-s -o notes.bin"),
    "read_content": Sample(query="?root=default&type=text"),
    "put_content": Sample(query="?root=default&type=text", text="hello world", media_type="text/plain"),
    "patch_content": Sample(
        query="?root=default&type=text",
        json=[{"op": "insert", "index": 5, "text": ","}, {"op": "replace", "find": "world", "text": "people"}],
    ),
    "create_snapshot": Sample(json={"label": "before the review"}),
    "list_snapshots": Sample(),
    "read_snapshot": Sample(),
    "patch_snapshot": Sample(json={"label": "reviewed"}),
    "read_snapshot_state": Sample(options="-s -o snapshot.bin"),
    "read_snapshot_content": Sample(query="?root=default&type=text"),
    "diff_snapshot": Sample(query="?root=default"),
    "restore_snapshot": Sample(),
    "delete_snapshot": Sample(),
    "read_events": Sample(options="-sN"),
    "read_presence": Sample(),
    "create_ticket": Sample(json={"access": "write", "user": {"id": "user-1", "name": "Ada", "color": "#dd3333"}}),
    "create_y_sweet_token": Sample(json={"access": "write", "user": {"id": "user-1", "name": "Ada"}}),
    "create_key": Sample(json={"name": "backend", "scopes": ["documents:read", "tickets:create"]}),
    "list_keys": Sample(),
    "read_key": Sample(),
    "revoke_key": Sample(),
    "revoke_sessions": Sample(json={"user": "user-1", "document": "notes", "access": "read"}),
    "read_audit": Sample(query="?limit=20"),
    "healthz": Sample(),
    "readyz": Sample(),
    "metrics": Sample(),
}
PARAMETERS = {"document": "notes", "snapshot": "latest", "key": "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c"}


def curl(operation: str, method: str, path: str, base: str = BASE) -> str:
    """The command line of an operation."""
    sample = SAMPLES[operation]
    url = base + path.format(**PARAMETERS) + sample.query
    parts = [f"curl {sample.options}"]
    if method.upper() not in ("GET", "HEAD") and not (method.upper() == "POST" and _has_body(sample)):
        parts.append(f"-X {method.upper()}")
    parts.append(quote(url))
    if sample.json is not None:
        parts += ["-H 'Content-Type: application/json'", f"-d {quote(json.dumps(sample.json))}"]
    if sample.text is not None:
        parts += [f"-H {quote(f'Content-Type: {sample.media_type}')}", f"--data-binary {quote(sample.text)}"]
    if sample.update is not None:
        parts += ["-H 'Content-Type: application/octet-stream'", "--data-binary @-"]
        return f"echo {sample.update} | base64 -d | {' '.join(parts)}"
    return " ".join(parts)


def _has_body(sample: Sample) -> bool:
    return sample.json is not None or sample.text is not None or sample.update is not None
