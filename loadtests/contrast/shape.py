"""One point of the grid: who, how many, how fast, on what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("socket", "events", "longpoll", "diff", "poll")
TITLES = {
    "socket": "WebSocket",
    "events": "Server-Sent Events",
    "longpoll": "long poll",
    "diff": "poll (difference)",
    "poll": "poll (whole state)",
}
POLLING = ("diff", "poll")  # the kinds whose staleness is the interval's


@dataclass(frozen=True)
class Shape:
    """`users` people in documents of `members`, of whom `writers` type `edits_s` a second each."""

    kind: str
    users: int = 100
    members: int = 20
    writers: int = 4
    edits_s: float = 0.5
    interval_s: float = 1.0
    document_bytes: int = 8_192
    kept: bool = True  # connections of REST calls are kept open between calls
    tls: bool = False

    def __post_init__(self) -> None:
        if self.users % self.members or not 0 <= self.writers <= self.members:
            raise ValueError(f"{self.users} users do not fill documents of {self.members} with {self.writers} writers")

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return self.users // self.members

    @property
    def offered_s(self) -> float:
        """Edits a second, all writers together."""
        return self.documents * self.writers * self.edits_s

    @property
    def deliveries_s(self) -> float:
        """Edits a second times the people who must see each."""
        return self.offered_s * (self.members - 1)

    @property
    def seen_s(self) -> float:
        """Edits of others that one reader sees a second."""
        return self.writers * self.edits_s

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def name(self) -> str:
        """A key that says all."""
        ratio = f"{self.users}x{self.members}w{self.writers}"
        extras = ("" if self.kept else "-new") + ("-tls" if self.tls else "")
        return f"{self.kind}-{ratio}-e{self.edits_s:g}-t{self.interval_s:g}-b{self.document_bytes}{extras}"
