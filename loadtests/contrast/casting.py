"""Who sits where, and what a crew is to do. Knows nothing of gevent: both sides of a crowd import it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.contrast.origin import Origin
from loadtests.contrast.shape import Shape

WATCHED_MAX = 10


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a document: `section` is the writer's number, -1 for a reader; `watched` screens are timed."""

    document: int
    section: int
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crew is to do, as it travels between processes."""

    shape: Shape
    documents: list[str]
    seats: list[Seat]
    origin: Origin
    script: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Plan:
        """From JSON."""
        seats = [Seat(*seat) for seat in told["seats"]]
        return cls(Shape(**told["shape"]), told["documents"], seats, Origin(**told["origin"]), told["script"])


def seats(shape: Shape) -> tuple[list[Seat], list[Seat]]:
    """Of the load and of the probe: the probe's are watched readers, spread over the documents; they are users too."""
    free = shape.members - shape.writers
    watched = min(WATCHED_MAX, shape.documents * free)
    probes = [Seat(number % shape.documents, -1, True) for number in range(watched)]
    load = []
    for document in range(shape.documents):
        mine = sum(seat.document == document for seat in probes)
        load += [Seat(document, number) for number in range(shape.writers)]
        load += [Seat(document, -1)] * (free - mine)
    return load, probes
