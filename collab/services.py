"""Builds everything, in order, and closes it in reverse; the only place where adapters are chosen."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, cast

import structlog
from fastapi import FastAPI

from collab.accesslog import AccessLog
from collab.api.access import Door
from collab.api.app import create_app
from collab.api.parts import Operations, Parts, Permissions
from collab.audit import Audit
from collab.auth.credentials import scrub
from collab.auth.vigil import Vigil
from collab.bus.base import Bus
from collab.bus.local import LocalBus
from collab.checkpoint import Checkpointer, Policy
from collab.engine.client import Engine
from collab.entrance import Entrance
from collab.errors import UnsafeSettings
from collab.hour import Hour
from collab.hub import Hub, HubSettings
from collab.journal import Journal
from collab.lasting import Lasting, Work
from collab.limits import DEFAULT, Limits
from collab.metrics import Counters, Refusals
from collab.quota import Quota
from collab.retention import Policy as Keeping
from collab.retention import Retention
from collab.settings import Settings
from collab.slot import Slot
from collab.sockets import asgi
from collab.sockets.admission import Sockets
from collab.sockets.doorman import PolicyDoorman
from collab.store.census import Census
from collab.store.open import Store, open_store
from collab.store.sqlite import path_of
from collab.sweeping import sweep
from collab.types import Principal
from collab.upkeep import Upkeep
from collab.vitals import Vitals
from collab.web import pages

log = structlog.get_logger(__name__)

AUDIT_CLOSE_S = 3.0


UPDATES_PER_ROW = 8  # in a busy document's log; more of them in a row make it count as several

if TYPE_CHECKING:
    from collab.bus.redis import RedisBus


def limits_of(settings: Settings, open_to_all: bool) -> Limits:
    """The default bounds with what the settings change. Nobody slows a developer's own loopback.

    With authentication configured, loopback is where a proxy forwards the world to.
    """
    at_home = open_to_all and settings.on_loopback

    def bound(given: float | None, usual: float) -> float:
        return given if given is not None else 0 if at_home else usual

    return replace(
        DEFAULT,
        frames_per_s=bound(settings.frames_per_s, DEFAULT.frames_per_s),
        bytes_per_s=bound(settings.bytes_per_s, DEFAULT.bytes_per_s),
        document_stored_bytes_max=settings.document_stored_bytes_max,
        sessions_per_user_max=settings.sockets_per_user,
        sessions_per_address_max=int(bound(settings.sockets_per_address, DEFAULT.sessions_per_address_max)),
    )


@dataclass(slots=True)
class Services:
    """One running node."""

    settings: Settings
    node: str
    limits: Limits
    store: Store
    journal: Journal
    engine: Engine
    hub: Hub
    entrance: Entrance
    sockets: Sockets
    upkeep: Upkeep
    retention: Retention
    census: Census
    app: FastAPI

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Services]:
        """Opens everything and closes it again. Raises StorageUnavailable, UnsafeSettings."""
        async with AsyncExitStack() as stack:
            services = await _build(settings, stack)
            yield services

    def bound(self, settings: Settings) -> None:
        """Other bounds from now on, as far as they can change while it runs; open sockets keep theirs."""
        self.sockets.bound(limits_of(settings, self.entrance.guard.openness.open))
        self.hub.settings = hub_settings(settings)
        self.retention.policy = keeping(settings)
        self.census.documents_max = settings.documents_max
        self.census.stored_bytes_max = settings.document_stored_bytes_max

    async def drain(self) -> None:
        """Closes sockets in batches, then commits what they left behind; at most `drain_s`."""
        try:
            async with asyncio.timeout(self.settings.drain_s):
                await self.upkeep.drain()
                await self.journal.flush()
        except TimeoutError:
            log.warning("not all was stored when the time to drain was over", bytes=self.journal.waiting_bytes)


async def _build(settings: Settings, stack: AsyncExitStack) -> Services:
    counters, refusals = Counters(), Refusals()
    if settings.embedded and settings.database_url is None:
        settings.data.mkdir(parents=True, exist_ok=True)
    store = await stack.enter_async_context(open_store(settings.resolved_database_url, sync=settings.sqlite_sync))
    entrance = await Entrance.build(settings, store)
    stack.push_async_callback(entrance.close)
    node, limits = token_hex(6), limits_of(settings, entrance.guard.openness.open)
    bus = await _bus(settings, node, stack)
    engine = await _engine(settings, stack)
    journal = Journal(store.log, linger_s=lambda: linger_s(hub))
    stack.push_async_callback(journal.close)
    checkpointer = Checkpointer(
        store.log,
        engine.fold,
        policy=Policy(rows_min=settings.checkpoint_rows),
        on_folded=lambda *new: hub.rebase(*new),
        fold_now=engine.fold_now,
    )
    stack.push_async_callback(checkpointer.close)
    hub = Hub(
        node=node,
        update_log=store.log,
        journal=journal,
        bus=bus,
        limits=limits,
        settings=hub_settings(settings),
        counters=counters,
        on_committed=lambda slot: consider(checkpointer, slot),
        on_born=lambda document, author: entrance.audit.tell("document.create", Principal(author, "edit"), document),
        shorten=checkpointer.shorten,
        inspector=engine.inspector,
        alone=store.embedded,
    )
    hub.neighbours.share(entrance.counters.drain, entrance.counters.take)
    upkeep = Upkeep(hub)
    vitals = Vitals(hub, journal, store.database, _folder(settings))

    def on_closed() -> None:
        entrance.bound()
        sockets.bound(limits_of(entrance.settings, open_to_all=False))

    openness = entrance.guard.openness
    vigil = Vigil(store.revocations, store.keys, entrance.revocations, openness, hub, entrance.clock, on_closed)
    log_access = AccessLog(sys.stderr.write if settings.access_log and _says_info(settings) else None, scrub)
    hour = Hour(lambda: _sampled(counters, refusals, journal, hub), GROWING)
    retention = Retention(store.segments, engine.condense, checkpointer.fold, keeping(settings))
    census = Census(store.database, settings.documents_max, settings.document_stored_bytes_max)
    quota = Quota(hub, census.full)
    sockets = Sockets(hub, PolicyDoorman(entrance.guard), limits, refusals, log_access, census.check)
    lasting: dict[str, Work] = {
        "upkeep": upkeep.run,
        "pace": hub.pace.run,
        "vigil": vigil.run,
        "access log": log_access.run,
        "hour": hour.run,
        "sweeping": lambda: sweep(store.idempotency),
        "retention": retention.run,
        "neighbours": hub.neighbours.run,
        "vitals": vitals.run,
        "quota": quota.run,
        "arrivals": sockets.arrivals.run,
    }
    for name, work in lasting.items():
        await stack.enter_async_context(Lasting(name, work, counters))
    await _write_audit(stack, entrance.audit, counters)
    await vigil.look()  # nobody is let in before it is known what was revoked
    app = create_app(
        Parts(
            hub=hub,
            log=store.log,
            catalog=store.catalog,
            snapshots=store.snapshots,
            idempotency=store.idempotency,
            engine=engine,
            door=Door(entrance.guard),
            permissions=Permissions(
                entrance.keys, entrance.tickets, vigil, entrance.audit, store.keys, store.audit, census
            ),
            log_access=log_access,
            limits=limits,
            counters=counters,
            refusals=refusals,
            probes={"database": store.log.ping, "commits": journal.probe},
            hints={"bus": lambda: shared.up} if (shared := _shared(bus)) is not None else {},
            gauges=lambda: {
                **_gauges(journal, hub, checkpointer, engine, bus),
                **retention.gauges(),
                **quota.gauges(),
                **vitals.figures(),
            },
            warnings=vitals.warnings,
            alone=store.embedded,
            operations=Operations(hour, checkpointer.fold, upkeep.drain),
            seats=sockets.seats,
        )
    )
    app.router.routes.append(asgi.route(sockets))
    app.router.routes.extend(pages.routes())
    return Services(
        settings, node, limits, store, journal, engine, hub, entrance, sockets, upkeep, retention, census, app
    )


def consider(checkpointer: Checkpointer, slot: Slot) -> None:
    """After a commit: has the tail grown so much that folding pays?"""
    history = slot.room.history
    updates = slot.room.ledger.seq - history.base_seq  # a load checks each of them, though a row may hold many
    rows = max(len(history.tail), updates // UPDATES_PER_ROW)
    checkpointer.consider(slot.room.document, rows, history.tail_bytes, len(history.base or b""))


def linger_s(hub: Hub) -> float:
    """How long a commit may wait for company."""
    return hub.pace.shown_linger_s if hub.neighbours.shared else hub.pace.linger_s


def keeping(settings: Settings) -> Keeping:
    """How long history is kept in which detail."""

    def days(given: float) -> timedelta | None:
        return timedelta(days=given) if given else None

    return Keeping(days(settings.history_exact_days), settings.history_step_s, days(settings.history_days))


def hub_settings(settings: Settings) -> HubSettings:
    """The hub's share of the settings."""
    return HubSettings(
        tick_s_max=settings.tick_ms_max / 1000,
        linger_s=settings.linger_s,
        resident_bytes_max=settings.resident_bytes_max,
    )


async def _bus(settings: Settings, node: str, stack: AsyncExitStack) -> Bus:
    """Raises UnsafeSettings for a bus beside a database that one process alone may write."""
    if settings.redis_url is None:
        return LocalBus()
    if settings.embedded:
        raise UnsafeSettings("several nodes need a database that they share: set COLLAB_DATABASE_URL to a Postgres")
    from collab.bus.redis import RedisBus  # a sixth of a node's start, which one alone need not wait for

    bus = RedisBus(settings.redis_url.get_secret_value(), node, prefix=settings.redis_prefix)
    await bus.start()
    stack.push_async_callback(bus.close)
    return bus


def _shared(bus: Bus) -> RedisBus | None:
    """The bus, if it reaches other nodes."""
    return None if isinstance(bus, LocalBus) else cast("RedisBus", bus)


async def _engine(settings: Settings, stack: AsyncExitStack) -> Engine:
    engine = Engine(workers=settings.engine_workers, call_s_max=settings.engine_call_s)
    await engine.start()
    stack.push_async_callback(engine.close)
    return engine


def _folder(settings: Settings) -> Path | None:
    return path_of(settings.resolved_database_url).absolute().parent if settings.embedded else None


def _says_info(settings: Settings) -> bool:
    return logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO) <= logging.INFO


async def _write_audit(stack: AsyncExitStack, audit: Audit, counters: Counters) -> None:
    """Until the node closes; then what is queued is written, if the database takes it soon."""
    writing = await stack.enter_async_context(Lasting("audit", audit.run, counters))

    async def stop() -> None:
        audit.close()
        await asyncio.wait({writing}, timeout=AUDIT_CLOSE_S)

    stack.push_async_callback(stop)


def _gauges(journal: Journal, hub: Hub, checkpointer: Checkpointer, engine: Engine, bus: Bus) -> Mapping[str, float]:
    """What Prometheus is told besides the counters; quantiles are over the last 1,024 commits."""
    figures = journal.figures
    return {
        "journal_waiting_bytes": journal.waiting_bytes,
        "journal_healthy": float(journal.healthy),
        "journal_commits": figures.commits,
        "journal_rows": figures.rows,
        "journal_entries": figures.entries,
        "journal_failed_commits": figures.failed_commits,
        "journal_callback_errors": figures.callback_errors,
        "commit_seconds_p50": _quantile(figures.commit_seconds, 0.5),
        "commit_seconds_p99": _quantile(figures.commit_seconds, 0.99),
        "commit_rows_p50": _quantile(figures.batch_rows, 0.5),
        "commit_rows_p99": _quantile(figures.batch_rows, 0.99),
        "checkpoint_failures": checkpointer.figures.failed,
        "cpu_share": hub.pace.load,
        **(shared.figures() if (shared := _shared(bus)) is not None else {}),
        **{f"engine_{name}": float(value) for name, value in engine.counters.items()},
    }


GROWING = frozenset(("updates", "frames_in", "frames_out", "commits", "refused"))


def _sampled(counters: Counters, refusals: Refusals, journal: Journal, hub: Hub) -> Mapping[str, float]:
    """What the console's plots of the last hour show."""
    return {
        "sockets": counters.sockets,
        "updates": counters.updates_in,
        "frames_in": counters.frames_in,
        "frames_out": counters.frames_out,
        "commits": journal.figures.commits,
        "refused": sum(refusals.counts.values()),
        "rooms": len(hub.slots),
        "resident_bytes": sum(slot.room.history.size_bytes for slot in hub.slots.values()),
        "commit_seconds_p50": _quantile(journal.figures.commit_seconds, 0.5),
        "commit_seconds_p99": _quantile(journal.figures.commit_seconds, 0.99),
        "waiting_bytes": journal.waiting_bytes,
        "cpu_share": hub.pace.load,
    }


def _quantile(samples: Collection[float], share: float) -> float:
    return sorted(samples)[min(len(samples) - 1, int(share * len(samples)))] if samples else 0.0
