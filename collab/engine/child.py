"""A worker as the server sees it: a socket to talk to, a pipe with its last words, and the deadline of each call."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any

import orjson

from collab.engine import faults, wire
from collab.errors import EngineUnavailable, TooLarge, Unprocessable

ANSWER_BYTES_MAX = 300 * 1024 * 1024  # what a worker may make the server hold; its own bound is lower
LAST_WORDS_BYTES = 4096


class Died(Exception):
    """The worker ended; `begun` tells whether it had taken the whole request before."""

    def __init__(self, begun: bool) -> None:
        super().__init__(begun)
        self.begun = begun


class Request:
    """One call: its name, JSON arguments, and blobs. Raises Unprocessable if the arguments are no JSON."""

    __slots__ = ("args", "blobs", "call")

    def __init__(self, call: str, args: dict[str, Any], blobs: Sequence[bytes | memoryview]) -> None:
        self.call = call
        self.args = orjson.Fragment(encode_json(args))
        self.blobs = blobs


def encode_json(value: object) -> bytes:
    """As JSON; raises Unprocessable for what JSON has not: half a surrogate pair, integers beyond 64 bits."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise Unprocessable(f"a value is no JSON: {error}") from None


class Child:
    """One worker process. Not to be used again once `spent`."""

    def __init__(self, pid: int, sock: socket.socket, stderr_fd: int) -> None:
        self.pid = pid
        self.spent = False
        self._sock = sock
        self._stderr_fd = stderr_fd

    async def call(self, request: Request, call_s_max: float) -> tuple[Any, list[bytes]]:
        """The answer's value and blobs.

        Raises the error that the call raised; Died; TimeoutError after `call_s_max`. After the last two, and when
        cancelled, the worker is spent and must be buried.
        """
        loop = asyncio.get_running_loop()
        head = {"call": request.call, "args": request.args, "cpu_s": call_s_max + 1}
        self.spent = True
        async with asyncio.timeout(call_s_max):
            answer = await self._exchange(loop, head, request.blobs)
        self.spent = bool(answer.head.get("last"))
        if "error" in answer.head:
            raise faults.decode(answer.head)
        return answer.head.get("value"), answer.blobs

    async def _exchange(
        self, loop: asyncio.AbstractEventLoop, head: dict[str, Any], blobs: Sequence[bytes | memoryview]
    ) -> wire.Frame:
        """Sends and receives.

        A socket whose other end closes with unread bytes in it is reset; one that was read empty just ends. So the
        kernel tells whether a worker died before or after it took the request.
        """
        try:
            await wire.send(loop, self._sock, head, blobs)
            answer = await wire.receive(loop, self._sock, ANSWER_BYTES_MAX)
        except OSError:
            raise Died(begun=False) from None
        except (ValueError, TooLarge) as error:
            raise EngineUnavailable(f"the engine answered nonsense: {error}") from None
        if answer is None:
            raise Died(begun=True)
        return answer

    def last_words(self) -> str:
        """The end of what it wrote to stderr, as one line."""
        try:
            said = os.read(self._stderr_fd, 64 * 1024)[-LAST_WORDS_BYTES:]
        except OSError:
            said = b""
        return " | ".join(said.decode(errors="replace").split("\n")).strip(" |")

    def close(self) -> None:
        """Lets go of socket and pipe; the worker ends when it sees that."""
        self._sock.close()
        os.close(self._stderr_fd)
