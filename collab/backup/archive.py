"""One backup as a file: gzip of lines of JSON. First a header, then rows, last a trailer that vouches for all of them.

{"collab_backup": 1, "schema": "0002", "created_at": "…", "documents": 3}
{"t": "document", "r": {…}}
{"end": true, "rows": {"document": 3, …}, "sha256": "…of every byte before this line"}
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from collab.errors import CollabError

VERSION = 1
LEVEL = 6
LINE_BYTES_MAX = 256 * 1024 * 1024  # a state of 50 MB and its index as base64, and room


class DamagedBackup(CollabError):
    """The backup is not whole."""

    code, http_status, close_code, may_retry = "damaged_backup", 500, 1011, False


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup says of itself."""

    schema: str
    created_at: str
    documents: int
    rows: Mapping[str, int]
    sha256: str


class Writer:
    """Writes one; `finish` makes it whole."""

    def __init__(self, file: BinaryIO, schema: str, created_at: str, documents: int) -> None:
        self._zip = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0)
        self._digest = hashlib.sha256()
        self._rows: dict[str, int] = {}
        self._line({"collab_backup": VERSION, "schema": schema, "created_at": created_at, "documents": documents})

    def row(self, table: str, row: Mapping[str, Any]) -> None:
        """Adds one."""
        self._rows[table] = self._rows.get(table, 0) + 1
        self._line({"t": table, "r": row})

    def finish(self) -> str:
        """Writes the trailer; returns the digest of what it vouches for."""
        digest = self._digest.hexdigest()
        self._line({"end": True, "rows": self._rows, "sha256": digest})
        self._zip.close()
        return digest

    def _line(self, value: object) -> None:
        line = orjson.dumps(value) + b"\n"
        self._digest.update(line)
        self._zip.write(line)


def read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row) of each. Raises DamagedBackup, at the latest at the end: use `check` before trusting the rows."""
    for line in _lines(path):
        if "t" in line:
            yield line["t"], line["r"]


def check(path: Path) -> Contents:
    """Reads all of it. Raises DamagedBackup unless it is whole."""
    header: dict[str, Any] = {}
    trailer: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for line in _lines(path):
        if "t" in line:
            counts[line["t"]] = counts.get(line["t"], 0) + 1
        elif "end" in line:
            trailer = line
        else:
            header = line
    if counts != trailer["rows"]:
        raise DamagedBackup(f"{path.name} holds other rows than it says")
    return Contents(header["schema"], header["created_at"], header["documents"], counts, trailer["sha256"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    digest = hashlib.sha256()
    last: dict[str, Any] = {}
    first = True
    try:
        with gzip.open(path, "rb") as file:
            while raw := file.readline(LINE_BYTES_MAX):
                if last.get("end"):
                    raise DamagedBackup(f"{path.name} goes on after its end")
                last = orjson.loads(raw)
                if first and last.get("collab_backup") != VERSION:
                    raise DamagedBackup(f"{path.name} is not a backup that this version can read")
                first = False
                if last.get("end") and last["sha256"] != digest.hexdigest():
                    raise DamagedBackup(f"{path.name} does not match its digest")
                digest.update(raw)
                yield last
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBackup(f"{path.name}: {error}") from None
    if not last.get("end"):
        raise DamagedBackup(f"{path.name} ends before its end")
