"""A nightly export: `python export.py http://127.0.0.1:8000 backup/ --prefix team-a/`

Writes each document as one JSON file, only if it has changed since the last run, and takes a snapshot of it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from urllib.parse import quote

from collab_client import CollabError
from collab_client.sync import Documents


def export(docs: Documents, folder: Path, prefix: str) -> tuple[int, int, int]:
    """How many were written, unchanged, and failed: one that fails does not keep the others from being written."""
    written = unchanged = failed = 0
    for document in docs.list(prefix):
        file = folder / f"{quote(document.id, safe='')}.json"
        if file.exists() and json.loads(file.read_text())["version"] == document.version:
            unchanged += 1
            continue
        try:
            content = docs.read_all(document.id)
            docs.snapshots.take(document.id, "nightly export")
        except CollabError as error:
            print(f"{document.id}: {error.detail}")
            failed += 1
            continue
        kept = {"id": document.id, "title": document.title, "version": document.version, "content": content}
        file.write_text(json.dumps(kept, indent=2, ensure_ascii=False))
        written += 1
    return written, unchanged, failed


def main() -> None:
    """Reads the command line; exits with 1 if a document could not be exported."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--key", help="API key")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with Documents(given.url, given.key) as docs:
        written, unchanged, failed = export(docs, given.folder, given.prefix)
    print(f"{written} written, {unchanged} unchanged, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
