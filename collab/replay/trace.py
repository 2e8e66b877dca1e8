"""Editing traces: what people typed, key by key, as recorded by others.

Format: https://github.com/josephg/editing-traces. A sequential trace is one author's list of patches; a concurrent
one names the author and the parents of each transaction, so that who had seen what is known. Positions count
Unicode code points. A trace of 260,000 edits is 16 MB of JSON and would be 170 MB of Python objects; it is read
one transaction at a time into columns of 5 MB.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2

from collab.errors import BadRequest, TooLarge

TRACE_BYTES_MAX = 1 << 29  # unpacked; the largest published trace is 60 MB
Patch = tuple[int, int, str]
_SPACE = re.compile(r"[\s,:]*")
_DECODER = json.JSONDecoder()
_NO_TRACE = (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError, RecursionError)


@dataclass(slots=True)
class Trace:
    """A recorded session. Transaction `i` was made by `agents[i]` after `parents(i)`; agents count from 0.

    `client_ids`, one per agent, are chosen by `rehearsal.prepare`.
    """

    name: str
    start: str = ""
    end: str = ""
    agent_count: int = 1
    agents: array[int] = field(default_factory=lambda: array("H"))
    client_ids: Sequence[int] = ()
    ascii_only: bool = True
    _first: array[int] = field(default_factory=lambda: array("L", [0]))
    _position: array[int] = field(default_factory=lambda: array("L"))
    _deleted: array[int] = field(default_factory=lambda: array("L"))
    _inserted: list[str] = field(default_factory=list)
    _parents: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.agents)

    def patches(self, index: int) -> Iterator[Patch]:
        """(position, code points deleted, text inserted), to be applied one after the other."""
        for i in range(self._first[index], self._first[index + 1]):
            yield self._position[i], self._deleted[i], self._inserted[i]

    def parents(self, index: int) -> tuple[int, ...]:
        """The transactions that this one follows; only departures from "the one before" are kept."""
        return self._parents.get(index, (index - 1,) if index else ())

    def append(self, patches: Sequence[Patch], agent: int = 0, parents: Sequence[int] | None = None) -> None:
        """Adds a transaction at the end."""
        index = len(self.agents)
        for position, deleted, inserted in patches:
            self._position.append(position)
            self._deleted.append(deleted)
            self._inserted.append(inserted)
            self.ascii_only = self.ascii_only and inserted.isascii()
        self._first.append(len(self._position))
        self.agents.append(agent)
        if parents is not None and tuple(parents) != self.parents(index):
            self._parents[index] = tuple(parents)


def parse(name: str, text: str, limit: int | None = None) -> Trace:
    """Reads a trace, at most `limit` transactions of it. Raises BadRequest if it is none.

    A limited trace has no recorded end: `rehearsal.prepare` works it out.
    """
    trace = Trace(name)
    try:
        for key, value in _top_level(text, trace, limit):
            if key == "startContent":
                trace.start = value
            elif key == "endContent":
                trace.end = value
            elif key == "numAgents":
                trace.agent_count = value
        _examine(trace)
    except _NO_TRACE as error:
        raise BadRequest(f"{name} is not an editing trace: {error}") from error
    trace.ascii_only = trace.ascii_only and trace.start.isascii()
    return trace


def _examine(trace: Trace) -> None:
    """Raises ValueError or TypeError for what JSON can hold and a trace cannot."""
    if not trace.agents or max(trace.agents) >= trace.agent_count:
        raise ValueError("no transactions, or an unknown agent")
    for text in (trace.start, trace.end, *trace._inserted):
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no text")
        if not text.isascii():
            text.encode()  # half of a surrogate pair is no character
    if not all(isinstance(parent, int) for parents in trace._parents.values() for parent in parents):
        raise TypeError("parents are numbers of transactions")


def _top_level(text: str, trace: Trace, limit: int | None) -> Iterator[tuple[str, Any]]:
    """Yields the members of the outer object; `txns` goes straight into the trace, one at a time."""
    offset = text.index("{") + 1
    while text[offset := _skip(text, offset)] != "}":
        key, offset = _DECODER.raw_decode(text, offset)
        offset = _skip(text, offset)
        if key == "txns":
            offset = _read_transactions(text, offset + 1, trace, limit)
        else:
            value, offset = _DECODER.raw_decode(text, offset)
            yield key, value


def _read_transactions(text: str, offset: int, trace: Trace, limit: int | None) -> int:
    while text[offset := _skip(text, offset)] != "]":
        txn, offset = _DECODER.raw_decode(text, offset)
        if limit is None or len(trace) < limit:
            _append(trace, txn)
    return offset + 1


def _append(trace: Trace, txn: Mapping[str, Any]) -> None:
    # A patch of a concurrent trace may carry a time stamp as its fourth member.
    patches = [(patch[0], patch[1], patch[2]) for patch in txn["patches"]]
    trace.append(patches, txn.get("agent", 0), txn.get("parents"))


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


def load(source: str, limit: int | None = None) -> Trace:
    """Reads a trace from a file or an http(s) URL, gzipped or plain. Raises BadRequest, TooLarge or OSError."""
    data = _fetch(source) if source.startswith(("http://", "https://")) else Path(source).read_bytes()
    try:
        text = _unpacked(data).decode()
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise BadRequest(f"{source} is not an editing trace: {error}") from None
    name = re.sub(r"\.json(\.gz)?$", "", source.split("?")[0].rsplit("/", 1)[-1])
    return parse(name, text, limit)


def _unpacked(data: bytes) -> bytes:
    if data[:2] == b"\x1f\x8b":
        with gzip.open(BytesIO(data)) as packed:
            data = packed.read(TRACE_BYTES_MAX + 1)
    if len(data) > TRACE_BYTES_MAX:
        raise TooLarge(f"the trace unpacks to more than {TRACE_BYTES_MAX} bytes")
    return data


def _fetch(url: str) -> bytes:
    try:
        answer = httpx2.get(url, follow_redirects=True, timeout=60.0)
    except httpx2.InvalidURL as error:
        raise BadRequest(f"{url} is no address: {error}") from None
    if not answer.is_success:
        raise BadRequest(f"{url} answered {answer.status_code}")
    return answer.content
