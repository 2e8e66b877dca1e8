"""What the REST API answers, as typed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Generic, Self, TypeVar, get_type_hints

T = TypeVar("T")
_CONVERSIONS: Mapping[object, Callable[[Any], Any]] = {
    datetime: datetime.fromisoformat,
    datetime | None: lambda text: None if text is None else datetime.fromisoformat(text),
}


class _Answer:
    """Built from JSON; what this version does not know is left out, so that a newer server is no trouble."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Raises KeyError if a field is missing."""
        kind: Any = cls
        return cls(**{name: convert(answer[name]) for name, convert in _conversions(kind)})


@cache
def _conversions(cls: Any) -> Sequence[tuple[str, Callable[[Any], Any]]]:
    types = get_type_hints(cls)
    return [(field.name, _CONVERSIONS.get(types[field.name], lambda value: value)) for field in fields(cls)]


@dataclass(frozen=True, slots=True)
class Document(_Answer):
    """A document's particulars. `version` is the name of its content, `seq` how many updates made it."""

    id: str
    title: str | None
    metadata: dict[str, Any]
    version: str
    lineage: str
    seq: int
    bytes: int
    online: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    quarantine: str | None


@dataclass(frozen=True, slots=True)
class Snapshot(_Answer):
    """A named state that was kept; `seq` is the document's when it was taken."""

    id: str
    document: str
    seq: int
    label: str | None
    metadata: dict[str, Any]
    created_by: str
    created_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class Edit(_Answer):
    """Where an edit ended up, on disk; `changed` is False if it was so already."""

    seq: int
    version: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Restored(_Answer):
    """A document that went back to a snapshot; `before` is the id of the snapshot that was taken first."""

    seq: int
    version: str
    changed: bool
    before: str


@dataclass(frozen=True, slots=True)
class Update(_Answer):
    """One update of the log, `update` as base64."""

    seq: int
    author: str
    created_at: datetime
    update: str


@dataclass(frozen=True, slots=True)
class Difference(_Answer):
    """What changed in one root: `hunks` for programs, `unified` for people."""

    type: str
    hunks: list[dict[str, Any]]
    unified: str


@dataclass(frozen=True, slots=True)
class Person(_Answer):
    """One client that is in the document, with the presence that it announced."""

    client_id: int
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ticket(_Answer):
    """The right to open one socket before `opens_until`; the session ends at `ends_at`, unless it is renewed."""

    ticket: str
    document: str
    access: str
    opens_until: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list; `cursor` fetches the next ones, None at the end."""

    items: list[T]
    cursor: str | None
