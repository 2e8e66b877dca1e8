"""All that the REST edge needs, built elsewhere and handed over once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collab.accesslog import AccessLog
from collab.api.access import Door
from collab.audit import Audit
from collab.auth.base import AuditStore, KeyStore
from collab.auth.keys import Keys
from collab.auth.tickets import Tickets
from collab.auth.vigil import Vigil
from collab.hour import Hour
from collab.hub import Hub
from collab.limits import DEFAULT, Limits
from collab.metrics import Counters, Refusals
from collab.sockets.seats import Seats
from collab.store.base import Catalog, Checkpoint, Idempotency, Snapshots, UpdateLog
from collab.store.census import Census
from collab.types import DocumentId

if TYPE_CHECKING:
    from collab.engine.client import Engine


@dataclass(frozen=True, slots=True)
class Permissions:
    """What gives and takes permissions, and writes down who did."""

    keys: Keys
    tickets: Tickets
    vigil: Vigil
    audit: Audit
    key_store: KeyStore
    audit_store: AuditStore
    census: Census


@dataclass(frozen=True, slots=True)
class Operations:
    """What the console may do and show besides. `fold` makes a checkpoint now, `drain` closes all sockets for good."""

    hour: Hour
    fold: Callable[[DocumentId], Awaitable[Checkpoint | None]]
    drain: Callable[[], Awaitable[None]]


Probe = Callable[[], Awaitable[object]]
"""Raises a CollabError when the thing behind it does not work."""


def no_gauges() -> Mapping[str, float]:
    """Nothing to measure."""
    return {}


@dataclass(frozen=True, slots=True)
class Parts:
    """The running services behind the handlers.

    `probes` are what /readyz asks, by name, each for at most `probe_s`; `hints` are what it also tells, but what the
    node can do without: True while it works; `gauges` are measured when Prometheus asks,
    by name without the `collab_` in front. `alone`: no other process writes this database, so that a loaded room
    knows its document's head. `warnings` are what does not keep the node from its work yet, in words. `seats` are
    those of sockets, and event streams take them, too.
    """

    hub: Hub
    log: UpdateLog
    catalog: Catalog
    snapshots: Snapshots
    idempotency: Idempotency
    engine: Engine
    door: Door
    permissions: Permissions
    limits: Limits
    counters: Counters
    refusals: Refusals
    probes: Mapping[str, Probe] = field(default_factory=dict)
    probe_s: float = 3.0
    hints: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    alone: bool = False
    log_access: AccessLog = field(default_factory=AccessLog)
    gauges: Callable[[], Mapping[str, float]] = no_gauges
    operations: Operations | None = None
    seats: Seats = field(default_factory=lambda: Seats(DEFAULT))
    warnings: Callable[[], Sequence[str]] = list
