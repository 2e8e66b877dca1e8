"""Targets with a fault in them, to prove that the fuzzers find each kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from tests.hostile.grammar import Liar

AT = 7
"""The case at which they fail."""


def _counts(liar: Liar) -> bytes:
    """Each case is its own number, which is what the liar was seeded with."""
    return liar.case.to_bytes(8, "big")


def _wrong() -> None:
    raise KeyError("not one of ours")


def _lawless() -> None:
    raise AssertionError("a law does not hold")


def _slow() -> None:
    while True:
        pass


def _dies() -> None:
    os.abort()


def _hungry() -> None:
    assert len(bytes(1024 * 1024 * 1024)) > 0


def _panics() -> None:
    raise BaseException("a panic")


def _fails(fault: Callable[[], None]) -> Callable[[Liar, bytes], bool]:
    def attack(liar: Liar, data: bytes) -> bool:
        if liar.case == AT:
            fault()
        return True

    return attack


FAULTS: Mapping[str, tuple[Callable[[Liar, bytes], bool], Callable[[Liar], bytes], str]] = {
    "wrong": (_fails(_wrong), _counts, "KeyError"),
    "lawless": (_fails(_lawless), _counts, "a law does not hold"),
    "slow": (_fails(_slow), _counts, "TooSlow"),
    "dies": (_fails(_dies), _counts, "died with -6"),
    "hungry": (_fails(_hungry), _counts, "MemoryError"),
    "panics": (_fails(_panics), _counts, "a panic"),
}
"""Each fault, and the words by which it is known in a finding."""
