"""One Redis server of the bus: a connection that publishes, one that listens, each coming back by itself.

No caller ever waits for the server. A circuit breaker stands before it: after a failure nothing is sent, or even kept,
until a first try has worked again, so that a dead Redis costs a publish one comparison.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import uniform
from typing import Any

import structlog
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, MovedError, RedisError, ResponseError

from collab.bus.wire import VERSION

log = structlog.get_logger("collab.bus")

ANSWER_S = 0.5  # a server that has not taken a publish by then is away
CONNECT_S = 1.0
SILENT_S = 2.0  # a listener that heard nothing for so long is asked for a sign of life, and given as long again
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 2.0
WAITING_BYTES_MAX = 8 * 1024 * 1024  # beyond it frames are dropped: the log has them
DROPPED_MAX = 10_000  # channels remembered while nothing can be sent
SUBSCRIBED_S = 0.25  # how long opening a room waits to hear that its frames will come
FAILURES = (RedisError, OSError, TimeoutError)

OnMessage = Callable[[bytes, bytes], None]


class Lane:
    """Channels are bytes. `on_message(channel, message)` must not raise; `on_recovered(channels)` may publish."""

    def __init__(
        self, pool: ConnectionPool, *, sharded: bool, on_message: OnMessage, on_recovered: Callable[[set[bytes]], None]
    ) -> None:
        self.sending = True  # the breaker: False from a failure until something was sent again
        self.hearing = False
        self.moved = False  # the server has said that a channel belongs elsewhere
        self.losses = 0
        self.sent = self.dropped = self.failures = 0
        self._pool = pool
        self._verb = b"SPUBLISH" if sharded else b"PUBLISH"
        self._join, self._part = (b"SSUBSCRIBE", b"SUNSUBSCRIBE") if sharded else (b"SUBSCRIBE", b"UNSUBSCRIBE")
        self._on_message = on_message
        self._on_recovered = on_recovered
        self._waiting: dict[bytes, list[bytes]] = {}
        self._waiting_bytes = 0
        self._publisher: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        self._in_flight: set[bytes] = set()
        self._missed: set[bytes] = set()  # channels with frames that were dropped
        self._retry_at = 0.0
        self._retry_s = RETRY_FIRST_S
        self._sender: asyncio.Task[None] | None = None
        self._channels: set[bytes] = set()
        self._commands: list[tuple[bytes, bytes]] = []
        self._confirmations: dict[bytes, asyncio.Future[None]] = {}
        self._wake = asyncio.Event()
        self._heard_at = 0.0
        self._asked = False
        self._listener = asyncio.create_task(self._listen(), name="bus listener")

    # ------------------------------------------------------------------ publishing

    def publish(self, channel: bytes, frame: bytes) -> None:
        """Queues the frame for the pipeline of this tick; dropped, and remembered, while the breaker is open."""
        if not self.sending and asyncio.get_running_loop().time() < self._retry_at:
            self._miss(channel)
            return
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self._miss(channel)
            return
        self._waiting.setdefault(channel, []).append(frame)
        self._waiting_bytes += len(frame)
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_all(), name="bus sender")

    def _miss(self, channel: bytes) -> None:
        self.dropped += 1
        if len(self._missed) < DROPPED_MAX:
            self._missed.add(channel)

    async def _send_all(self) -> None:
        """One pipeline after the other while there is something to send: the batch grows with the load."""
        connection = self._publisher
        try:
            if not connection.is_connected:
                async with asyncio.timeout(CONNECT_S):
                    await connection.connect()  # type: ignore[no-untyped-call]
            while self._waiting:
                batch, self._waiting, self._waiting_bytes = self._waiting, {}, 0
                self._in_flight = set(batch)
                await self._send(connection, batch)
                self._recover()
        except BaseException as error:
            self._broke(error)
            await connection.disconnect(nowait=True)
            if not isinstance(error, FAILURES):
                raise
        finally:
            self._sender = None

    async def _send(self, connection: AbstractConnection, batch: dict[bytes, list[bytes]]) -> None:
        commands = [(self._verb, channel, b"".join((VERSION, *frames))) for channel, frames in batch.items()]
        async with asyncio.timeout(ANSWER_S):
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            answers = [await self._answer(connection) for _ in commands]
        self.sent += len(commands)
        refused = [answer for answer in answers if isinstance(answer, RedisError)]
        self.moved |= any(isinstance(answer, MovedError | AskError) for answer in refused)
        if refused:
            raise refused[0]

    @staticmethod
    async def _answer(connection: AbstractConnection) -> object:
        try:
            return await connection.read_response(disable_decoding=True, timeout=math.inf)
        except ResponseError as error:
            return error

    def _recover(self) -> None:
        if not self.sending:
            log.info("bus works again")
            self.losses += 1  # it may have been away for less time than anybody looks whether it is
        self.sending, self._retry_s, self._in_flight = True, RETRY_FIRST_S, set()
        if self._missed:
            missed, self._missed = self._missed, set()
            self._on_recovered(missed)

    def _broke(self, error: BaseException) -> None:
        if self.sending:
            log.warning("bus is away: edits cross through the database", error=repr(error))
        self.failures += 1
        self.sending = False
        self._retry_at = asyncio.get_running_loop().time() + uniform(0.5, 1.0) * self._retry_s
        self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
        for channel in (*self._in_flight, *self._waiting):
            self._miss(channel)
        self._in_flight = set()
        self._waiting, self._waiting_bytes = {}, 0

    # ------------------------------------------------------------------ listening

    async def subscribe(self, channel: bytes) -> None:
        """Returns when the server has confirmed, or soon without it."""
        self.join(channel)
        if not self.hearing:
            return
        confirmed = self._confirmations.setdefault(channel, asyncio.get_running_loop().create_future())
        try:
            await asyncio.wait({confirmed}, timeout=SUBSCRIBED_S)
        finally:  # it may never come: the connection was lost, the channel given up or moved to another server
            if self._confirmations.get(channel) is confirmed:
                del self._confirmations[channel]

    def join(self, channel: bytes) -> None:
        """Queues the command."""
        self._channels.add(channel)
        if self.hearing:
            self._command(self._join, channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Queues the command; frames that are under way still come."""
        self._channels.discard(channel)
        if self.hearing:
            self._command(self._part, channel)

    def _command(self, verb: bytes, channel: bytes) -> None:
        self._commands.append((verb, channel))
        self._wake.set()

    async def _listen(self) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            began = asyncio.get_running_loop().time()
            connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                await self._serve(connection)
            except FAILURES as error:
                log.debug("bus listener lost", error=repr(error))
            except Exception:
                log.exception("bus listener failed")
            finally:
                self.hearing = False
                self.losses += 1
                await connection.disconnect(nowait=True)
            if asyncio.get_running_loop().time() - began > RETRY_MAX_S:
                wait_s = RETRY_FIRST_S
            await asyncio.sleep(uniform(0.5, 1.0) * wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _serve(self, connection: AbstractConnection) -> None:
        """Until the connection breaks; raises what broke it."""
        self._commands = [(self._join, channel) for channel in self._channels]
        self._wake.set()
        self._heard_at, self._asked = asyncio.get_running_loop().time(), False
        self.hearing = True
        self.losses += 1
        tasks = {asyncio.create_task(self._read(connection)), asyncio.create_task(self._write(connection))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        done.pop().result()

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            try:
                answer: Any = await connection.read_response(disable_decoding=True, timeout=math.inf)
            except MovedError:
                self.moved = True
                continue
            self._heard_at, self._asked = asyncio.get_running_loop().time(), False
            if answer[0] in (b"message", b"smessage"):
                self._on_message(answer[1], answer[2])
            elif answer[0] in (b"subscribe", b"ssubscribe"):
                confirmed = self._confirmations.pop(answer[1], None)
                if confirmed is not None and not confirmed.done():
                    confirmed.set_result(None)
            elif answer[0] == b"sunsubscribe" and answer[1] in self._channels:
                self.moved = True  # the server has given this channel's slot away

    async def _write(self, connection: AbstractConnection) -> None:
        """Sends commands in the order in which they came, and asks for a sign of life when it has been silent."""
        while True:
            try:
                async with asyncio.timeout(SILENT_S / 4):
                    await self._wake.wait()
            except TimeoutError:
                self._check(asyncio.get_running_loop().time())
            self._wake.clear()
            commands, self._commands = self._commands, []
            if commands:
                async with asyncio.timeout(CONNECT_S):
                    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    def _check(self, now: float) -> None:
        silent_s = now - self._heard_at
        if silent_s > 2 * SILENT_S:
            raise TimeoutError("the server is silent")
        if silent_s > SILENT_S and not self._asked:
            self._asked = True
            self._commands.append((b"PING", b""))

    async def close(self) -> None:
        """Sends what waits, if the server takes it, and lets go."""
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=ANSWER_S)
        self._listener.cancel()
        await asyncio.wait({self._listener})
        await self._publisher.disconnect(nowait=True)
