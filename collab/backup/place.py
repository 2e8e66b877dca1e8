"""Where backups are kept: a folder, or a bucket of an object store."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from collab.errors import CollabError, NotFound, StorageUnavailable

PREFIX, SUFFIX = "collab-", ".ndjson.gz"


class Kept(NamedTuple):
    """One backup."""

    name: str
    size_bytes: int


class Place(Protocol):
    """Keeps files by name. All raise StorageUnavailable."""

    def put(self, path: Path, name: str) -> None:
        """Keeps a copy, durable and whole or not at all, and reads it back to be sure."""

    def get(self, name: str, path: Path) -> None:
        """Fetches one. Raises NotFound."""

    def list(self) -> list[Kept]:
        """All that are kept, oldest first."""


def place_of(where: str) -> Place:
    """`s3://bucket/prefix` and what else obstore knows (gs://, az://, file://), or a folder."""
    return BucketPlace(where) if "://" in where else FolderPlace(Path(where))


class FolderPlace:
    """A folder of this machine, or one that is mounted here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, path: Path, name: str) -> None:
        """See Place."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f".{name}.part"
            part.touch(mode=0o600)  # it holds everything that people wrote
            with path.open("rb") as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            _compare(path, _digest(part), name)
            part.rename(self._folder / name)
            _fsync_folder(self._folder)
        except OSError as error:
            raise StorageUnavailable(f"{self._folder}: {error}") from error

    def get(self, name: str, path: Path) -> None:
        """See Place."""
        try:
            shutil.copyfile(self._folder / name, path)
        except FileNotFoundError:
            raise NotFound(f"there is no backup {name} in {self._folder}") from None
        except OSError as error:
            raise StorageUnavailable(f"{self._folder}: {error}") from error

    def list(self) -> list[Kept]:
        """See Place."""
        found = sorted(self._folder.glob(f"{PREFIX}*{SUFFIX}"))
        return [Kept(path.name, path.stat().st_size) for path in found]


class BucketPlace:
    """An object store, through obstore: credentials and region come from its usual variables (AWS_…)."""

    def __init__(self, url: str) -> None:
        """Raises CollabError if obstore is not installed, or does not know the URL."""
        try:
            import obstore
            from obstore.store import from_url
        except ImportError:
            raise CollabError("for buckets install obstore: pip install 'collab[s3]'") from None
        self._url = url
        self._obstore: Any = obstore
        try:
            self._store: Any = from_url(url)
        except Exception as error:
            raise CollabError(f"{url}: {_first_line(error)}") from None

    def put(self, path: Path, name: str) -> None:
        """See Place; parts of a failed upload are never seen under the name."""
        self._do(lambda: self._obstore.put(self._store, name, path))
        digest = hashlib.sha256()
        self._fetch(name, digest.update)
        _compare(path, digest.hexdigest(), name)

    def get(self, name: str, path: Path) -> None:
        """See Place."""
        with path.open("wb") as target:
            self._fetch(name, target.write)

    def list(self) -> list[Kept]:
        """See Place."""
        found = self._do(lambda: [item for page in self._obstore.list(self._store) for item in page])
        ours = [Kept(item["path"], item["size"]) for item in found if item["path"].startswith(PREFIX)]
        return sorted(ours)

    def _fetch(self, name: str, take: Callable[[bytes], object]) -> None:
        self._do(lambda: [take(chunk) for chunk in self._obstore.get(self._store, name)] and None)

    def _do(self, work: Any) -> Any:
        try:
            return work()
        except FileNotFoundError:
            raise NotFound(f"there is no such backup in {self._url}, or no such bucket") from None
        except Exception as error:  # obstore has one class per kind of trouble, all of them the store's
            raise StorageUnavailable(f"{self._url}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """obstore adds a page for its developers, and what the store said of it as XML."""
    said = re.search("<Code>(\\w+)</Code>", str(error))
    return str(error).partition("<?xml")[0].partition("\n")[0] + (said[1] if said else "")


def _compare(path: Path, digest: str, name: str) -> None:
    if _digest(path) != digest:
        raise StorageUnavailable(f"{name} reads back other than it was written")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
