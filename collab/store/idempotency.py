"""Idempotency keys on SQL: a repeated POST is answered as the first one was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from collab.errors import Conflict, Unprocessable
from collab.store.base import Answer
from collab.store.database import Database
from collab.store.tables import idempotency_key as keys
from collab.store.tables import utc_now

ABANDONED_AFTER = timedelta(minutes=1)  # no call may take longer; its node died or forgot it
UNDER_WAY = 0  # the status of a claim that has no answer yet
_NOW = select(func.clock_timestamp())


class SqlIdempotency:
    """Satisfies the Idempotency port on any Database."""

    def __init__(self, database: Database, now: Callable[[], datetime] | None = None) -> None:
        """`now`: of whoever shares the database if not given, for the age of a claim that another node has made."""
        self._database = database
        self._now = now

    async def claim(self, caller: str, key: str, request_hash: bytes) -> Answer | None:
        """Raises Conflict while it is under way elsewhere, Unprocessable if the key belongs to another request."""

        def work(connection: Connection) -> Answer | None:
            return _claim(connection, caller, key, request_hash, self._moment(connection))

        try:
            return await self._database.write(work)
        except IntegrityError as error:  # another node claimed it since we looked
            raise Conflict("a call with this Idempotency-Key is being worked on") from error

    def _moment(self, connection: Connection) -> datetime:
        if self._now is not None:
            return self._now()
        if self._database.dialect == "sqlite":
            return utc_now()
        found: datetime = connection.execute(_NOW).scalar_one()
        return found

    async def settle(self, caller: str, key: str, answer: Answer) -> None:
        """Replaces the claim by the answer."""
        values = {"status": answer.status, "headers": dict(answer.headers), "response": answer.body}
        await self._database.write(
            lambda connection: connection.execute(update(keys).where(*_is(caller, key)).values(values))
        )

    async def release(self, caller: str, key: str) -> None:
        """A claim that was settled meanwhile stays."""
        only_claims = keys.c.status == UNDER_WAY
        await self._database.write(
            lambda connection: connection.execute(delete(keys).where(*_is(caller, key), only_claims))
        )

    async def forget(self, before: datetime) -> int:
        """By age only: answers are kept for as long as the caller promises."""
        return await self._database.write(
            lambda connection: connection.execute(delete(keys).where(keys.c.created_at < before)).rowcount
        )


def _is(caller: str, key: str) -> tuple[Any, ...]:
    return keys.c.caller == caller, keys.c.key == key


def _claim(connection: Connection, caller: str, key: str, request_hash: bytes, now: datetime) -> Answer | None:
    row = connection.execute(select(keys).where(*_is(caller, key)).with_for_update()).one_or_none()
    if row is None:
        values = {"caller": caller, "key": key, "request_hash": request_hash, "created_at": now}
        connection.execute(insert(keys).values(**values, status=UNDER_WAY, headers={}, response=b""))
        return None
    if row.request_hash != request_hash:
        raise Unprocessable("this Idempotency-Key was used for another request")
    if row.status != UNDER_WAY:
        return Answer(row.status, row.headers, row.response)
    if abs(now - row.created_at) < ABANDONED_AFTER:  # a clock may have been set back
        raise Conflict("a call with this Idempotency-Key is being worked on")
    connection.execute(update(keys).where(*_is(caller, key)).values(created_at=now))
    return None
