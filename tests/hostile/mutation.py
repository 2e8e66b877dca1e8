"""Bytes that were whole once: flipped, cut, repeated, grafted."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.grammar import Liar, varuint

BYTES_MAX = 256 * 1024
TIMES = (1, 1, 2, 2, 10, 10, 1_000, 30_000)  # long cases are dear, and few of them say something new


def mutate(liar: Liar, whole: bytes, other: bytes) -> bytes:
    """One to eight changes, one after the other; `other` is where grafts come from."""
    data = whole
    for _ in range(liar.choice((1, 1, 1, 2, 3, 8))):
        data = liar.choice(CHANGES)(liar, data, other)[:BYTES_MAX]
    return data


def _span(liar: Liar, data: bytes) -> tuple[int, int]:
    start = liar.randint(0, len(data))
    return start, min(len(data), start + liar.choice((1, 1, 2, 4, 16)))


def _flip(liar: Liar, data: bytes, other: bytes) -> bytes:
    if not data:
        return b"\x00"
    at = liar.randrange(len(data))
    return data[:at] + bytes((data[at] ^ (1 << liar.randrange(8)),)) + data[at + 1 :]


def _set(liar: Liar, data: bytes, other: bytes) -> bytes:
    start, stop = _span(liar, data)
    return data[:start] + liar.randbytes(stop - start) + data[stop:]


def _cut(liar: Liar, data: bytes, other: bytes) -> bytes:
    start, stop = _span(liar, data)
    return data[:start] + data[stop:]


def _truncate(liar: Liar, data: bytes, other: bytes) -> bytes:
    return data[: liar.randint(0, len(data))]


def _edge(liar: Liar, data: bytes, other: bytes) -> bytes:
    start, stop = _span(liar, data)
    return data[:start] + varuint(liar.edge()) + data[stop:]


def _repeat(liar: Liar, data: bytes, other: bytes) -> bytes:
    start, stop = _span(liar, data)
    return data[:stop] + data[start:stop] * liar.choice(TIMES) + data[stop:]


def _graft(liar: Liar, data: bytes, other: bytes) -> bytes:
    return data[: liar.randint(0, len(data))] + other[liar.randint(0, len(other)) :]


CHANGES: tuple[Callable[[Liar, bytes, bytes], bytes], ...] = (
    _flip,
    _flip,
    _set,
    _cut,
    _truncate,
    _edge,
    _edge,
    _repeat,
    _graft,
)
