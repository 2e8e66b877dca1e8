"""The format of an archive: a zip whose manifest names every other member with its SHA-256.

    log.ndjson         a line per log row: first_seq, last_seq, created_at, entries of author, session, update (base64);
                       of a history segment also squashed_from and authors, and one entry for all that it stands for
    state.bin          all of it as one folded Yjs V1 update, for whoever only wants the document
    snapshots.ndjson   a line per snapshot, oldest first: its particulars and the name of its member
    snapshots/N.bin    its state
    content.json       what can be read of it: per root its type and value; for people, not read back
    manifest.json      written last: format, document, members

The log is the truth; the state is there so that other tools need not fold it. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any

from collab import __version__
from collab.errors import Unprocessable

FORMAT = 1
SQUASHED = 2
"""The format of an archive with history segments, which versions that know none cannot read."""
MANIFEST = "manifest.json"
LINE_BYTES_MAX = 512 * 1024 * 1024  # of a log row: the largest commit, as base64 in JSON, fits four times


@dataclass(frozen=True, slots=True)
class Member:
    """What the manifest says of a member."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the archive holds. `content_hash` is the SHA-256 of the folded state, by which two documents compare."""

    document: str
    title: str | None
    metadata: Mapping[str, Any]
    lineage: str
    seq: int
    created_at: str
    updated_at: str
    content_hash: str
    members: Mapping[str, Member]
    format: int = FORMAT
    written_by: str = f"collab {__version__}"

    @property
    def created(self) -> datetime:
        """When the document was made."""
        return datetime.fromisoformat(self.created_at)


class Digest:
    """Writes to a member, hashing what goes by."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """Appends."""
        self._target.write(data)
        self._hash.update(data)
        self._bytes += len(data)

    def line(self, value: object) -> None:
        """Appends a line of JSON."""
        self.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")

    @property
    def member(self) -> Member:
        """What the manifest will say."""
        return Member(self._hash.hexdigest(), self._bytes)


class ArchiveWriter:
    """Writes members one after the other, to a pipe if need be; the manifest comes last."""

    def __init__(self, target: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.members: dict[str, Member] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[Digest]:
        """One member, open until the block ends."""
        with self._zip.open(name, "w", force_zip64=True) as target:
            digest = Digest(target)
            yield digest
        self.members[name] = digest.member

    def close(self, manifest: Manifest) -> None:
        """Writes the manifest and ends the zip."""
        self._zip.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
        self._zip.close()


class ArchiveReader:
    """Reads an archive. Raises Unprocessable for anything that it is not, or that does not match its checksum."""

    def __init__(self, source: IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(source)
            raw = json.loads(self._zip.read(MANIFEST))
            if raw["format"] not in (FORMAT, SQUASHED):
                raise Unprocessable(f"an archive of format {raw['format']}; this version reads up to {SQUASHED}")
            members = {name: Member(**member) for name, member in raw.pop("members").items()}
            self.manifest = Manifest(**raw, members=members)
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            raise Unprocessable(f"this is no archive of collab: {error!r}") from None

    def verify(self) -> None:
        """Reads every member once and compares it with the manifest."""
        for name, expected in self.manifest.members.items():
            found = hashlib.sha256()
            with self._open(name) as source:
                while chunk := source.read(1 << 20):
                    found.update(chunk)
            if found.hexdigest() != expected.sha256:
                raise Unprocessable(f"{name} does not match its checksum")

    def read(self, name: str) -> bytes:
        """A member, whole."""
        with self._open(name) as source:
            return source.read()

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """A member of JSON lines."""
        with self._open(name) as source:
            while line := source.readline(LINE_BYTES_MAX):
                yield json.loads(line)

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._zip.open(name) as source:
                yield source
        except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
            raise Unprocessable(f"{name} cannot be read: {error}") from None
        except ValueError as error:
            raise Unprocessable(f"{name} is not as it should be: {error}") from None
