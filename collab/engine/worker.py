"""A worker: takes one call after the other from its socket, and trusts itself only as long as nothing went wrong.

pycrdt panics with a BaseException and may leave half-made documents or a corrupt heap behind. So after anything but a
refusal of ours the worker answers, says that this was its last call, and ends. So it does when it has grown large:
memory that was once used is not given back.
"""

from __future__ import annotations

import socket
import traceback
from typing import Any

from collab.engine import faults, prison, wire
from collab.engine.calls import CALLS
from collab.errors import CollabError, TooLarge, Unprocessable

REQUEST_BYTES_MAX = 2**32  # the server is trusted; its limits bound what it sends
ANSWER_BYTES_MAX = 256 * 1024 * 1024  # a document of 50 MB as JSON; beyond it the server would suffer
RETIRE_BYTES = 256 * 1024 * 1024  # of peak memory; a new worker costs two milliseconds

_BROKEN: list[BaseException] = []
"""Keeps what went wrong, and with it all documents that it went wrong in: freeing them could hang or crash."""


def serve(sock: socket.socket) -> None:
    """Answers calls until the server closes the socket, or until this process should no longer be used."""
    while (request := wire.receive_blocking(sock, REQUEST_BYTES_MAX)) is not None:
        prison.allow_cpu(request.head["cpu_s"])
        head, blobs = _answer(request)
        del request
        wire.send_blocking(sock, head, blobs)
        if head["last"]:
            return


def _answer(request: wire.Frame) -> tuple[dict[str, Any], list[bytes]]:
    try:
        value, blobs = CALLS[request.head["call"]](request.head["args"], request.blobs)
        size = sum(map(len, blobs))
        if size > ANSWER_BYTES_MAX:
            raise TooLarge(f"the answer has {size} bytes, {ANSWER_BYTES_MAX} are allowed")
    except CollabError as error:
        return {**faults.encode(error), "last": _is_large()}, []
    except RecursionError as error:  # nested within all limits of ours, but too deep to walk through
        _BROKEN.append(error)
        return {**faults.encode(Unprocessable("it is nested too deeply")), "last": True}, []
    except BaseException as error:  # a panic of pycrdt is no Exception, and no state can be trusted after it
        traceback.print_exc()
        _BROKEN.append(error)
        return {**faults.encode(error), "last": True}, []
    return {"value": value, "last": _is_large()}, blobs


def _is_large() -> bool:
    return prison.peak_memory_bytes() > RETIRE_BYTES
