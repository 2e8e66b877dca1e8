"""What is kept for a time only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from collab.errors import CollabError
from collab.store.base import Idempotency

log = structlog.get_logger(__name__)

EVERY_S = 3600.0
ANSWERS_KEPT = timedelta(days=1)  # a client that repeats a call does so within minutes; as long as others promise it


async def sweep(idempotency: Idempotency, every_s: float = EVERY_S) -> None:
    """Forgets old answers to calls with an Idempotency-Key; forever, until cancelled."""
    while True:
        try:
            forgotten = await idempotency.forget(datetime.now(UTC) - ANSWERS_KEPT)
            if forgotten:
                log.info("swept", answers=forgotten)
        except CollabError as error:  # next time, then
            log.warning("old answers could not be forgotten", error=error.detail)
        except Exception:
            log.exception("sweeping failed")
        await asyncio.sleep(every_s)
