"""What a replay found out, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Check:
    """One client's text compared with the trace's end."""

    client: str
    holds: bool
    characters: int
    sha256: str


def check(client: str, text: str, end: str) -> Check:
    """Compares; surrogates that a broken client may hold do not stop it."""
    return Check(client, text == end, len(text), sha256(text.encode(errors="surrogatepass")).hexdigest())


@dataclass(slots=True)
class Report:
    """One replay. `seconds` runs from the first key press until the last edit was confirmed as durable."""

    trace: str
    document: str
    edits: int = 0
    seconds: float = 0.0
    polls: int = 0
    polls_unchanged: int = 0
    snapshot: str | None = None
    checks: Sequence[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Every client holds the end."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    @property
    def edits_per_s(self) -> float:
        """Transactions of the trace per second, durable."""
        return self.edits / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for json.dumps."""
        return {**asdict(self), "edits_per_s": round(self.edits_per_s, 1), "ok": self.ok}

    def print(self, console: Console) -> None:
        """The end check as a table, and one line of figures."""
        table = Table("client", "characters", "sha-256", "holds the end", title=f"{self.trace} → {self.document}")
        for row in self.checks:
            mark = "[green]yes[/]" if row.holds else "[bold red]NO[/]"
            table.add_row(row.client, f"{row.characters:,}", row.sha256[:16], mark)
        console.print(table)
        if self.edits:
            console.print(
                f"{self.edits:,} edits in {self.seconds:.2f} s: {self.edits_per_s:,.0f} edits/s, every one durable; "
                f"{self.polls} polls, {self.polls_unchanged} of them unchanged",
                soft_wrap=True,
            )
